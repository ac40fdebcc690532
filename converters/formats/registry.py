"""All formats the converter knows, and finding out which one a source is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConverterError
from converters.formats.sniffing import guess_format

if TYPE_CHECKING:
    from converters.formats.format import Format

# A new format is its module below converters/formats and one line here, where a list shall show it.
_MODULES = (
    "labelme.folder",
    "labelme.to_dataset",
    "coco.instances",
    "coco.panoptic",
    "voc",
    "yolo",
    "xanylabeling",
    "cvat",
    "via",
    "labelbox",
    "label_studio",
    "isat",
    "rectlabel",
    "labelme.xml",
    "mask_folders",
)


def _formats_of(module: str) -> tuple[Format, ...]:
    formats: tuple[Format, ...] = import_module(f"converters.formats.{module}").FORMATS
    return formats


_ALL = tuple(each for module in _MODULES for each in _formats_of(module))

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
    found = guess_format(path, _ALL)
    if found is None:
        known = ", ".join(each.name for each in readable_formats())
        raise ConverterError(
            "this is in none of the known formats.",
            path=path,
            remedy=f"If you know better, name its format: {known}.",
        )
    return found
