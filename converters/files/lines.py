"""Lists with an entry a line, whose places count: no entry may take two lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Whatever any program may take for the end of a line, among them those of `str.splitlines`.
_BREAKS: Final = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_ENDS: Final = re.compile("\r\n|\n|\r")
BREAK_REASON: Final = "in a list with a label a line, a line break in the label becomes a space"


def one_line(text: str) -> str:
    """The text with every line break in it as a space."""
    return _BREAKS.sub(" ", text)


def line_list(entries: Iterable[str]) -> str:
    """The text of a list, an entry a line."""
    return "".join(f"{one_line(entry)}\n" for entry in entries)


def lines_of(text: str) -> list[str]:
    """The lines of a text as files have them; other breaks, which `str.splitlines` knows, stay in them."""
    lines = _ENDS.split(text)
    return lines if lines[-1] else lines[:-1]


def broken(labels: Iterable[str]) -> list[str]:
    """The labels that a list cannot hold as they are."""
    return [label for label in labels if one_line(label) != label]
