"""Which annotation file belongs to which picture of a folder.

`photo.jpg` has `photo.json`. Where pictures share a stem (`photo.jpg`, `photo.png`), one of them has
`photo.json` and the others `photo.png.json`, as labelme names them; an existing `photo.json` stays
with the picture it names. The folder's own file, `seedhue.json`, is never a picture's.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from converters.errors import ConverterError
from converters.files.files import natural_sort_key, read_json
from converters.files.images import IMAGE_SUFFIXES
from converters.files.locate import locate_picture
from converters.files.names import fitting_name
from converters.files.project_mark import is_project_file

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_picture(path: Path) -> bool:
    """Whether the name is that of a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def label_files(pictures: Iterable[Path]) -> dict[Path, Path]:
    """The annotation file of each picture, existing or to be written.

    Pictures of the same folder that are not among the given ones are taken into account, so that
    opening one picture alone does not claim the labels of its namesake.
    """
    found: dict[Path, Path] = {}
    by_folder: dict[Path, list[Path]] = {}
    for picture in pictures:
        by_folder.setdefault(picture.parent, []).append(picture)
    for folder, wanted in by_folder.items():
        namesakes: dict[str, set[Path]] = {}
        for picture in {*_pictures_of(folder), *wanted}:
            namesakes.setdefault(picture.stem, set()).add(picture)
        for picture in wanted:
            if picture not in found:
                found.update(_shared_out(sorted(namesakes[picture.stem], key=_order)))
    return found


def pictures_of_labels(folder: Path) -> dict[Path, Path]:
    """Picture to annotation file, for a folder that holds annotation files and no pictures."""
    try:
        files = sorted((p for p in folder.iterdir() if p.suffix.lower() == ".json"), key=_order)
    except OSError:
        return {}
    found: dict[Path, Path] = {}
    for file in files:
        name = picture_named_in(file)
        if name:
            try:
                found.setdefault(Path(os.path.abspath(locate_picture(file, name))), file)
            except ConverterError:
                continue
    return found


def picture_named_in(label_file: Path) -> str:
    """The `imagePath` of a labelme file as it stands; empty if there is none."""
    if is_project_file(label_file):
        return ""
    try:
        content: Any = read_json(label_file)
        return str(content["imagePath"]).replace("\\", "/") if "shapes" in content else ""
    except (ConverterError, LookupError, TypeError):
        return ""


def _shared_out(pictures: list[Path]) -> dict[Path, Path]:
    """The annotation files of pictures that share folder and stem."""
    plain = pictures[0].with_name(fitting_name(pictures[0].stem, ".json"))
    full = {picture: picture.with_name(fitting_name(picture.name, ".json")) for picture in pictures}
    if is_project_file(plain):
        return full
    if len(pictures) == 1:
        # Its namesake may have been deleted since; the labels stay where they are.
        only = pictures[0]
        theirs = full[only].exists() and (not plain.exists() or _names_another(plain, only))
        return {only: full[only] if theirs else plain}
    named = PurePosixPath(picture_named_in(plain)).name if plain.exists() else ""
    owner = next((picture for picture in pictures if picture.name == named), None)
    if owner is None and PurePosixPath(named).stem != pictures[0].stem:  # not a namesake's that is gone
        owner = next((picture for picture in pictures if not full[picture].exists()), None)
    if owner is None and not plain.exists():
        owner = pictures[0]
    return {picture: plain if picture == owner else full[picture] for picture in pictures}


def _names_another(label_file: Path, picture: Path) -> bool:
    """Whether an annotation file says that it belongs to another picture."""
    named = PurePosixPath(picture_named_in(label_file)).name
    return bool(named) and named != picture.name


def _pictures_of(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if is_picture(Path(entry.name))]
    except OSError:
        return []


def _order(path: Path) -> tuple[object, str]:
    return natural_sort_key(path.name), path.name
