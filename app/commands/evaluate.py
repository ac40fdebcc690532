"""`evaluate`: how good a model is on annotated pictures, by one of several protocols."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.output import DONE, fail, print_json, progress_bar, warn, wrong_usage
from converters.errors import ConverterError
from converters.files.files import json_text, write_atomic

if TYPE_CHECKING:
    from models import Segmenter
    from models.data.dataset import Dataset

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to measure.

    Attributes:
        explains: what the numbers of the table mean.
        columns: heading and path of each number in the result ("all.quality" is nested).
        measure: (segmenter, dataset, options, on_progress) -> the result as JSON values.
    """

    explains: str
    columns: tuple[tuple[str, str], ...]
    measure: Callable[[Segmenter, Dataset, argparse.Namespace, OnProgress], dict[str, Any]]


def measure_clicks(
    segmenter: Segmenter, dataset: Dataset, options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """One click on each object, and the clicks needed."""
    from models.evaluation.clicks import evaluate_clicks

    report, _scores = evaluate_clicks(
        segmenter, dataset, count_clicks_needed=not options.no_noc, on_progress=on_progress
    )
    return report.as_dict()


def measure_coco(
    segmenter: Segmenter, dataset: Dataset, options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """Average precision and recall of the objects found without a click."""
    from models.evaluation.coco import evaluate_coco

    return evaluate_coco(segmenter, dataset, closer=options.closer, on_progress=on_progress).as_dict()


def measure_panoptic(
    segmenter: Segmenter, dataset: Dataset, _options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """Panoptic quality of the whole picture's parting into things and stuff."""
    from models.evaluation.panoptic import evaluate_panoptic

    return evaluate_panoptic(segmenter, dataset, on_progress=on_progress).as_dict()


def measure_semantic(
    segmenter: Segmenter, dataset: Dataset, _options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """Mean IoU of a semantic network's class map."""
    from models.evaluation.semantic import evaluate_semantic

    return evaluate_semantic(segmenter, dataset, on_progress=on_progress).as_dict()


def measure_zoom(
    segmenter: Segmenter, dataset: Dataset, _options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """Small objects of large pictures, with the whole picture and with the visible part encoded."""
    from models.evaluation.zoom import evaluate_zoom

    return evaluate_zoom(segmenter, dataset, on_progress=on_progress).as_dict()


def measure_similar(
    segmenter: Segmenter, dataset: Dataset, options: argparse.Namespace, on_progress: OnProgress
) -> dict[str, Any]:
    """Objects that look like one, found from one click on it."""
    from models.evaluation.similar import evaluate_similar

    report, _scores = evaluate_similar(
        segmenter, dataset, from_mask=options.from_masks, on_progress=on_progress
    )
    return report.as_dict()


PROTOCOL_OF = {"no_noc": "clicks", "from_masks": "similar", "closer": "coco"}  # options of one protocol alone
PROTOCOLS = {
    "clicks": Protocol(
        "mean IoU of one click on the deepest point of each object, and clicks until IoU 0.85 and 0.90",
        (
            ("objects", "objects"),
            ("suggested τ", "iou"),
            ("best τ", "best_tau_iou"),
            ("best level", "best_level_iou"),
            ("best both", "best_iou"),
            ("boundary F", "boundary_f"),
            ("NoC@85", "noc_85"),
            ("NoC@90", "noc_90"),
        ),
        measure_clicks,
    ),
    "coco": Protocol(
        "mask AP and AR of pycocotools; class-agnostic for models without categories",
        (
            ("objects", "objects"),
            ("AP", "ap"),
            ("AP50", "ap50"),
            ("AP75", "ap75"),
            ("AR@10", "ar_10"),
            ("AR@100", "ar_100"),
        ),
        measure_coco,
    ),
    "panoptic": Protocol(
        "panoptic, segmentation and recognition quality",
        (
            ("PQ", "all.pq"),
            ("SQ", "all.sq"),
            ("RQ", "all.rq"),
            ("PQ things", "things.pq"),
            ("PQ stuff", "stuff.pq"),
        ),
        measure_panoptic,
    ),
    "semantic": Protocol(
        "mean IoU of the class map over the classes that occur, and the share of pixels that are right; only "
        "for networks that give every pixel a class (fcn)",
        (
            ("pictures", "pictures"),
            ("mean IoU", "mean_iou"),
            ("pixels right", "pixel_accuracy"),
        ),
        measure_semantic,
    ),
    "zoom": Protocol(
        "one-click IoU of objects under 0.5 % of a 12-megapixel canvas of four pictures, with the canvas and "
        "with only the visible 1000 x 750 pixels encoded",
        (
            ("objects", "objects"),
            ("whole canvas", "whole_iou"),
            ("visible part", "view_iou"),
        ),
        measure_zoom,
    ),
    "similar": Protocol(
        "objects of the same category found from one click on one of them: precision and recall where the "
        "similarity slider starts, average precision over the slider",
        (
            ("queries", "queries"),
            ("precision", "precision"),
            ("recall", "recall"),
            ("AP", "ap"),
            ("AP per query", "mean_ap"),
            ("best F1", "best_f1"),
            ("at", "best_threshold"),
        ),
        measure_similar,
    ),
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a model on annotated pictures",
        description="\n".join(f"{name}: {protocol.explains}." for name, protocol in PROTOCOLS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="folder with images/ + instances.json, or labelme"
    )
    parser.add_argument("--model", help="see `models list` (default: what the weights are of, else seednet)")
    parser.add_argument("--weights", type=Path, help="a weights file (default: the active model's)")
    parser.add_argument(
        "--protocol", choices=tuple(PROTOCOLS), default="clicks", help="what to measure, see above"
    )
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument(
        "--no-noc", action="store_true", help="clicks: skip counting them, which takes longest"
    )
    parser.add_argument(
        "--from-masks", action="store_true", help="similar: begin with annotated masks instead of one click"
    )
    parser.add_argument("--closer", action="store_true", help="coco: look at the pictures' parts, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result, '-' prints it")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate on every data set found under DATA."""
    from app.commands.model_choice import load_chosen_segmenter
    from models import SegmenterError
    from models.data.dataset import load_dataset

    for name, protocol in PROTOCOL_OF.items():
        if getattr(options, name) and options.protocol != protocol:
            return wrong_usage(f"--{name.replace('_', '-')} belongs to --protocol {protocol}.")
    try:
        segmenter = load_chosen_segmenter(options.model, options.weights)
        warn(segmenter.notice)
        datasets = load_dataset(options.data)
        results = {d.name: evaluate_dataset(segmenter, d, options) for d in datasets}
    except (ConverterError, SegmenterError) as error:
        return fail(str(error))
    document = {"model": segmenter.version, "protocol": options.protocol, "results": results}
    if options.json is None:
        print_table(segmenter.version, PROTOCOLS[options.protocol], results)
    elif str(options.json) == "-":
        print_json(document)
    else:
        try:
            write_atomic(options.json, json_text(document))
        except ConverterError as error:
            return fail(str(error))
        print_table(segmenter.version, PROTOCOLS[options.protocol], results)
    return DONE


def evaluate_dataset(segmenter: Segmenter, dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Run the protocol on one data set under a progress bar."""
    from dataclasses import replace

    if options.limit is not None:
        dataset = replace(dataset, pictures=dataset.pictures[: options.limit])
    with progress_bar(total=len(dataset.pictures), title=dataset.name) as bar:

        def show(done: int, _total: int) -> None:
            bar.n = done
            bar.refresh()

        return PROTOCOLS[options.protocol].measure(segmenter, dataset, options, show)


def print_table(version: str, protocol: Protocol, results: dict[str, dict[str, Any]]) -> None:
    """One line per data set."""
    print(f"model {version}; {protocol.explains}")
    print(f"{'':20}" + "".join(f"{heading:>13}" for heading, _ in protocol.columns))
    for name, result in results.items():
        cells = [format_number(look_up(result, path)) for _, path in protocol.columns]
        print(f"{name:20}" + "".join(f"{cell:>13}" for cell in cells))


def look_up(result: dict[str, Any], path: str) -> Any:
    """The value at a dotted path."""
    value: Any = result
    for key in path.split("."):
        value = value[key]
    return value


def format_number(value: float | int | None) -> str:
    """Three decimals for shares, whole numbers as they are, "-" for what was not measured."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
