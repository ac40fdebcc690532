"""How commands speak: results on standard output, everything else on standard error, exit codes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Never, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable

DONE, FAILED, WRONG_USAGE = 0, 1, 2

T = TypeVar("T")


def fail(message: str) -> int:
    """Say what is wrong and return the exit code for it."""
    print(f"seedhue: {message}", file=sys.stderr)
    return FAILED


def warn(message: str) -> None:
    """Say what should be known about a result that comes all the same; nothing for ""."""
    if message:
        print(f"seedhue: {message}", file=sys.stderr)


def wrong_usage(message: str) -> int:
    """Say how the command was called wrongly and return the exit code for it."""
    print(f"seedhue: {message}", file=sys.stderr)
    return WRONG_USAGE


def print_json(value: Any) -> None:
    """One JSON document on standard output, for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def progress(items: Iterable[T], *, total: int, title: str) -> tqdm[T]:
    """A progress bar on standard error; silent where that is not a terminal."""
    return tqdm(items, total=total, desc=title, unit="", file=sys.stderr, disable=not sys.stderr.isatty())


def progress_bar(*, total: int, title: str) -> tqdm[Never]:
    """A bar that the caller moves; silent where standard error is not a terminal."""
    return tqdm(total=total, desc=title, unit="", file=sys.stderr, disable=not sys.stderr.isatty())
