"""Finding the picture an annotation file speaks of, also when one of the two has been moved."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from converters.errors import ConverterError
from converters.files.files import shown
from converters.files.images import IMAGE_SUFFIXES
from converters.files.names import fitting_name

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE_FOLDERS = ("images", "JPEGImages", "image", "imgs", "img")


def locate_picture(label_file: Path | str, name: str, *, root: Path | str | None = None) -> Path:
    """The picture file that belongs to an annotation file.

    Looked for in this order: where `name` says, seen from the annotation file; its last part beside
    the annotation file; the annotation file's own name with a picture's suffix; both in the usual
    picture folders beside or above (`images`, `JPEGImages`, ...).

    Args:
        name: as the annotation file gives it; Windows separators and absolute paths are understood,
            of an absolute path only the last part counts.
        root: no picture outside this folder is touched. Default: the parent of the annotation
            file's folder, because labelme keeps labels in a folder beside the pictures' one.

    Raises:
        ConverterError: no such picture there.
    """
    file = Path(label_file)
    limit = file.parent.parent if root is None else Path(root)
    for candidate in _candidates(file, name.replace("\\", "/")):
        if is_file_inside(candidate, limit):
            return Path(os.path.normpath(candidate))
    raise ConverterError(
        f"its picture {shown(name)} is not to be found.",
        path=label_file,
        remedy="Put the picture beside this file, or into a folder called images next to it.",
    )


def _has_own_labels(file: Path, picture: str) -> bool:
    return os.path.lexists(file.with_name(fitting_name(picture, ".json")))


def is_file_inside(candidate: Path, folder: Path) -> bool:
    """Whether that is a regular file which lies below the folder, also after every link was followed."""
    try:
        real = Path(os.path.realpath(candidate))
        return real.is_relative_to(os.path.realpath(folder)) and real.is_file()
    except (OSError, ValueError):  # a name no file system takes
        return False


def _candidates(file: Path, name: str) -> Iterator[Path]:
    absolute = name.startswith("/") or name[1:2] == ":"
    if name and not absolute:
        yield file.parent / PurePosixPath(name)
    last = PurePosixPath(name).name
    own = [file.stem] if PurePosixPath(file.stem).suffix.lower() in IMAGE_SUFFIXES else []
    own += [
        file.stem + suffix
        for suffix in (*sorted(IMAGE_SUFFIXES), *(s.upper() for s in sorted(IMAGE_SUFFIXES)))
    ]
    names = [last, *own] if last not in ("", ".", "..") else own
    folders = [file.parent]
    for base in (file.parent, file.parent.parent):
        folders += [base / folder for folder in PICTURE_FOLDERS if (base / folder).is_dir()]
    for folder in folders:
        for each in names:
            # A picture that has a file of its own does not belong to its namesake's.
            if each == last or each == file.stem or not _has_own_labels(file, each):
                yield folder / each
