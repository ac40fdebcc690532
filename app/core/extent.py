"""Which pixels an object can touch on screen: the boxes that an edit makes the canvas repaint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from converters.annotation import (
    Box,
    Circle,
    Geometry,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    Vertex,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PixelBox: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1), half open."""

STROKE_MARGIN: Final = 6
"""Pixels by which lines (10 wide) and points (radius 5) are drawn beyond their coordinates."""
OUTLINE_MARGIN: Final = 1


def pixel_extent(geometry: Geometry) -> PixelBox | None:
    """The half-open pixel box that holds everything drawn for the geometry, not clipped.

    None for a geometry without pixels (an empty mask, a polygon without vertices, or one with
    coordinates that are not finite numbers).
    """
    if isinstance(geometry, Mask):
        return geometry.box if geometry.array.size else None
    thin = isinstance(geometry, Line | LineStrip | Point | PointSet)
    points = _outline(geometry)
    if not points or not all(math.isfinite(value) for point in points for value in point):
        return None
    margin = STROKE_MARGIN if thin else OUTLINE_MARGIN
    columns = [x for x, _ in points]
    rows = [y for _, y in points]
    return (
        math.floor(min(columns)) - margin,
        math.floor(min(rows)) - margin,
        math.floor(max(columns)) + 1 + margin,
        math.floor(max(rows)) + 1 + margin,
    )


def union_extent(boxes: Iterable[PixelBox | None], height: int, width: int) -> PixelBox | None:
    """The box around all of them inside a picture of that size; None if nothing is inside."""
    present = [box for box in boxes if box is not None]
    if not present:
        return None
    x0 = max(0, min(box[0] for box in present))
    y0 = max(0, min(box[1] for box in present))
    x1 = min(width, max(box[2] for box in present))
    y1 = min(height, max(box[3] for box in present))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _outline(geometry: Geometry) -> tuple[Vertex, ...]:
    """Points whose bounding box is the geometry's own."""
    match geometry:
        case Polygon() | OrientedBox() | LineStrip() | PointSet():
            return geometry.points
        case Box():
            return (geometry.x0, geometry.y0), (geometry.x1, geometry.y1)
        case Line():
            return geometry.start, geometry.end
        case Point():
            return ((geometry.x, geometry.y),)
        case Circle():
            (x, y), radius = geometry.center, math.dist(geometry.center, geometry.edge)
            return (x - radius, y - radius), (x + radius, y + radius)
        case Mask():
            raise TypeError("a mask has pixels, not an outline")
