"""Markdown whose lines end before column 120."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 112


def paragraph(text: str) -> str:
    """One paragraph, its lines broken anew."""
    return _wrapped(text, indent="")


def bullet(text: str) -> str:
    """One entry of a list."""
    return "- " + _wrapped(text, indent="  ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar inside a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A whole file: its title, the note that it is made, and its parts with a blank line between them."""
    note = "<!-- Made by `make reference` from the code; changes belong there. -->"
    return "\n\n".join([f"# {title}", note, *parts]) + "\n"


def _wrapped(text: str, *, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
