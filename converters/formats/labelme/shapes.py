"""One labelme shape as an `Instance` and back.

Reading accepts every labelme since 3.0 (missing keys mean what they meant then) and the shapes of
its relatives that labelme itself refuses: four-point rectangles, `rotation`, `quadrilateral`.
Writing makes only what labelme 7.9 accepts.
"""

from __future__ import annotations

import base64
import math
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.annotation import Instance, Mask
from converters.errors import ConverterError
from converters.files.budget import MASK_PIXELS, spend
from converters.files.files import shown
from converters.files.images import decode_mask_png, encode_mask_png
from converters.formats.own_facts import KEY, facts_of, is_number, read_facts
from converters.formats.reading import (
    box_of_corners,
    content_id,
    read_label,
    read_points,
    split_flags,
)
from converters.frozen import frozen
from converters.shapes.kinds import Kind, kind_of, labelme_kind

if TYPE_CHECKING:
    from converters.annotation import Geometry, Vertex

STANDARD_KEYS = ("label", "points", "group_id", "description", "shape_type", "flags", "mask", "locked")


_OURS = frozenset({*STANDARD_KEYS, "score", "attributes", KEY})
# What labelme's relatives call shapes of four corners, and which of labelme's it is.
_FOUR_CORNERS = {"quadrilateral": "polygon", "rotation": "oriented_rectangle"}
# Pixels a mask patch may have when the picture's size is unknown.
_MAX_PATCH = 100_000_000


def decode_shape(raw: Any, index: int, *, height: int = 0, width: int = 0) -> Instance:
    """The instance a shape describes.

    A key whose value has a type labelme does not allow (a group id that is text, a flag that is no
    bool) is kept among the attributes. A shape without SeedHue's id gets one made from its content and
    place, the same at every reading.

    Args:
        index: the shape's place in the file.
        height, width: the picture's size, to judge mask patches by; 0: unknown.

    Raises:
        ConverterError: the shape has no label or its geometry makes no sense.
    """
    if not isinstance(raw, dict):
        raise ConverterError(f"a shape is an object, this is {shown(raw)}.")
    facts = read_facts(raw.get(KEY))
    odd: dict[str, Any] = {}
    group_id = _group_id(raw.get("group_id"), odd)
    flags = split_flags(raw.get("flags"), odd)
    description = raw.get("description")
    if description is not None and not isinstance(description, str):
        odd["description"] = description
    score = raw.get("score")
    extra = {} if raw.keys() <= _OURS else {key: value for key, value in raw.items() if key not in _OURS}
    if score is not None and not is_number(score):
        odd["score"] = score
    if raw.get("locked") not in (None, True, False):
        odd["locked"] = raw["locked"]
    geometry = decode_geometry(raw, height=height, width=width)
    if raw.get("shape_type") == "quadrilateral":
        extra["original_shape_type"] = "quadrilateral"
    if facts.rest:
        extra[KEY] = facts.rest
    return Instance(
        id=facts.id or content_id(raw, index),
        label=read_label(raw.get("label")),
        geometry=geometry,
        group_id=group_id,
        description=description if isinstance(description, str) else "",
        flags=flags,
        attributes=frozen({**_attributes(raw.get("attributes"), odd), **odd}),
        score=float(score) if is_number(score) else None,
        locked=raw.get("locked") is True,
        iscrowd=facts.iscrowd,
        provenance=facts.provenance,
        recolor=facts.recolor,
        extra=frozen(extra),
    )


def encode_shape(instance: Instance) -> dict[str, Any]:
    """The shape labelme 7.9 accepts, foreign keys first as labelme writes them.

    Raises:
        ConverterError: the geometry has no points or one that is not finite.
    """
    shape: dict[str, Any] = {key: v for key, v in instance.extra.items() if key not in _OURS}
    if instance.score is not None:
        shape["score"] = float(instance.score)
    if instance.attributes:
        shape["attributes"] = dict(instance.attributes)
    shape[KEY] = facts_of(instance)
    kind, points, mask = encode_geometry(instance.geometry)
    shape.update(
        label=instance.label,
        points=points,
        group_id=None if instance.group_id is None else int(instance.group_id),
        description=instance.description,
        shape_type=kind,
        flags={str(name): bool(value) for name, value in instance.flags.items()},
        mask=mask,
    )
    if instance.locked:
        shape["locked"] = True
    return shape


def decode_geometry(raw: dict[str, Any], *, height: int = 0, width: int = 0) -> Geometry:
    """The geometry of a shape's `shape_type`, `points` and `mask`.

    Raises:
        ConverterError: unknown type, wrong number of points, a damaged mask.
    """
    kind = raw.get("shape_type")
    if kind is None:
        kind = "polygon"  # labelme before 3.4 knew nothing else
    points = read_points(raw.get("points"))
    if kind == "mask":
        return _decode_mask(raw.get("mask"), points, height=height, width=width)
    if kind in ("rectangle", "rotation") and len(points) == 4:
        return box_of_corners(points)
    row = _row_of(kind) if isinstance(kind, str) else None
    if row is None:
        raise ConverterError(f"the shape_type {shown(kind)} is unknown.")
    least, most = (4, 4) if kind in _FOUR_CORNERS else row.counts
    if not least <= len(points) <= most:
        wanted = f"exactly {least}" if least == most else f"at least {least}"
        raise ConverterError(f"a {kind} has {wanted} points, here are {len(points)}.")
    made: Geometry = row.made(points)
    return made


def encode_geometry(geometry: Geometry) -> tuple[str, list[list[float]], str | None]:
    """(shape_type, points, mask as base64 PNG or None).

    Raises:
        ConverterError: no points, or one that is not finite.
    """
    if isinstance(geometry, Mask):
        return _encode_mask(geometry)
    row = kind_of(geometry)
    kind = row.labelme
    values = list(map(float, chain.from_iterable(row.points(geometry))))
    if not values or not all(map(math.isfinite, values)):
        raise ConverterError(f"a {kind} without points or with one that is not finite cannot be written.")
    return kind, list(map(list, zip(values[0::2], values[1::2], strict=True))), None


def _row_of(shape_type: str) -> Kind[Any] | None:
    return labelme_kind(_FOUR_CORNERS.get(shape_type, shape_type))


def _group_id(value: Any, odd: dict[str, Any]) -> int | None:
    if value is None:
        return None
    if type(value) is int and abs(value) < 1 << 62:
        return value
    if type(value) is float and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    odd["group_id"] = value
    return None


def _attributes(value: Any, odd: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if value is not None:
        odd["attributes"] = value
    return {}


def _decode_mask(text: Any, points: tuple[Vertex, ...], *, height: int, width: int) -> Mask:
    """A patch placed by its inclusive corner pixels.

    Corners on whole pixels cut the patch to their extent; otherwise they are rounded and the patch
    keeps its own extent, as labelme does it.
    """
    if len(points) != 2:
        raise ConverterError(f"a mask has exactly 2 points, here are {len(points)}.")
    if not isinstance(text, str):
        raise ConverterError("a mask shape without mask data.")
    try:
        data = base64.b64decode(text)
    except ValueError as error:
        raise ConverterError("the mask is not valid base64.") from error
    known = int(height * width * 1.1) + 1_000_000 if height and width else _MAX_PATCH
    patch = decode_mask_png(data, max_pixels=known, take=partial(spend, MASK_PIXELS))
    xs, ys = sorted((points[0][0], points[1][0])), sorted((points[0][1], points[1][1]))
    left, top = round(xs[0]), round(ys[0])
    if all(value.is_integer() for value in (*xs, *ys)):
        patch = patch[: int(ys[1]) - top + 1, : int(xs[1]) - left + 1]
    return Mask(left, top, patch)


def _encode_mask(mask: Mask) -> tuple[str, list[list[float]], str]:
    """The tight patch; an empty mask is one background pixel, because labelme knows no empty one."""
    tight = mask.cropped()
    array = tight.array if tight.array.size else np.zeros((1, 1), np.bool_)
    height, width = array.shape
    corners = [
        [float(tight.x0), float(tight.y0)],
        [float(tight.x0 + width - 1), float(tight.y0 + height - 1)],
    ]
    return "mask", corners, base64.b64encode(encode_mask_png(array)).decode("ascii")
