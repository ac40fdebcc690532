"""Moving, adding and removing single points of a geometry: what the handles do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from converters.shapes.geometry import bounding_box
from converters.shapes.kinds import kind_of, vertices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converters.annotation import Geometry, Vertex
    from converters.shapes.kinds import Kind


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
    """The geometry with its handle `index` (as `handles_of` counts them) at `point`.

    A box keeps its opposite corner, an oriented box also its angle; a circle's centre takes the
    rim along.
    """
    kind = kind_of(geometry)
    if kind.pulled is not None:
        pulled: Geometry = kind.pulled(geometry, index, point)
        return pulled
    points = list(kind.points(geometry))
    if not points:
        raise ValueError("a mask has no points to move")
    points[index] = point
    return _made(kind, points)


def can_gain_point(geometry: Geometry) -> bool:
    """Whether a vertex may be put between two others: polygons and line strips."""
    kind = kind_of(geometry)
    return kind.least is not None and kind.drawn in ("closed", "open")


def with_inserted(geometry: Geometry, edge: int, point: Vertex) -> Geometry:
    """The geometry with a new vertex on its edge from vertex `edge` to the next."""
    if not can_gain_point(geometry):
        raise ValueError("only polygons and line strips take new vertices")
    points = vertices(geometry)
    return _made(kind_of(geometry), (*points[: edge + 1], point, *points[edge + 1 :]))


def can_lose_point(geometry: Geometry) -> bool:
    """Whether a vertex may go and leave a valid geometry of the same kind."""
    kind = kind_of(geometry)
    return kind.least is not None and len(kind.points(geometry)) > kind.least


def without_point(geometry: Geometry, index: int) -> Geometry:
    """The geometry without its vertex `index`."""
    if not can_lose_point(geometry):
        raise ValueError("this shape needs all its points")
    points = vertices(geometry)
    return _made(kind_of(geometry), points[:index] + points[index + 1 :])


def _made(kind: Kind[Any], points: Iterable[Vertex]) -> Geometry:
    made: Geometry = kind.made(tuple(points))
    return made


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
