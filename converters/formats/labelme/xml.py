"""XML of the MIT's LabelMe web tool, which CVAT and Datumaro call "LabelMe 3.0". Not labelme's JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.annotation import Geometry, ImageAnnotation, Instance, Mask, Polygon, RejectedShape
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import safe_join
from converters.formats.format import Format, files_with
from converters.formats.reading import box_of_corners, content_id, mask_from_picture, take_points
from converters.formats.signs import Signs
from converters.formats.xml_files import (
    MIT_TAGS,
    element_dict,
    number,
    number_of,
    pixels_of,
    read_xml,
    text_of,
)
from converters.frozen import FrozenMap
from converters.report import Report

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def read_labelme_xml(path: Path | str, *, report: Report | None = None) -> ImageAnnotation:
    """One file. Deleted objects are passed over and reported; parts get the group of their whole.

    Raises:
        ConverterError: missing, not XML, or no LabelMe file.
    """
    file = Path(path)
    root = read_xml(file)
    if root.tag != "annotation":
        raise UnknownFormatError("this is no LabelMe file.", path=file)
    report = Report() if report is None else report
    name = text_of(root, "filename").replace("\\", "/")
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    numbers: dict[str, int] = {}
    for index, element in enumerate(root.findall("object")):
        if text_of(element, "deleted") == "1":
            report.add("dropped", "deleted in LabelMe", path=name, index=index)
            continue
        try:
            instance = _instance(element, index, file)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, element_dict(element)))
            continue
        numbers[text_of(element, "id")] = len(instances)
        instances.append(instance)
    return ImageAnnotation(
        image_path=name,
        height=pixels_of(root.findtext("imagesize/nrows")),
        width=pixels_of(root.findtext("imagesize/ncols")),
        instances=tuple(_grouped(root, instances, numbers)),
        rejected=tuple(rejected),
    )


def _instance(element: Element, index: int, file: Path) -> Instance:
    label = text_of(element, "name")
    if not label:
        raise ConverterError("the object has no name.")
    attributes: dict[str, Any] = {}
    if text_of(element, "occluded") == "yes":
        attributes["occluded"] = True
    if text := text_of(element, "attributes"):
        attributes["attributes"] = text
    return Instance(
        id=content_id(element_dict(element), index),
        label=label,
        geometry=_geometry(element, file),
        attributes=FrozenMap(attributes),
    )


def _geometry(element: Element, file: Path) -> Geometry:
    polygon = element.find("polygon")
    if polygon is not None:
        corners = polygon.findall("pt")
        take_points(len(corners))
        if len(corners) < 3:
            raise ConverterError(f"a polygon of {len(corners)} points.")
        points = tuple((number_of(pt, "x"), number_of(pt, "y")) for pt in corners)
        boxed = text_of(element, "type") == "bounding_box" and len(points) == 4
        return box_of_corners(points) if boxed else Polygon(points)
    segment = element.find("segm")
    if segment is not None:
        return _mask(text_of(segment, "mask"), file)
    raise ConverterError("the object has neither a polygon nor a mask.")


def _mask(name: str, file: Path) -> Mask:
    """A mask picture: in a folder Masks beside or above the XML's, in a sub-folder of the same name."""
    for base in (
        file.parent / "Masks",
        file.parent.parent / "Masks" / file.parent.name,
        file.parent.parent / "Masks",
    ):
        candidate = safe_join(base, name)
        if candidate.is_file():
            return mask_from_picture(candidate)
    raise ConverterError("its mask picture is not to be found.")


def _grouped(root: Element, instances: list[Instance], numbers: dict[str, int]) -> list[Instance]:
    """An object and the objects that are its parts share a group id, the number of the whole."""
    found = list(instances)
    for element in root.findall("object"):
        own = text_of(element, "id")
        parts = [part.strip() for part in text_of(element, "parts/hasparts").split(",") if part.strip()]
        if own not in numbers or not parts:
            continue
        try:
            group = int(number(own, "id"))
        except ConverterError:
            continue
        for each in (own, *parts):
            if each in numbers:
                found[numbers[each]] = replace(found[numbers[each]], group_id=group)
    return found


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_labelme_xml(path, report=report)]


FORMATS = (
    Format(
        name="labelme-xml",
        title="MIT LabelMe XML",
        find=files_with(".xml", folder="Annotations"),
        read=_read,
        signs=Signs(xml=lambda tags: tags[0] == "annotation" and not MIT_TAGS.isdisjoint(tags)),
    ),
)
