"""Names that a file system takes: at most so many bytes, not characters."""

from __future__ import annotations

import hashlib
from typing import Final

MAX_NAME_BYTES: Final = 255
_DIGEST_BYTES: Final = 4


def fitting_name(stem: str, suffix: str) -> str:
    """`stem` + `suffix`; where that is too long, a shorter name that is the same every time.

    The stem is cut between characters and told apart by a digest of all of it.
    """
    name = stem + suffix
    if _length(name) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.blake2s(stem.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    end = f"~{digest}{suffix}"
    room = MAX_NAME_BYTES - _length(end)
    while _length(stem) > room:
        stem = stem[:-1]
    return stem + end


def _length(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))
