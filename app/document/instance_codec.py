"""Instances as plain JSON values and back, without losing anything.

This is the journal's own form, made for short lines and speed; files that other programs read are
written by `converters`. Masks are COCO run-length codes of their own box.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from converters.annotation import (
    EMPTY_MASK,
    Box,
    Circle,
    Geometry,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    Provenance,
    RecolorOperation,
    RejectedShape,
    Seed,
    Vertex,
)
from converters.frozen import FrozenMap
from converters.shapes.rle import decode_rle


def encode_mask(mask: Mask) -> dict[str, Any]:
    """{"at": [x0, y0], "size": [h, w], "counts": text}; the box is the tight one."""
    tight = mask.cropped()
    height, width = tight.array.shape
    if not tight.array.size:
        return {"at": [0, 0], "size": [0, 0], "counts": ""}
    # COCO counts down the columns; cv2.transpose makes that order twice as fast as numpy does.
    columns = cv2.transpose(tight.array.view(np.uint8)).reshape(width, height).T
    counts = coco_mask.encode(columns)["counts"].decode("ascii")
    return {"at": [tight.x0, tight.y0], "size": [height, width], "counts": counts}


def decode_mask(value: Mapping[str, Any]) -> Mask:
    """The reverse of `encode_mask`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    x, y = value["at"]
    if not value["counts"]:
        return EMPTY_MASK
    mask = decode_rle({"size": list(value["size"]), "counts": value["counts"]})
    return Mask(mask.x0 + int(x), mask.y0 + int(y), mask.array)


def encode_geometry(geometry: Geometry) -> dict[str, Any]:
    """{kind: coordinates}, one key."""
    match geometry:
        case Mask():
            return {"mask": encode_mask(geometry)}
        case Polygon() | OrientedBox() | LineStrip() | PointSet():
            return {_KIND_OF[type(geometry)]: _pairs(geometry.points)}
        case Box():
            return {"box": [geometry.x0, geometry.y0, geometry.x1, geometry.y1]}
        case Circle():
            return {"circle": _pairs((geometry.center, geometry.edge))}
        case Line():
            return {"line": _pairs((geometry.start, geometry.end))}
        case Point():
            return {"point": [geometry.x, geometry.y]}


def decode_geometry(value: Mapping[str, Any]) -> Geometry:
    """The reverse of `encode_geometry`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    ((kind, content),) = value.items()
    return _MAKERS[kind](content)


def encode_field(name: str, value: Any) -> Any:
    """One field of an `Instance`, or of the picture itself, as a JSON value."""
    match value:
        case FrozenMap() | Mapping():
            return {key: encode_field("", item) for key, item in value.items()}
        case Provenance():
            return _encode_provenance(value)
        case RecolorOperation():
            return {"color": value.color, "settings": dict(value.settings)}
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case tuple() if name == "rejected":
            return [[shape.index, shape.reason, encode_field("", shape.raw)] for shape in value]
        case list() | tuple():
            return [encode_field("", item) for item in value]
        case np.generic():
            return value.item()
        case _ if name == "geometry":
            return encode_geometry(value)
        case _:
            return value


def decode_field(name: str, value: Any) -> Any:
    """The reverse of `encode_field`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    if value is None:
        return None
    match name:
        case "geometry":
            return decode_geometry(value)
        case "flags" | "attributes" | "extra":
            return FrozenMap(value)
        case "provenance":
            return _decode_provenance(value)
        case "recolor":
            return RecolorOperation(value["color"], FrozenMap(value["settings"]))
        case "rejected":
            return tuple(RejectedShape(index, reason, raw) for index, reason, raw in value)
        case "image_data":
            return base64.b64decode(value)
        case _:
            return value


def encode_instance(instance: Instance) -> dict[str, Any]:
    """The instance's id, label, geometry and every field that differs from its default."""
    value: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        content = getattr(instance, name)
        if default is _REQUIRED or content != default:
            value[name] = encode_field(name, content)
    return value


def decode_instance(value: Mapping[str, Any]) -> Instance:
    """The reverse of `encode_instance`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    return Instance(**{name: decode_field(name, content) for name, content in value.items()})


def encode_annotation(annotation: ImageAnnotation) -> dict[str, Any]:
    """The whole state of a picture, without the embedded copy of the picture itself."""
    return {
        "image_path": annotation.image_path,
        "height": annotation.height,
        "width": annotation.width,
        "instances": [encode_instance(instance) for instance in annotation.instances],
        **{name: encode_field(name, getattr(annotation, name)) for name in ("flags", "rejected", "extra")},
    }


def decode_annotation(value: Mapping[str, Any]) -> ImageAnnotation:
    """The reverse of `encode_annotation`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    return ImageAnnotation(
        image_path=str(value["image_path"]),
        height=int(value["height"]),
        width=int(value["width"]),
        instances=tuple(decode_instance(each) for each in value["instances"]),
        **{name: decode_field(name, value[name]) for name in ("flags", "rejected", "extra")},
    )


def _encode_provenance(provenance: Provenance) -> dict[str, Any]:
    value = {f.name: getattr(provenance, f.name) for f in fields(Provenance)}
    value["seeds"] = [[seed.x, seed.y, seed.positive] for seed in provenance.seeds]
    return value


def _decode_provenance(value: Mapping[str, Any]) -> Provenance:
    seeds = tuple(Seed(x, y, positive) for x, y, positive in value["seeds"])
    return Provenance(**{**value, "seeds": seeds})


def _pairs(points: tuple[Vertex, ...]) -> list[list[float]]:
    return [[x, y] for x, y in points]


def _points(value: Any) -> tuple[Vertex, ...]:
    return tuple((x, y) for x, y in value)


def _oriented_box(value: Any) -> OrientedBox:
    first, second, third, fourth = _points(value)
    return OrientedBox((first, second, third, fourth))


_KIND_OF: Final[dict[type, str]] = {
    Polygon: "polygon",
    OrientedBox: "oriented_box",
    LineStrip: "line_strip",
    PointSet: "point_set",
}
_MAKERS: Final[dict[str, Callable[[Any], Geometry]]] = {
    "mask": decode_mask,
    "polygon": lambda value: Polygon(_points(value)),
    "oriented_box": _oriented_box,
    "line_strip": lambda value: LineStrip(_points(value)),
    "point_set": lambda value: PointSet(_points(value)),
    "box": lambda value: Box(*value),
    "circle": lambda value: Circle(*_points(value)),
    "line": lambda value: Line(*_points(value)),
    "point": lambda value: Point(*value),
}
_REQUIRED: Final = object()
_DEFAULTS: Final[dict[str, Any]] = {"id": _REQUIRED, "label": _REQUIRED, "geometry": _REQUIRED} | {
    f.name: getattr(Instance("", "", EMPTY_MASK), f.name)
    for f in fields(Instance)
    if f.name not in ("id", "label", "geometry")
}
