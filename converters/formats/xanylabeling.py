"""X-AnyLabeling JSON: labelme's shape of file with four-point rectangles, `rotation` shapes and no masks."""

from __future__ import annotations

import base64
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from converters.annotation import (
    Box,
    Geometry,
    ImageAnnotation,
    Instance,
    Mask,
    OrientedBox,
    PointSet,
    Polygon,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import json_text, make_folder, read_json, write_atomic
from converters.formats.format import Format, Picture, WriteOptions, files_with, outline_note
from converters.formats.labelme.document import annotation_of
from converters.formats.labelme.folder import has_shapes, is_extended, place_beside
from converters.formats.labelme.shapes import encode_geometry
from converters.formats.own_facts import KEY, facts_of
from converters.formats.signs import Signs
from converters.shapes.geometry import joined_outline
from converters.shapes.kinds import outline

if TYPE_CHECKING:
    from pathlib import Path

    from converters.report import Report

VERSION = "2.5.0"

_STANDARD = frozenset(
    {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", KEY}
)


def read_xanylabeling(path: Path | str) -> ImageAnnotation:
    """One file; the same reader as labelme's, which knows X-AnyLabeling's shapes. Cuboids are set aside.

    Raises:
        ConverterError: missing, not JSON, or no such file.
    """
    document = read_json(path)
    if not has_shapes(document):
        raise UnknownFormatError('this is no X-AnyLabeling file: it has no list called "shapes".', path=path)
    return annotation_of(document, path=path)


def encode_shape(instance: Instance) -> tuple[dict[str, Any], str]:
    """A shape as X-AnyLabeling writes it, and a note on what had to change ("" for nothing).

    Raises:
        ConverterError: the geometry is empty.
    """
    geometry, note = instance.geometry, ""
    if isinstance(geometry, Mask):
        joined, rings = joined_outline(geometry)
        if joined is None:
            raise ConverterError("an empty mask has no outline.")
        geometry, note = joined, outline_note(rings)
    if isinstance(geometry, PointSet):
        geometry, note = Polygon(geometry.points), "a set of points becomes a polygon"
    kind, points = _points_of(geometry)
    shape: dict[str, Any] = {
        **{key: value for key, value in instance.extra.items() if key != KEY},
        "label": instance.label,
        "score": instance.score,
        "points": points,
        "group_id": instance.group_id,
        "description": instance.description,
        "difficult": instance.extra.get("difficult") is True or instance.attributes.get("difficult") is True,
        "shape_type": kind,
        "flags": dict(instance.flags),
        "attributes": dict(instance.attributes),
        "kie_linking": instance.extra.get("kie_linking", []),
        KEY: facts_of(instance),
    }
    if instance.locked:
        shape["locked"] = True
    if kind == "rotation":
        (ax, ay), (bx, by) = points[0], points[1]
        shape["direction"] = instance.extra.get("direction", math.atan2(by - ay, bx - ax) % (2 * math.pi))
    return shape, note


def _points_of(geometry: Geometry) -> tuple[str, list[list[float]]]:
    if isinstance(geometry, Box):
        return "rectangle", [[float(x), float(y)] for x, y in outline(geometry)]
    kind, points, _ = encode_geometry(geometry)
    return ("rotation" if isinstance(geometry, OrientedBox) else kind), points


def _write(picture: Picture, options: WriteOptions, report: Report) -> None:
    folder = options.target / picture.split
    annotation = place_beside(picture, folder, options, report)
    report.add_rejected(annotation)
    shapes: list[dict[str, Any]] = []
    for index, instance in enumerate(annotation.instances):
        note_loss = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        try:
            shape, note = encode_shape(instance)
        except ConverterError as error:
            note_loss("dropped", error.problem)
            continue
        if note:
            note_loss("changed", note)
        shapes.append(shape)
    data = annotation.image_data
    document = {
        "version": VERSION,
        "flags": dict(annotation.flags),
        "shapes": shapes,
        "imagePath": annotation.image_path,
        "imageData": None if data is None else base64.b64encode(data).decode("ascii"),
        "imageHeight": annotation.height,
        "imageWidth": annotation.width,
        **{key: value for key, value in annotation.extra.items() if key not in _STANDARD},
    }
    file = folder / f"{picture.name}.json"
    make_folder(file.parent)
    write_atomic(file, json_text(document, indent=2))
    report.pictures += 1
    report.instances += len(shapes)


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_xanylabeling(path)]


FORMATS = (
    Format(
        name="xanylabeling",
        title="X-AnyLabeling JSON",
        find=files_with(".json"),
        read=_read,
        write=_write,
        signs=Signs(json=lambda document: has_shapes(document) and is_extended(document)),
    ),
)
