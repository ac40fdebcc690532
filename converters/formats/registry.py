"""All formats the converter knows, and finding out which one a source is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConverterError
from converters.formats import (
    cvat,
    isat,
    label_studio,
    labelbox,
    mask_folders,
    rectlabel,
    via,
    voc,
    xanylabeling,
    yolo,
)
from converters.formats.coco import instances as coco
from converters.formats.coco import panoptic as coco_panoptic
from converters.formats.labelme import folder as labelme_folder
from converters.formats.labelme import to_dataset as json_to_dataset
from converters.formats.labelme import xml as labelme_xml
from converters.formats.sniffing import guess_format

if TYPE_CHECKING:
    from converters.formats.format import Format

_ALL = (
    labelme_folder.FORMAT,
    json_to_dataset.FORMAT,
    coco.FORMAT,
    coco_panoptic.FORMAT,
    voc.FORMAT,
    yolo.FORMAT,
    yolo.DETECT,
    xanylabeling.FORMAT,
    cvat.FORMAT,
    via.FORMAT,
    labelbox.FORMAT,
    label_studio.FORMAT,
    isat.FORMAT,
    rectlabel.FORMAT,
    rectlabel.JSON,
    labelme_xml.FORMAT,
    mask_folders.EACH,
    mask_folders.BINARY,
    mask_folders.CLASSES,
)

FORMATS: dict[str, Format] = {each.name: each for each in _ALL}


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        ConverterError: there is none.
    """
    found = FORMATS.get(name.strip().lower())
    if found is None:
        raise ConverterError(f"the format {name!r} is unknown.", remedy=f"Known: {', '.join(FORMATS)}.")
    return found


def readable_formats() -> list[Format]:
    """Formats that can be imported, in the order of the list."""
    return [each for each in _ALL if each.read is not None]


def writable_formats() -> list[Format]:
    """Formats that can be exported, in the order of the list."""
    return [each for each in _ALL if each.write is not None]


def sniff(source: Path | str) -> Format:
    """The format of a file or of the files in a folder.

    Raises:
        ConverterError: it is not there, or of none of the known formats.
    """
    path = Path(source)
    if not path.exists():
        raise ConverterError("there is no such file or folder.", path=path)
    name = guess_format(path)
    if name is None:
        known = ", ".join(each.name for each in readable_formats())
        raise ConverterError(
            "this is in none of the known formats.",
            path=path,
            remedy=f"If you know better, name its format: {known}.",
        )
    return FORMATS[name]
