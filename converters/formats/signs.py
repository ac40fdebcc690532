"""What gives a format's files away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """By what a source is known for one of a format; of several formats the registry's first one counts.

    Attributes:
        json: whether a parsed JSON document is its own.
        json_ends: whether a large JSON file is, by its first and its last bytes.
        ends_suffice: `json_ends` is so sure that a file of half a megabyte is not parsed to ask `json`.
        xml: whether an XML document is its own, by its first tags in their order.
        text: whether a .txt file is, by its first lines, empty ones left out.
        suffixes: its label files have suffixes of their own.
        folder_files: a folder with a file of one of these names is its own.
        single: files with these suffixes are its own when they are the source themselves.
        bare: a folder without any label files is its own if it has files with these suffixes.
    """

    json: Callable[[Any], bool] | None = None
    json_ends: Callable[[bytes], bool] | None = None
    ends_suffice: bool = False
    xml: Callable[[Sequence[str]], bool] | None = None
    text: Callable[[Sequence[str]], bool] | None = None
    suffixes: frozenset[str] = frozenset()
    folder_files: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
