"""The commands: one sub-command per job. Qt is imported only when a window is wanted, torch only by
the commands that segment.

Every command answers 0 when it is done, 1 when it failed, 2 when it was called wrongly.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from app.commands import convert, doctor, evaluate, models, recolor, segment, train
from app.commands.output import FAILED, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("segment", "recolor", "convert", "json-to-dataset", "train", "evaluate", "models", "doctor")


def program_version() -> str:
    """SeedHue's version, also when run from a checkout that is not installed."""
    try:
        return version("seedhue")
    except PackageNotFoundError:
        return "0.1.0"


def build_parser() -> argparse.ArgumentParser:
    """The parser with every sub-command."""
    parser = argparse.ArgumentParser(
        prog="seedhue",
        description="Cut objects out of pictures. Without a command: the window, on the given pictures.",
    )
    parser.add_argument("--version", action="version", version=f"SeedHue {program_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    segment.add_parser(commands)
    recolor.add_parser(commands)
    convert.add_parsers(commands)
    train.add_parser(commands)
    evaluate.add_parser(commands)
    models.add_parser(commands)
    doctor.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or the window on files and folders.

    Args:
        arguments: without the program's name; None takes those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in COMMANDS and not given[0].startswith("-")):
        return _run_window(given)
    options = build_parser().parse_args(given)
    try:
        return int(options.handler(options))
    except KeyboardInterrupt:
        return fail("stopped.")
    except BrokenPipeError:
        return FAILED  # whoever read the output has gone, for example `| head`


def _run_window(paths: list[str]) -> int:
    try:
        from app.application import run_window
    except ImportError as error:
        return fail(
            f"the window cannot start: {error}. "
            "`python main.py doctor` tells which library is missing; the other commands need no window."
        )
    return run_window(paths)
