"""Moving a geometry or one of its points: what the handles do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Box, Circle, Line, LineStrip, Mask, OrientedBox, Point, PointSet, Polygon
from converters.shapes.geometry import bounding_box

if TYPE_CHECKING:
    from converters.annotation import Geometry, Vertex


def moved(geometry: Geometry, dx: float, dy: float) -> Geometry:
    """The geometry shifted by (dx, dy) pixels; a mask by the nearest whole ones."""

    def shift(point: Vertex) -> Vertex:
        return point[0] + dx, point[1] + dy

    match geometry:
        case Mask():
            return Mask(geometry.x0 + round(dx), geometry.y0 + round(dy), geometry.array)
        case Box(x0, y0, x1, y1):
            return Box(x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        case OrientedBox((a, b, c, d)):
            return OrientedBox((shift(a), shift(b), shift(c), shift(d)))
        case Circle(center, edge):
            return Circle(shift(center), shift(edge))
        case Line(start, end):
            return Line(shift(start), shift(end))
        case Point(x, y):
            return Point(x + dx, y + dy)
        case Polygon() | LineStrip() | PointSet():
            return replace(geometry, points=tuple(map(shift, geometry.points)))


def limited_shift(
    geometries: list[Geometry], dx: float, dy: float, size: tuple[int, int]
) -> tuple[float, float]:
    """(dx, dy) cut so that nothing that lies inside a picture of (height, width) leaves it."""
    height, width = size
    boxes = np.array([bounding_box(geometry) for geometry in geometries])
    left, top = boxes[:, 0].min(), boxes[:, 1].min()
    right, bottom = boxes[:, 2].max(), boxes[:, 3].max()
    dx = float(min(max(dx, min(0.0, -left)), max(0.0, width - right)))
    dy = float(min(max(dy, min(0.0, -top)), max(0.0, height - bottom)))
    return dx, dy


def with_point(geometry: Geometry, index: int, point: Vertex) -> Geometry:
    """The geometry with its handle `index` (as `points_of` counts them) at `point`.

    A box keeps its opposite corner, an oriented box also its angle; a circle's centre takes the
    rim along.
    """
    x, y = point
    match geometry:
        case Box():
            x0, y0, x1, y1 = geometry.x0, geometry.y0, geometry.x1, geometry.y1
            x0, x1 = (x, x1) if index in (0, 3) else (x0, x)
            y0, y1 = (y, y1) if index in (0, 1) else (y0, y)
            return Box(x0, y0, x1, y1)
        case OrientedBox():
            return _with_corner(geometry, index, point)
        case Circle(center):
            if index == 0:
                return moved(geometry, x - center[0], y - center[1])
            return Circle(center, point)
        case Line(start, end):
            return Line(point, end) if index == 0 else Line(start, point)
        case Point():
            return Point(x, y)
        case Polygon() | LineStrip() | PointSet():
            points = list(geometry.points)
            points[index] = point
            return replace(geometry, points=tuple(points))
    raise ValueError("a mask has no points to move")


def _with_corner(box: OrientedBox, index: int, point: Vertex) -> OrientedBox:
    corners = np.array(box.points)
    before, after = corners[(index - 1) % 4], corners[(index + 1) % 4]
    fixed, target = corners[(index + 2) % 4], np.array(point)
    along, across = before - fixed, after - fixed
    if not along.any() or not across.any():
        return box
    along, across = along / np.hypot(*along), across / np.hypot(*across)
    diagonal = target - fixed
    corners[index] = target
    corners[(index - 1) % 4] = fixed + along * (diagonal @ along)
    corners[(index + 1) % 4] = fixed + across * (diagonal @ across)
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return OrientedBox((a, b, c, d))


def with_inserted(geometry: Geometry, edge: int, point: Vertex) -> Geometry:
    """A polygon or line strip with a new vertex on its edge from vertex `edge` to the next."""
    if not isinstance(geometry, Polygon | LineStrip):
        raise ValueError("only polygons and line strips take new vertices")
    points = geometry.points
    return replace(geometry, points=(*points[: edge + 1], point, *points[edge + 1 :]))


def can_lose_point(geometry: Geometry) -> bool:
    """Whether a vertex may go and leave a valid geometry of the same kind."""
    least = {Polygon: 3, LineStrip: 2, PointSet: 1}.get(type(geometry))
    return least is not None and len(geometry.points) > least  # type: ignore[union-attr]


def without_point(geometry: Geometry, index: int) -> Geometry:
    """The geometry without its vertex `index`."""
    if not can_lose_point(geometry) or not isinstance(geometry, Polygon | LineStrip | PointSet):
        raise ValueError("this shape needs all its points")
    points = geometry.points
    return replace(geometry, points=points[:index] + points[index + 1 :])


def nearest_edge(points: tuple[Vertex, ...], at: Vertex, *, closed: bool) -> tuple[int, float]:
    """The edge (index of its first vertex) nearest to a point, and the distance to it."""
    if len(points) < 2:
        return 0, float("inf")
    starts = np.array(points, float)
    ends = np.roll(starts, -1, axis=0)
    if not closed:
        starts, ends = starts[:-1], ends[:-1]
    spans = ends - starts
    squared = np.maximum((spans**2).sum(axis=1), 1e-12)
    share = np.clip(((np.array(at) - starts) * spans).sum(axis=1) / squared, 0, 1)
    distances = np.hypot(*(starts + share[:, None] * spans - np.array(at)).T)
    edge = int(distances.argmin())
    return edge, float(distances[edge])
