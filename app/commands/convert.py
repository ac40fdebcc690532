"""The commands `convert` and `json-to-dataset`: converters without a window, without Qt, without torch."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.unsaved_work import warn_about_unsaved
from converters.errors import ConverterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from converters.conversion.convert import Conversion

DONE, FAILED, USAGE = 0, 1, 2

# Fewer are done before a worker has started.
_FILES_A_WORKER = 100


def add_parsers(subparsers: Any) -> None:
    """Add both commands; each sets `handler` to a function from the arguments to an exit code."""
    _add_convert(subparsers)
    _add_json_to_dataset(subparsers)


def _add_convert(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "convert",
        help="convert annotations from one format to another",
        description="Convert a label file or a folder of them. The source's format is found out; "
        "--list shows all formats.",
    )
    parser.add_argument(
        "source", nargs="?", metavar="SOURCE", help="a label file, or a folder with sub-folders"
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help="the folder or file to write")
    parser.add_argument("--from", dest="source_format", metavar="FORMAT", help="the source's format")
    parser.add_argument("--to", dest="target_format", metavar="FORMAT", help="the target's format")
    parser.add_argument(
        "--labels", metavar="FILE", help="text file: the labels to keep, one a line, in order"
    )
    parser.add_argument("--map", dest="label_map", metavar="FILE", help="text file: old = new, one a line")
    parser.add_argument("--val", type=float, metavar="SHARE", help="split off this share for validation")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (default 0)")
    parser.add_argument(
        "--group", default="", metavar="REGEX", help="pictures whose names match alike stay in one part"
    )
    parser.add_argument("--no-images", action="store_true", help="leave the pictures where they are")
    _add_common(parser)
    parser.add_argument("--list", action="store_true", help="list the formats")
    parser.set_defaults(handler=run_convert)


def _add_json_to_dataset(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "json-to-dataset",
        help="labelme JSON to img.png, label.png, label_viz.png, label_names.txt, info.yaml and instances",
        description="What labelme_json_to_dataset did, for one JSON or a folder of them.",
    )
    parser.add_argument("source", metavar="JSON|DIR", help="a labelme file, or a folder with sub-folders")
    parser.add_argument(
        "-o", "--out", metavar="OUT", help="output folder (default: NAME_json beside each JSON)"
    )
    parser.add_argument("--no-info", action="store_true", help="write no info.yaml, as labelme 4 and later")
    _add_common(parser)
    parser.set_defaults(handler=run_json_to_dataset)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write what was changed, simplified or dropped, and why (.json or .txt)",
    )
    parser.add_argument(
        "--processes", type=_positive, metavar="N", help="processes to use (default: one a core)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)


def run_convert(args: argparse.Namespace) -> int:
    """The command `convert`."""
    if args.list:
        return _list_formats(as_json=args.json)
    if args.source is None or args.target is None:
        return _wrong("convert needs SOURCE and TARGET (or --list).")
    _start_workers(args.source, args.processes)
    warn_about_unsaved(args.source)
    from converters.conversion.convert import convert, read_label_list, read_label_map
    from converters.conversion.splitting import Split
    from converters.files.files import read_text

    try:
        split = None if args.val is None else Split(args.val, args.seed, args.group)
        labels = read_label_list(read_text(args.labels)) if args.labels else None
        label_map = read_label_map(read_text(args.label_map)) if args.label_map else None
        _check_formats(args.source_format, args.target_format)
    except ConverterError as error:
        return _wrong(str(error))
    return _report(
        args,
        lambda progress: convert(
            args.source,
            args.target,
            source_format=args.source_format,
            target_format=args.target_format,
            labels=labels,
            label_map=label_map,
            split=split,
            copy_images=False if args.no_images else None,
            processes=args.processes,
            on_progress=progress,
        ),
    )


def run_json_to_dataset(args: argparse.Namespace) -> int:
    """The command `json-to-dataset`."""
    _start_workers(args.source, args.processes)
    from converters.conversion.convert import convert
    from converters.formats.labelme.to_dataset import json_to_dataset
    from converters.report import Report

    source = Path(args.source)
    if source.is_dir():
        warn_about_unsaved(source)
        return _report(
            args,
            lambda progress: convert(
                source,
                source if args.out is None else args.out,
                source_format="labelme",
                target_format="json-to-dataset",
                info=not args.no_info,
                processes=args.processes,
                on_progress=progress,
            ),
        )
    report = Report()
    try:
        folder = json_to_dataset(source, args.out, info=not args.no_info, report=report)
        if args.report:
            report.write(args.report)
    except ConverterError as error:
        return _failed(str(error))
    if args.json:
        print(json.dumps({"folder": str(folder), **report.as_dict()}, ensure_ascii=False))
    else:
        print("\n".join([f"Saved to: {folder}", *map(str, report)]))
    return DONE


def labelme_json_to_dataset(arguments: list[str] | None = None) -> int:
    """The console script of that name, with the arguments and the output names it always had."""
    parser = argparse.ArgumentParser(
        prog="labelme_json_to_dataset",
        description="Convert a labelme JSON (or a folder of them) to a dataset.",
    )
    parser.add_argument("json_file", help="a labelme file, or a folder with sub-folders")
    parser.add_argument(
        "-o", "--out", default=None, help="output folder (default: NAME_json beside the JSON)"
    )
    parser.add_argument("--no-info", action="store_true", help="write no info.yaml")
    given = parser.parse_args(arguments)
    return run_json_to_dataset(
        argparse.Namespace(
            source=given.json_file,
            out=given.out,
            no_info=given.no_info,
            json=False,
            processes=None,
            report=None,
        )
    )


def _start_workers(source: str, processes: int | None) -> None:
    """Let workers import what they need while this process does, if the folder is large enough."""
    from converters.conversion.workers import start_early
    from converters.machine import granted_cores

    files = (name for _, _, names in os.walk(source) for name in names)
    count = sum(1 for _ in itertools.islice(files, 10_000))
    start_early(min(processes or granted_cores().cores, 1 + count // _FILES_A_WORKER) - 1)


def _check_formats(*names: str | None) -> None:
    from converters.formats.registry import format_named

    for name in names:
        if name is not None:
            format_named(name)


def _list_formats(*, as_json: bool) -> int:
    from converters.formats.registry import FORMATS

    rows = [
        {
            "name": each.name,
            "title": each.title,
            "read": each.read is not None,
            "write": each.write is not None,
        }
        for each in FORMATS.values()
    ]
    if as_json:
        print(json.dumps(rows))
        return DONE
    for row in rows:
        rights = ("R" if row["read"] else "-") + ("W" if row["write"] else "-")
        print(f"{row['name']:<18} {rights}  {row['title']}")
    return DONE


def _report(args: argparse.Namespace, work: Callable[[Any], Conversion]) -> int:
    """Run a conversion with a progress bar and tell what came of it."""
    from tqdm import tqdm

    with tqdm(unit="picture", disable=None, file=sys.stderr, leave=False) as bar:

        def progress(done: int, total: int, name: str) -> None:
            bar.total = total
            bar.set_postfix_str(name[-30:], refresh=False)
            bar.update(done - bar.n)

        try:
            conversion = work(progress)
            if args.report:
                conversion.write_report(args.report)
        except ConverterError as error:
            return _failed(str(error))
        except KeyboardInterrupt:
            return _failed("stopped.")
    print(json.dumps(conversion.as_dict(), ensure_ascii=False) if args.json else conversion.summary())
    return FAILED if conversion.failures or conversion.stopped else DONE


def _failed(text: str) -> int:
    print(text, file=sys.stderr)
    return FAILED


def _wrong(text: str) -> int:
    print(text, file=sys.stderr)
    return USAGE
