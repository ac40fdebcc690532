"""`evaluate`: how good a model is on annotated pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli_output import DONE, fail, print_json, progress_bar
from converters.errors import ConverterError
from converters.files import json_text, write_atomic


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a model on annotated pictures",
        description="clicks: IoU after one click at the suggested and at the best τ, and the number of "
        "clicks until IoU 0.85 and 0.90.",
    )
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="folder with images/ + instances.json, or labelme"
    )
    parser.add_argument("--model", default="seednet", help="see `models list` (default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="a weights file (default: the active model's)")
    parser.add_argument("--protocol", choices=("clicks",), default="clicks")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--no-noc", action="store_true", help="skip the count of clicks, which takes longest")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result, '-' prints it")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate on every data set found under DATA."""
    from app.model_choice import load_chosen_segmenter
    from models import SegmenterError
    from models.data.dataset import load_dataset

    try:
        segmenter = load_chosen_segmenter(options.model, options.weights)
        datasets = load_dataset(options.data)
        results = {d.name: evaluate_dataset(segmenter, d, options) for d in datasets}
    except (ConverterError, SegmenterError) as error:
        return fail(str(error))
    document = {"model": segmenter.version, "protocol": options.protocol, "results": results}
    if options.json is not None and str(options.json) != "-":
        try:
            write_atomic(options.json, json_text(document))
        except ConverterError as error:
            return fail(str(error))
    if options.json is not None and str(options.json) == "-":
        print_json(document)
    else:
        print_table(segmenter.version, results)
    return DONE


def evaluate_dataset(segmenter: Any, dataset: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Run the protocol on one data set; returns its means by name."""
    from dataclasses import replace

    from models.evaluation.clicks import evaluate_clicks

    if options.limit is not None:
        dataset = replace(dataset, pictures=dataset.pictures[: options.limit])
    with progress_bar(total=len(dataset.pictures), title=dataset.name) as bar:

        def show(done: int, _total: int) -> None:
            bar.n = done
            bar.refresh()

        report, _scores = evaluate_clicks(
            segmenter, dataset, count_clicks_needed=not options.no_noc, on_progress=show
        )
    return report.as_dict()


def print_table(version: str, results: dict[str, dict[str, Any]]) -> None:
    """One line per data set."""
    print(f"model {version}; mean IoU of one click on the deepest point of each object")
    heads = ("objects", "suggested τ", "best τ", "best level", "best both", "NoC@85", "NoC@90")
    keys = ("objects", "iou", "best_tau_iou", "best_level_iou", "best_iou", "noc_85", "noc_90")
    print(f"{'':20}" + "".join(f"{head:>13}" for head in heads))
    for name, result in results.items():
        cells = []
        for key in keys:
            value = result[key]
            cells.append("-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value))
        print(f"{name:20}" + "".join(f"{cell:>13}" for cell in cells))
