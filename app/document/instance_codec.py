"""Instances as plain JSON values and back, without losing anything.

This is the journal's own form, made for short lines and speed; files that other programs read are
written by `converters`. Masks are COCO run-length codes of their own box.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from converters.annotation import (
    EMPTY_MASK,
    ImageAnnotation,
    Instance,
    Mask,
    Provenance,
    RecolorOperation,
    RejectedShape,
    Seed,
)
from converters.frozen import FrozenMap
from converters.shapes.kinds import kind_named, kind_of

if TYPE_CHECKING:
    from converters.annotation import Geometry
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
    if isinstance(geometry, Mask):
        return {"mask": encode_mask(geometry)}
    kind = kind_of(geometry)
    pairs = [[x, y] for x, y in kind.points(geometry)]
    return {kind.name: list(chain.from_iterable(pairs)) if kind.flat else pairs}


def decode_geometry(value: Mapping[str, Any]) -> Geometry:
    """The reverse of `encode_geometry`.

    Raises:
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    ((name, content),) = value.items()
    if name == "mask":
        return decode_mask(content)
    kind = kind_named(name)
    pairs = zip(content[0::2], content[1::2], strict=True) if kind.flat else content
    geometry: Geometry = kind.made(tuple((x, y) for x, y in pairs))
    return geometry


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


_REQUIRED: Final = object()
_DEFAULTS: Final[dict[str, Any]] = {"id": _REQUIRED, "label": _REQUIRED, "geometry": _REQUIRED} | {
    f.name: getattr(Instance("", "", EMPTY_MASK), f.name)
    for f in fields(Instance)
    if f.name not in ("id", "label", "geometry")
}
