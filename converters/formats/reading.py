"""Reading what several formats hold alike: points, labels, flags, sizes; each from untrusted JSON."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from converters.annotation import (
    Box,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    RejectedShape,
    Vertex,
)
from converters.errors import ConverterError
from converters.files.budget import MASK_PIXELS, POINTS, SHAPE_POINTS, spend
from converters.files.files import shown
from converters.files.images import read_index_image, read_size
from converters.frozen import EMPTY, FrozenMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

# Farther out than any picture; beyond it a file is damaged or hostile.
MAX_COORDINATE = 1e7


def box_of_corners(points: tuple[Vertex, ...]) -> Box | OrientedBox:
    """Four corners in order as an upright box when they are one (to 1/1000 pixel), else oriented."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    across = max(abs(ay - by), abs(bx - cx), abs(cy - dy), abs(dx - ax))
    down = max(abs(ax - bx), abs(by - cy), abs(cx - dx), abs(dy - ay))
    if min(across, down) <= 1e-3:
        return Box(ax, ay, cx, cy)
    return OrientedBox((points[0], points[1], points[2], points[3]))


def read_points(value: Any) -> tuple[Vertex, ...]:
    """A list of [x, y] pairs of finite numbers of this world.

    Raises:
        ConverterError: it is something else.
    """
    if not isinstance(value, list) or not value:
        raise ConverterError("points is missing or empty.")
    take_points(len(value))
    if not set(map(type, value)) <= {list, tuple} or set(map(len, value)) != {2}:
        number = next(n for n, pair in enumerate(value) if type(pair) not in (list, tuple) or len(pair) != 2)
        raise ConverterError(f"points[{number}] is not a pair of numbers.")
    numbers = list(chain.from_iterable(value))
    if not are_coordinates(numbers):
        number = next(number for number, pair in enumerate(value) if not are_coordinates(pair))
        raise ConverterError(f"points[{number}] is not a pair of finite numbers of a picture's size.")
    numbers = list(map(float, numbers))
    return tuple(zip(numbers[0::2], numbers[1::2], strict=True))


def take_points(count: int) -> None:
    """Says nothing if a shape may have so many points, and its picture still so many more.

    Raises:
        ConverterError: it may not, or reading the picture's labels has taken too long.
    """
    SHAPE_POINTS.check(count)
    spend(POINTS, count)


def mask_from_picture(file: Path) -> Mask:
    """The nonzero pixels of a mask picture.

    Raises:
        ConverterError: it cannot be read, or its picture has no pixels to spend on it.
    """
    spend(MASK_PIXELS, math.prod(read_size(file)))
    return Mask.from_full(read_index_image(file))


def are_coordinates(values: Sequence[Any]) -> bool:
    """Whether all are finite ints or floats (no bools) that can lie on a picture; quick for many."""
    if not values:
        return True
    if not set(map(type, values)) <= {int, float}:
        return False
    total = sum(values)  # NaN if one is, and the comparisons would not notice
    return bool(total == total and min(values) >= -MAX_COORDINATE and max(values) <= MAX_COORDINATE)


def read_label(value: Any) -> str:
    """A label; numbers are taken as their text.

    Raises:
        ConverterError: missing or no text.
    """
    if isinstance(value, str):
        return value
    if type(value) in (int, float):
        return str(value)
    raise ConverterError(
        "the label is missing." if value is None else f"the label {shown(value)} is no text."
    )


def split_flags(value: Any, odd: dict[str, Any]) -> FrozenMap[bool]:
    """The bool flags; what is no bool goes into `odd`."""
    if not value and (value is None or isinstance(value, dict)):
        return EMPTY
    if not isinstance(value, dict):
        odd["flags"] = value
        return EMPTY
    odd.update({name: item for name, item in value.items() if type(item) is not bool})
    return FrozenMap({name: item for name, item in value.items() if type(item) is bool})


def content_id(raw: Any, index: int) -> str:
    """An id for a shape that has none: the same for the same content at the same place."""
    text = json.dumps(raw, sort_keys=True, default=str)
    return hashlib.blake2s(f"{index}:{text}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def own_id(value: Any, raw: Any, index: int) -> str:
    """The id a shape brings along, if it can be one, else `content_id`."""
    return value if isinstance(value, str) and 0 < len(value) <= 64 else content_id(raw, index)


def picture_side(value: Any) -> int:
    """A picture's height or width in pixels; 0 for whatever cannot be one."""
    return value if type(value) is int and 0 < value < 1 << 20 else 0


def ring_of(points: tuple[Vertex, ...]) -> Polygon:
    """A polygon; some formats repeat the first point at the end."""
    return Polygon(points[:-1] if len(points) > 3 and points[0] == points[-1] else points)


def line_of(points: tuple[Vertex, ...]) -> Line | LineStrip:
    """What formats with one kind of line mean: two points are a line, others a chain."""
    return Line(*points) if len(points) == 2 else LineStrip(points)


def dots_of(points: tuple[Vertex, ...]) -> Point | PointSet:
    """What formats with one kind of points mean: one is a point, several are a set."""
    return Point(*points[0]) if len(points) == 1 else PointSet(points)


def read_shapes(
    numbered: Iterable[tuple[int, T]],
    decode: Callable[[T, int], Instance],
    kept: Callable[[T], Any] = lambda raw: raw,
) -> tuple[tuple[Instance, ...], tuple[RejectedShape, ...]]:
    """The shapes that can be decoded, and the others with what is wrong.

    Args:
        numbered: each shape with its place in the file.
        decode: from a shape and its place to the instance; a ConverterError sets the shape aside.
        kept: what is kept of a shape that was set aside, as JSON values.
    """
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    for index, raw in numbered:
        try:
            instances.append(decode(raw, index))
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, kept(raw)))
    return tuple(instances), tuple(rejected)


def require_size(
    annotation: ImageAnnotation, height: int, width: int, *, path: Path | str
) -> ImageAnnotation:
    """The annotation with its picture's true size; the same one when it states that size already.

    Raises:
        ConverterError: it states another size, so it belongs to another picture.
    """
    if annotation.height in (0, height) and annotation.width in (0, width):
        return (
            annotation
            if annotation.height and annotation.width
            else replace(annotation, height=height, width=width)
        )
    raise ConverterError(
        f"the labels were made for a picture of {annotation.width} x {annotation.height} pixels,"
        f" this one has {width} x {height}.",
        path=path,
        remedy="Put the right picture in its place; the label file has been left as it is.",
    )
