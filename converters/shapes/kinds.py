"""What kinds of shapes there are: one row each, which the rest of the program asks.

A row tells which points make a shape, how it is made from points, how it is drawn, and what labelme and
the journals call it. From that follow moving, scaling, filling, drawing, hit-testing, clipping and
writing. A new kind is a dataclass in `converters/annotation.py` and a row here; what differs from the
common meaning (the optional fields) stands in the row, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from converters.annotation import (
    Box,
    Circle,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
)
from converters.files.budget import SHAPE_POINTS
from converters.shapes.clipping import (
    clipped_box,
    clipped_line,
    clipped_mask,
    clipped_points,
    clipped_polygon,
)
from converters.shapes.pulling import box_pulled, circle_pulled, oriented_box_pulled
from converters.shapes.rotation import ellipse_polygon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from converters.annotation import Geometry, Vertex

    Points: TypeAlias = tuple[Vertex, ...]
    FloatBox: TypeAlias = tuple[float, float, float, float]

Drawn: TypeAlias = Literal["pixels", "closed", "open", "points"]
"""Pixels of its own; an outline with an inside; lines, of which labelme paints 10 pixels; single dots."""

MAX_POINTS: Final = SHAPE_POINTS.most
"""As many points as one shape may have."""

G = TypeVar("G")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[G]):
    """One kind of shape.

    Attributes:
        shape: its dataclass.
        name: in journals and on the clipboard; never changes once it has been released.
        title: what a user reads, to be translated where it is shown.
        labelme: labelme's `shape_type`.
        counts: the least and the most points labelme's files may give it.
        drawn: what is seen of it; "pixels" and "closed" are regions.
        points: the points that make it, as drawn and as files hold them; none for pixels.
        made: the reverse of `points`; ValueError for a number of points it cannot have.
        least: how many points it keeps at least when single ones are removed; None: their number is fixed.
        flat: the journals hold its coordinates as one list, not as pairs.
        handles: the points a user pulls, where they are not `points`.
        pulled: the shape with its handle of that index at another place, where more follows than one point.
        corners: the way round it or along it, where that is not `points`.
        ellipse: centre and half axes of what is exactly an upright ellipse.
        bounds: (x0, y0, x1, y1) where it is not that of the corners or of the ellipse.
        moved: the shape shifted by (dx, dy), where that is not all its points shifted.
        clipped: its part inside a picture of (height, width), None for no part. Without it a shape stays
            whole as long as it touches the picture.
    """

    shape: type[G]
    name: str
    title: str
    labelme: str
    counts: tuple[int, int]
    drawn: Drawn
    points: Callable[[G], Points]
    made: Callable[[Points], G]
    least: int | None = None
    flat: bool = False
    handles: Callable[[G], Points] | None = None
    pulled: Callable[[G, int, Vertex], G] | None = None
    corners: Callable[[G], Points] | None = None
    ellipse: Callable[[G], tuple[Vertex, float, float]] | None = None
    bounds: Callable[[G], FloatBox] | None = None
    moved: Callable[[G, float, float], G] | None = None
    clipped: Callable[[G, int, int], G | None] | None = None

    @property
    def is_region(self) -> bool:
        """Whether it has an inside; lines and points have none."""
        return self.drawn in ("pixels", "closed")

    @property
    def is_cornered(self) -> bool:
        """Whether its corners are all there is to it: a ring that can be filled exactly."""
        return self.drawn == "closed" and self.ellipse is None


def span(points: Iterable[Vertex]) -> FloatBox:
    """(x0, y0, x1, y1) of points, in that order; zeros for none, all NaN if one coordinate is NaN."""
    listed = tuple(points)
    if not listed:
        return 0.0, 0.0, 0.0, 0.0
    xs, ys = [p[0] for p in listed], [p[1] for p in listed]
    if any(map(math.isnan, xs)) or any(map(math.isnan, ys)):
        return math.nan, math.nan, math.nan, math.nan
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def _circle_axes(circle: Circle) -> tuple[Vertex, float, float]:
    radius = math.hypot(circle.edge[0] - circle.center[0], circle.edge[1] - circle.center[1])
    return circle.center, radius, radius


def _no_mask(_points: Points) -> Mask:
    raise ValueError("a mask is made of pixels, not of points")


def _mask_moved(mask: Mask, dx: float, dy: float) -> Mask:
    return Mask(mask.x0 + round(dx), mask.y0 + round(dy), mask.array)


def _mask_bounds(mask: Mask) -> FloatBox:
    x0, y0, x1, y1 = mask.cropped().box
    return float(x0), float(y0), float(x1), float(y1)


def _box(points: Points) -> Box:
    (x0, y0), (x1, y1) = points
    return Box(x0, y0, x1, y1)


def _box_bounds(box: Box) -> FloatBox:
    return span(((box.x0, box.y0), (box.x1, box.y1)))


def _box_corners(box: Box) -> Points:
    """From the top left one to the right."""
    x0, y0, x1, y1 = _box_bounds(box)
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def _oriented_box(points: Points) -> OrientedBox:
    a, b, c, d = points
    return OrientedBox((a, b, c, d))


def _circle(points: Points) -> Circle:
    center, edge = points
    return Circle(center, edge)


def _line(points: Points) -> Line:
    start, end = points
    return Line(start, end)


def _point(points: Points) -> Point:
    ((x, y),) = points
    return Point(x, y)


def _points_inside(dots: PointSet, height: int, width: int) -> PointSet | None:
    inside = clipped_points(dots.points, height, width)
    return PointSet(inside) if inside else None


ROWS: Final[tuple[Kind[Any], ...]] = (
    Kind(
        shape=Mask,
        name="mask",
        title="mask",
        labelme="mask",
        counts=(2, 2),
        drawn="pixels",
        points=lambda _mask: (),
        made=_no_mask,
        bounds=_mask_bounds,
        moved=_mask_moved,
        clipped=clipped_mask,
    ),
    Kind(
        shape=Polygon,
        name="polygon",
        title="polygon",
        labelme="polygon",
        counts=(1, MAX_POINTS),
        drawn="closed",
        points=attrgetter("points"),
        made=Polygon,
        least=3,
        clipped=clipped_polygon,
    ),
    Kind(
        shape=Box,
        name="box",
        title="box",
        labelme="rectangle",
        counts=(2, 2),
        drawn="closed",
        points=lambda box: ((box.x0, box.y0), (box.x1, box.y1)),
        made=_box,
        flat=True,
        handles=lambda box: ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)),
        pulled=box_pulled,
        corners=_box_corners,
        bounds=_box_bounds,
        clipped=clipped_box,
    ),
    Kind(
        shape=OrientedBox,
        name="oriented_box",
        title="oriented box",
        labelme="oriented_rectangle",
        counts=(4, 4),
        drawn="closed",
        points=attrgetter("points"),
        made=_oriented_box,
        pulled=oriented_box_pulled,
    ),
    Kind(
        shape=Circle,
        name="circle",
        title="circle",
        labelme="circle",
        counts=(2, 2),
        drawn="closed",
        points=attrgetter("center", "edge"),
        made=_circle,
        pulled=circle_pulled,
        ellipse=_circle_axes,
    ),
    Kind(
        shape=Line,
        name="line",
        title="line",
        labelme="line",
        counts=(2, 2),
        drawn="open",
        points=attrgetter("start", "end"),
        made=_line,
        clipped=clipped_line,
    ),
    Kind(
        shape=LineStrip,
        name="line_strip",
        title="line strip",
        labelme="linestrip",
        counts=(1, MAX_POINTS),
        drawn="open",
        points=attrgetter("points"),
        made=LineStrip,
        least=2,
    ),
    Kind(
        shape=Point,
        name="point",
        title="point",
        labelme="point",
        counts=(1, 1),
        drawn="points",
        points=lambda point: ((point.x, point.y),),
        made=_point,
        flat=True,
        clipped=lambda point, height, width: (
            point if clipped_points(((point.x, point.y),), height, width) else None
        ),
    ),
    Kind(
        shape=PointSet,
        name="point_set",
        title="points",
        labelme="points",
        counts=(1, MAX_POINTS),
        drawn="points",
        points=attrgetter("points"),
        made=PointSet,
        least=1,
        clipped=_points_inside,
    ),
)


class KindTable:
    """Rows to be looked up by dataclass and by both names."""

    def __init__(self, rows: Iterable[Kind[Any]]) -> None:
        listed = tuple(rows)
        self.by_shape = {row.shape: row for row in listed}
        self.by_name = {row.name: row for row in listed}
        self.by_labelme = {row.labelme: row for row in listed}


TABLE = KindTable(ROWS)


def kind_of(geometry: Geometry) -> Kind[Any]:
    """The row of a shape.

    Raises:
        KeyError: it is no shape, or of a kind without a row.
    """
    return TABLE.by_shape[type(geometry)]


def kind_named(name: str) -> Kind[Any]:
    """The row with that name in journals.

    Raises:
        KeyError: there is none.
    """
    return TABLE.by_name[name]


def labelme_kind(shape_type: str) -> Kind[Any] | None:
    """The row of labelme's `shape_type`, None if there is none."""
    return TABLE.by_labelme.get(shape_type)


def is_region(geometry: Geometry) -> bool:
    """Whether the shape has an inside: masks and closed outlines, but no lines and points."""
    return kind_of(geometry).is_region


def vertices(geometry: Geometry) -> Points:
    """The points that make the shape, as drawn; none for a mask."""
    return kind_of(geometry).points(geometry)


def handles_of(geometry: Geometry) -> Points:
    """The points by which a user pulls the shape, in the order they are counted; none for a mask."""
    kind = kind_of(geometry)
    return (kind.handles or kind.points)(geometry)


def outline(geometry: Geometry) -> Points:
    """The way round a closed shape or along a line; a box starts at its top left and goes right.

    Exact but for ellipses, which get 72 points; none for a mask.
    """
    kind = kind_of(geometry)
    if kind.ellipse is not None:
        center, rx, ry = kind.ellipse(geometry)
        return ellipse_polygon(center, (rx, ry)).points
    return (kind.corners or kind.points)(geometry)


def rebuilt(geometry: G, place: Callable[[Vertex], Vertex]) -> G:
    """A shape of the same kind from its points, each put somewhere else: moved, scaled, turned over.

    Raises:
        ValueError: it is a mask, which has no points.
    """
    kind: Kind[G] = TABLE.by_shape[type(geometry)]
    return kind.made(tuple(map(place, kind.points(geometry))))


def moved(geometry: G, dx: float, dy: float) -> G:
    """The shape shifted by (dx, dy) pixels; a mask by the nearest whole ones."""
    if not dx and not dy:
        return geometry
    kind: Kind[G] = TABLE.by_shape[type(geometry)]
    if kind.moved is not None:
        return kind.moved(geometry, dx, dy)
    return rebuilt(geometry, lambda point: (point[0] + dx, point[1] + dy))
