"""How deep JSON is nested, before it is parsed and after it was made: what is read can be written again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from converters.files.budget import DEPTH, DIGITS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS: Final[NDArray[np.int8]] = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NUMBER: Final = re.compile(rb"\d{1000,}")


def nesting(text: str) -> int:
    """The levels of lists and objects in a JSON text, which may be cut off or no JSON at all."""
    data = text.encode("utf-8", "surrogatepass")
    deepest = _levels(data)
    # Brackets inside of texts do not count, but looking for them takes longer.
    return deepest if deepest <= DEPTH.most else _levels(_TEXT.sub(b"", data))


def check_nesting(text: str, *, path: Path | str | None = None, where: str = "") -> None:
    """Says nothing of a JSON text that can be taken in.

    Raises:
        BudgetError: it is nested too deeply.
    """
    DEPTH.check(nesting(text), path=path, where=where, asks="it has")


def check_digits(text: str, *, path: Path | str | None = None, where: str = "") -> None:
    """Says nothing of a JSON text whose numbers can be taken in.

    Raises:
        BudgetError: a number is too long.
    """
    found = _NUMBER.findall(_TEXT.sub(b"", text.encode("utf-8", "surrogatepass")))
    DIGITS.check(max(map(len, found), default=0), path=path, where=where, asks="it has")


def _levels(data: bytes) -> int:
    brackets = np.frombuffer(data.translate(None, _OTHERS), np.uint8)
    return int(np.cumsum(_STEPS[brackets], dtype=np.int32).max(initial=0))
