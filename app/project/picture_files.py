"""Which files of a folder are pictures to work on."""

from __future__ import annotations

import os
from pathlib import Path

from app.project.label_files import is_picture
from app.project.project_file import exported_pictures
from converters.errors import ConverterError
from converters.files.files import natural_sort_key


def pictures_below(folder: Path, skipped: list[ConverterError], *, depth: int) -> list[Path]:
    """The folder's pictures in natural order, then those of its sub-folders.

    Raises:
        ConverterError: the folder may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: (natural_sort_key(entry.name), entry.name))
    except OSError as error:
        raise ConverterError(
            "this folder cannot be read.",
            path=folder,
            remedy="Give yourself permission to read it, or choose another one.",
        ) from error
    exported = exported_pictures(folder)
    pictures = [
        folder / entry.name
        for entry in listed
        if is_picture(Path(entry.name)) and not _is_folder(entry) and not _is_exported(entry, exported)
    ]
    if depth:
        for entry in listed:
            # Links are not followed: they may lead round in circles.
            if not entry.name.startswith(".") and _is_folder(entry) and not entry.is_symlink():
                try:
                    pictures += pictures_below(folder / entry.name, skipped, depth=depth - 1)
                except ConverterError as error:
                    skipped.append(error)
    return pictures


def _is_exported(entry: os.DirEntry[str], exported: dict[str, int]) -> bool:
    """Whether it is the file that was exported, not another one of that name."""
    try:
        return entry.name in exported and entry.stat().st_size == exported[entry.name]
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
