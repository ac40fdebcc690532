"""Knowing a folder's own file, in which SeedHue keeps the folder's labels, from annotation files.

Its name might be that of a picture's annotations (`seedhue.png` has `seedhue.json`), so the content decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from converters.errors import ConverterError
from converters.files.files import open_file, parse_json

if TYPE_CHECKING:
    from pathlib import Path

PROJECT_FILE: Final = "seedhue.json"
HIDDEN_PROJECT_FILE: Final = ".seedhue.json"
"""Where the project is kept if the other name is a picture's, or belongs to somebody else."""
PROJECT_KEY: Final = "seedhue_project"
MAX_PROJECT_BYTES: Final = 4_000_000
"""Beyond this a project file is not taken in; ten thousand labels have less than one million."""


def is_project_file(path: Path) -> bool:
    """Whether the file describes its folder and no picture; also true of a damaged one.

    Only regular files of the right name are looked into.
    """
    if path.name.lower() not in (PROJECT_FILE, HIDDEN_PROJECT_FILE) or not path.is_file():
        return False
    try:
        with open_file(path) as stream:
            content = stream.read(MAX_PROJECT_BYTES)
    except (ConverterError, OSError):
        return False
    if f'"{PROJECT_KEY}"'.encode() not in content:
        return False
    try:
        document = parse_json(content.decode("utf-8"), path=path)
    except (ConverterError, UnicodeDecodeError):
        return True  # damaged, or longer than a project may be
    return not isinstance(document, dict) or PROJECT_KEY in document
