"""Copying objects from one picture to another, also between two running windows.

What is copied travels as text, so the system's clipboard can carry it. Pasted objects are new ones:
fresh ids, no lock, groups of their own, and no part outside the picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from app.document.extent import pixel_extent
from app.document.instance_codec import decode_instance, encode_instance
from converters.annotation import (
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
    Seed,
    Vertex,
    new_instance_id,
)
from converters.errors import ConverterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIME_TYPE: Final = "application/x-seedhue-instances"
_FORMAT: Final = "seedhue-instances"


@dataclass(frozen=True, slots=True)
class Pasted:
    """What became of copied objects.

    Attributes:
        instances: ready for `document.add`.
        clipped: how many of them lost a part that lay outside the picture.
        dropped: how many lay outside altogether and are not among them.
    """

    instances: tuple[Instance, ...]
    clipped: int
    dropped: int


def to_text(instances: Iterable[Instance], source: str) -> str:
    """The instances as text for the clipboard; `source` names their picture (its absolute path)."""
    content = {"format": _FORMAT, "source": source, "instances": [encode_instance(i) for i in instances]}
    return json.dumps(content, default=str)


def from_text(text: str) -> tuple[tuple[Instance, ...], str] | None:
    """The instances on the clipboard and the picture they come from; None if it holds none."""
    try:
        content: Any = json.loads(text)
        if content["format"] != _FORMAT:
            return None
        return tuple(decode_instance(value) for value in content["instances"]), str(content["source"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, ConverterError):
        return None


def paste(
    instances: Sequence[Instance],
    annotation: ImageAnnotation,
    *,
    offset: tuple[int, int] = (0, 0),
    same_picture: bool = False,
) -> Pasted:
    """Copied instances as new ones for a picture.

    Args:
        annotation: the picture they go to.
        offset: moves them by whole pixels (x, y), so that a copy does not hide its original.
        same_picture: whether they come from this very picture: only then the seeds they grew from
            mean anything and are kept.
    """
    used = [i.group_id for i in annotation.instances if i.group_id is not None]
    next_group = max(used, default=0) + 1
    groups: dict[int, int] = {}
    kept: list[Instance] = []
    clipped = 0
    for instance in instances:
        moved = moved_by(instance.geometry, *offset)
        geometry = clipped_to(moved, annotation.height, annotation.width)
        if geometry is None:
            continue
        clipped += geometry != moved
        group = instance.group_id
        if group is not None:
            group = groups.setdefault(group, next_group + len(groups))
        origin = Provenance()
        if same_picture:
            seeds = tuple(
                Seed(s.x + offset[0], s.y + offset[1], s.positive) for s in instance.provenance.seeds
            )
            origin = replace(instance.provenance, seeds=seeds)
        kept.append(
            replace(
                instance,
                id=new_instance_id(),
                geometry=geometry,
                group_id=group,
                locked=False,
                provenance=origin,
            )
        )
    return Pasted(tuple(kept), clipped, len(instances) - len(kept))


def moved_by(geometry: Geometry, dx: float, dy: float) -> Geometry:
    """The geometry shifted; a mask by whole pixels (the fraction is rounded)."""

    def shifted(points: Iterable[Vertex]) -> tuple[Vertex, ...]:
        return tuple((x + dx, y + dy) for x, y in points)

    if not dx and not dy:
        return geometry
    match geometry:
        case Mask():
            return Mask(geometry.x0 + round(dx), geometry.y0 + round(dy), geometry.array)
        case Polygon() | LineStrip() | PointSet():
            return type(geometry)(shifted(geometry.points))
        case OrientedBox():
            first, second, third, fourth = shifted(geometry.points)
            return OrientedBox((first, second, third, fourth))
        case Box():
            return Box(geometry.x0 + dx, geometry.y0 + dy, geometry.x1 + dx, geometry.y1 + dy)
        case Circle():
            return Circle(*shifted((geometry.center, geometry.edge)))
        case Line():
            return Line(*shifted((geometry.start, geometry.end)))
        case Point():
            return Point(geometry.x + dx, geometry.y + dy)


def clipped_to(geometry: Geometry, height: int, width: int) -> Geometry | None:
    """The part of the geometry inside a picture of that size; None if there is none.

    Exact for masks, polygons, boxes, lines and points. A circle, an oriented box and a chain of
    lines have no clipped form of their own: they stay whole as long as they touch the picture.
    """
    match geometry:
        case Mask():
            mask = geometry.clipped(height, width)
            return None if mask.is_empty else (geometry if mask == geometry else mask)
        case Polygon():
            return _clipped_polygon(geometry, height, width)
        case Box():
            x0, x1 = sorted((geometry.x0, geometry.x1))
            y0, y1 = sorted((geometry.y0, geometry.y1))
            if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
                return None
            if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
                return geometry
            return Box(max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1))
        case Point():
            return geometry if _inside(geometry.x, geometry.y, height, width) else None
        case PointSet():
            points = tuple(p for p in geometry.points if _inside(*p, height, width))
            return PointSet(points) if points else None
        case Line():
            return _clipped_line(geometry, height, width)
        case OrientedBox() | Circle() | LineStrip():
            box = pixel_extent(geometry)
            touches = box is not None and box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
            return geometry if touches else None


def _inside(x: float, y: float, height: int, width: int) -> bool:
    return 0 <= x <= width and 0 <= y <= height


def _clipped_polygon(polygon: Polygon, height: int, width: int) -> Polygon | None:
    """Sutherland and Hodgman (1974): one border after the other cuts the ring."""
    ring = list(polygon.points)
    if all(_inside(x, y, height, width) for x, y in ring):
        return polygon if ring else None
    for axis, border, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        cut: list[Vertex] = []
        for before, point in zip(ring[-1:] + ring[:-1], ring, strict=True):
            was, now = sign * (before[axis] - border) >= 0, sign * (point[axis] - border) >= 0
            if was != now:
                share = (border - before[axis]) / (point[axis] - before[axis])
                other = before[1 - axis] + share * (point[1 - axis] - before[1 - axis])
                cut.append((float(border), other) if axis == 0 else (other, float(border)))
            if now:
                cut.append(point)
        ring = cut
    return Polygon(tuple(ring)) if len(set(ring)) >= 3 else None


def _clipped_line(line: Line, height: int, width: int) -> Line | None:
    """Liang and Barsky (1984): the share of the line between the borders."""
    (x0, y0), (x1, y1) = line.start, line.end
    first, last = 0.0, 1.0
    for start, step, limit in ((x0, x1 - x0, width), (y0, y1 - y0, height)):
        if step == 0:
            if not 0 <= start <= limit:
                return None
            continue
        low, high = sorted(((0 - start) / step, (limit - start) / step))
        first, last = max(first, low), min(last, high)
    if first > last:
        return None
    if (first, last) == (0.0, 1.0):
        return line
    return Line(
        (x0 + first * (x1 - x0), y0 + first * (y1 - y0)), (x0 + last * (x1 - x0), y0 + last * (y1 - y0))
    )
