"""labelme JSON files as a format of the converter: one file a picture, the picture beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from converters.errors import UnknownFormatError
from converters.files.files import make_folder, read_json
from converters.formats.format import Format, Picture, WriteOptions, files_with, image_reference, place_image
from converters.formats.labelme.document import annotation_of, write_labelme
from converters.formats.signs import Signs

if TYPE_CHECKING:
    from pathlib import Path

    from converters.annotation import ImageAnnotation
    from converters.report import Report


def has_shapes(document: Any) -> bool:
    """Whether a JSON document has labelme's list of shapes."""
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def is_extended(document: dict[str, Any]) -> bool:
    """X-AnyLabeling's dialect: it adds keys labelme does not have; a `rotation` gives it away, too."""
    marks = {"difficult", "kie_linking", "direction"}
    shapes = [shape for shape in document["shapes"][:50] if isinstance(shape, dict)]
    return any(marks & shape.keys() or shape.get("shape_type") == "rotation" for shape in shapes)


def _is_labelme(document: Any) -> bool:
    return has_shapes(document) and not is_extended(document)


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    document = read_json(path)
    if not has_shapes(document):
        raise UnknownFormatError('this is no labelme file: it has no list called "shapes".', path=path)
    return [annotation_of(document, path=path)]


def place_beside(picture: Picture, folder: Path, options: WriteOptions, report: Report) -> ImageAnnotation:
    """The annotation with its picture's path seen from a label file beside it; copies it if asked."""
    label_folder = (folder / picture.name).parent
    make_folder(label_folder)
    if options.copy_images:
        placed = place_image(picture, folder, report)
        path = placed.rpartition("/")[2] if placed else picture.annotation.image_path
    else:
        path = image_reference(picture, label_folder)
    return replace(picture.annotation, image_path=path)


def _write(picture: Picture, options: WriteOptions, report: Report) -> None:
    folder = options.target / picture.split
    annotation = place_beside(picture, folder, options, report)
    write_labelme(folder / f"{picture.name}.json", annotation, durable=False)
    report.pictures += 1
    report.instances += len(annotation.instances)


FORMATS = (
    Format(
        name="labelme",
        title="labelme JSON",
        find=files_with(".json"),
        read=_read,
        write=_write,
        signs=Signs(json=_is_labelme, json_ends=lambda ends: b'"shapes"' in ends),
    ),
)
