"""Which labels an annotation file uses, told from its text: folders hold thousands of these files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from converters.errors import ConverterError
from converters.files.files import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_KEY: Final = b'"label"'
_VALUE: Final = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")')


def labels_in_use(file: Path) -> tuple[str, ...]:
    """The labels of a labelme file's objects, each once, in their order; none where it cannot be read.

    The file is not parsed, so that reading a large one keeps nobody waiting: every "label" counts, also one
    deeper inside.
    """
    try:
        content = read_bytes(file) if file.is_file() else b""
    except (ConverterError, OSError):
        return ()
    found: dict[bytes, None] = {}
    place = content.find(_KEY)
    while place >= 0:
        value = _VALUE.match(content, place + len(_KEY))
        if value is not None:
            found[value[1]] = None
        place = content.find(_KEY, place + len(_KEY))
    return tuple(dict.fromkeys(name for name in map(_text_of, found) if name))


def _text_of(literal: bytes) -> str:
    """The text of a JSON string, "" for none."""
    try:
        return str(json.loads(literal.decode("utf-8")))
    except ValueError:
        return ""
