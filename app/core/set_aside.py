"""Keeping files that cannot be used: they get another name, and nothing overwrites them."""

from __future__ import annotations

from pathlib import Path


def set_aside(file: Path, reason: str = "kept") -> Path:
    """Renames a file to `<name>.<reason>`, or `<name>.<reason>-2` and so on if that exists.

    Raises:
        OSError: it cannot be renamed.
    """
    kept = file.with_name(f"{file.name}.{reason}")
    number = 2
    while kept.exists():
        kept = file.with_name(f"{file.name}.{reason}-{number}")
        number += 1
    return file.rename(kept)
