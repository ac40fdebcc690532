"""ISAT JSON: polygons in groups and layers; `__background__` polygons are holes of their group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from converters.annotation import Box, Geometry, ImageAnnotation, Instance, Polygon, RejectedShape
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import read_json
from converters.formats.format import Format, files_with
from converters.formats.own_facts import is_number
from converters.formats.reading import content_id, picture_side, read_label, read_points
from converters.formats.signs import Signs
from converters.frozen import FrozenMap
from converters.shapes.geometry import difference, rasterize

if TYPE_CHECKING:
    from pathlib import Path

    from converters.report import Report

_HOLE = "__background__"


def read_isat(path: Path | str) -> ImageAnnotation:
    """One ISAT file, its objects ordered by their layers.

    A `__background__` polygon, with which ISAT marks a hole, is cut out of the objects of its group on
    lower layers, which become masks; where there is none it stays an object.

    Raises:
        ConverterError: missing, not JSON, or no ISAT file.
    """
    document = read_json(path)
    info = document.get("info") if isinstance(document, dict) else None
    if not isinstance(info, dict) or not isinstance(document.get("objects"), list):
        raise UnknownFormatError("this is no ISAT file.", path=path)
    height, width = picture_side(info.get("height")), picture_side(info.get("width"))
    layered: list[tuple[float, Instance]] = []
    rejected: list[RejectedShape] = []
    for index, raw in enumerate(document["objects"]):
        try:
            layer = raw.get("layer") if isinstance(raw, dict) else None
            layered.append((layer if is_number(layer) else float(index), _object(raw, index)))
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, raw))
    layered.sort(key=lambda pair: pair[0])
    name = info.get("name")
    return ImageAnnotation(
        image_path=name.replace("\\", "/") if isinstance(name, str) else "",
        height=height,
        width=width,
        instances=tuple(_with_holes([instance for _, instance in layered], height, width)),
        rejected=tuple(rejected),
        extra=FrozenMap({"isat": {k: v for k, v in info.items() if k not in ("name", "height", "width")}}),
    )


def _is_isat(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("objects"), list):
        return False
    info = document.get("info")
    return isinstance(info, dict) and "ISAT" in str(info.get("description", "ISAT"))


def _object(raw: Any, index: int) -> Instance:
    if not isinstance(raw, dict):
        raise ConverterError("the object is no JSON object.")
    group, note = raw.get("group"), raw.get("note")
    return Instance(
        id=content_id(raw, index),
        label=read_label(raw.get("category")),
        geometry=_geometry(raw),
        group_id=group if type(group) is int and abs(group) < 1 << 62 else None,
        description=note if isinstance(note, str) else "",
        iscrowd=raw.get("iscrowd") in (1, True),
    )


def _geometry(raw: dict[str, Any]) -> Geometry:
    if raw.get("segmentation"):
        points = read_points(raw["segmentation"])
        if len(points) < 3:
            raise ConverterError("a polygon of fewer than three points.")
        return Polygon(points)
    box = raw.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ConverterError("the object has neither a segmentation nor a bbox.")
    (x0, y0), (x1, y1) = read_points([box[:2], box[2:]])
    return Box(x0, y0, x1, y1)


def _with_holes(instances: list[Instance], height: int, width: int) -> list[Instance]:
    found: list[Instance] = []
    for instance in instances:
        below = [n for n, other in enumerate(found) if other.group_id == instance.group_id]
        if instance.label != _HOLE or instance.group_id is None or not below or not (height and width):
            found.append(instance)
            continue
        hole = rasterize(instance.geometry, height, width, rule="centers")
        for n in below:
            rest = difference(rasterize(found[n].geometry, height, width, rule="centers"), hole)
            found[n] = replace(found[n], geometry=rest)
    return found


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_isat(path)]


FORMATS = (
    Format(
        name="isat",
        title="ISAT JSON",
        find=files_with(".json"),
        read=_read,
        signs=Signs(json=_is_isat),
    ),
)
