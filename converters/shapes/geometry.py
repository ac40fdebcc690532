"""Shapes to pixels and pixels to shapes, and arithmetic on masks.

Two fill rules meet here, and every function says which one it follows:

- "labelme": what labelme and its `json_to_dataset` do, PIL's drawing with `outline=1, fill=1`.
  Vertices are cut to whole pixels and the border pixels belong to the shape, so a box from
  (0, 0) to (10, 10) covers 11 x 11 pixels. Lines are 10 pixels wide, points discs of radius 5.
- "centers": a pixel belongs to the region when its centre does (even-odd). The same box covers
  10 x 10 pixels. Only this rule gives back the mask that `mask_to_rings` traced.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw

from converters.annotation import Mask, Polygon
from converters.shapes.kinds import kind_of, outline, span
from converters.shapes.rings import trace_rings
from converters.shapes.rle import decode_rle, encode_rle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from converters.annotation import Geometry, Vertex
    from converters.shapes.kinds import FloatBox

__all__ = [
    "FillRule",
    "bounding_box",
    "decode_rle",
    "difference",
    "encode_rle",
    "fill_holes",
    "fill_rings",
    "intersection",
    "join_rings",
    "joined_outline",
    "largest_part",
    "mask_iou",
    "mask_to_rings",
    "rasterize",
    "union",
    "xor",
]

FillRule: TypeAlias = Literal["labelme", "centers"]

LINE_WIDTH = 10
POINT_RADIUS = 5
_REACH = {"open": LINE_WIDTH, "points": POINT_RADIUS}

# Beyond this PIL's integer arithmetic overflows; no picture reaches it.
_FAR = 1_000_000.0
_EMPTY = np.zeros((0, 0), np.bool_)
# Pixels; PIL draws such an ellipse in a hundredth of a second, one ten times as large in half a minute.
_LARGEST_DRAWN_RADIUS = 100_000.0


def rasterize(geometry: Geometry, height: int, width: int, *, rule: FillRule = "labelme") -> Mask:
    """The pixels of a picture of that size that the shape covers, in their tightest box.

    A `Mask` is only clipped: exact. Shapes that are nothing but corners follow `rule`. Circles, lines
    and points have no exact pixel form and are always drawn as labelme draws them.

    Raises:
        ValueError: a coordinate is not finite.
    """
    if isinstance(geometry, Mask):
        return geometry.clipped(height, width)
    if not all(map(math.isfinite, bounding_box(geometry))):
        raise ValueError("a shape with a coordinate that is not finite has no pixels")
    if rule == "centers" and kind_of(geometry).is_cornered:
        return fill_rings([outline(geometry)], height, width)
    return _drawn(geometry, height, width)


def fill_rings(rings: Iterable[Sequence[Vertex]], height: int, width: int) -> Mask:
    """Rings filled together by the even-odd rule at pixel centres, clipped to the picture.

    Exact: a pixel belongs to the region when a ray from its centre crosses the rings an odd number of
    times. The inverse of `mask_to_rings` (hand over outer rings and holes alike).
    """
    edges = [_edges(ring) for ring in rings if len(ring) >= 2]
    if not edges:
        return Mask(0, 0, _EMPTY)
    x_start, y_start, x_end, y_end = np.concatenate(edges, axis=1)
    if not x_start.size:  # nothing but level edges: no height, no pixels
        return Mask(0, 0, _EMPTY)
    y_low, y_high = np.minimum(y_start, y_end), np.maximum(y_start, y_end)
    top = max(0, math.ceil(float(y_low.min()) - 0.5))
    bottom = min(height, math.ceil(float(y_high.max()) - 0.5))
    left = max(0, math.floor(min(float(x_start.min()), float(x_end.min()))))
    right = min(width, math.ceil(max(float(x_start.max()), float(x_end.max()))))
    if top >= bottom or left >= right:
        return Mask(0, 0, _EMPTY)
    # Rows whose centre line an edge crosses: half open, so that a shared vertex counts once.
    first = np.clip(np.ceil(y_low - 0.5), top, bottom).astype(np.int64)
    last = np.clip(np.ceil(y_high - 0.5), top, bottom).astype(np.int64)
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(counts.size), counts)
    row = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (x_end - x_start)[edge] / (y_end - y_start)[edge]
    crossing = x_start[edge] + (row + 0.5 - y_start[edge]) * slope
    column = np.clip(np.ceil(crossing - 0.5), left, right).astype(np.int64)
    columns = right - left + 1
    toggles = np.bincount((row - top) * columns + (column - left), minlength=(bottom - top) * columns)
    inside = np.cumsum(toggles.reshape(bottom - top, columns), axis=1)[:, :-1] & 1
    return Mask(left, top, inside.astype(np.bool_)).cropped()


def bounding_box(geometry: Geometry) -> FloatBox:
    """(x0, y0, x1, y1) of the ideal shape, x0 <= x1 and y0 <= y1; of a mask the half-open pixel box.

    Lines and points count as infinitely thin here.
    """
    kind = kind_of(geometry)
    if kind.bounds is not None:
        return kind.bounds(geometry)
    if kind.ellipse is not None:
        (x, y), rx, ry = kind.ellipse(geometry)
        return x - rx, y - ry, x + rx, y + ry
    return span((kind.corners or kind.points)(geometry))


def mask_to_rings(mask: Mask, tolerance: float = 0.0) -> list[tuple[Polygon, list[Polygon]]]:
    """The mask's parts, each as its outer ring and the rings of its holes.

    Parts are 4-connected. Rings run along the cracks between pixels, so at tolerance 0 every vertex
    is a pixel corner and `fill_rings` gives back the same mask. A greater tolerance (pixels) lets
    Douglas and Peucker's simplification move the border by up to that much; rings that collapse
    to fewer than three vertices keep their exact form.
    """
    parts = trace_rings(mask.array)
    return [
        (
            _ring_polygon(outer, mask, tolerance),
            [_ring_polygon(hole, mask, tolerance) for hole in holes],
        )
        for outer, holes in parts
    ]


def join_rings(rings: Sequence[Polygon]) -> Polygon:
    """Several rings as one, joined by cuts of no width: the same region under the even-odd rule.

    Formats with one ring per object (YOLO) carry holes and several parts this way.
    """
    if len(rings) == 1:
        return rings[0]
    hub = rings[0].points[0]
    points: list[Vertex] = list(rings[0].points)
    for ring in rings[1:]:
        points.append(hub)
        points.extend(ring.points)
        points.append(ring.points[0])
    return Polygon(tuple(points))


def joined_outline(mask: Mask) -> tuple[Polygon | None, int]:
    """All rings of a mask as one polygon (None for an empty mask), and how many were joined."""
    rings = [ring for outer, holes in mask_to_rings(mask) for ring in (outer, *holes)]
    return (join_rings(rings) if rings else None), len(rings)


def mask_iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks in [0, 1]; two empty masks agree perfectly."""
    shared = intersection(a, b).area
    total = a.area + b.area - shared
    return shared / total if total else 1.0


def union(a: Mask, b: Mask) -> Mask:
    """Pixels of either mask."""
    box = _joint_box(a, b)
    return Mask(box[0], box[1], a.window(box) | b.window(box)).cropped()


def intersection(a: Mask, b: Mask) -> Mask:
    """Pixels of both masks."""
    box = (max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    return Mask(box[0], box[1], a.window(box) & b.window(box)).cropped()


def difference(a: Mask, b: Mask) -> Mask:
    """Pixels of `a` that are not in `b`."""
    return Mask(a.x0, a.y0, a.array & ~b.window(a.box)).cropped()


def xor(a: Mask, b: Mask) -> Mask:
    """Pixels of exactly one of the two masks."""
    box = _joint_box(a, b)
    return Mask(box[0], box[1], a.window(box) ^ b.window(box)).cropped()


def largest_part(mask: Mask) -> Mask:
    """The 8-connected part with the most pixels; of equals the first in reading order."""
    if mask.is_empty:
        return mask.cropped()
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.array.astype(np.uint8), connectivity=8)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return Mask(mask.x0, mask.y0, parts == best).cropped()


def fill_holes(mask: Mask) -> Mask:
    """The mask with every background part closed that does not reach its outside (4-connected)."""
    background = np.pad(~mask.array, 1, constant_values=True).astype(np.uint8)
    _, parts = cv2.connectedComponents(background, connectivity=4)
    return Mask(mask.x0, mask.y0, (parts != parts[0, 0])[1:-1, 1:-1]).cropped()


def _edges(ring: Sequence[Vertex]) -> NDArray[np.float64]:
    """(4, N): x and y of the start and the end of every edge that is not horizontal."""
    start = np.asarray(ring, np.float64)
    end = np.roll(start, -1, axis=0)
    edges = np.stack([start[:, 0], start[:, 1], end[:, 0], end[:, 1]])
    return edges[:, edges[1] != edges[3]]


def _drawn(geometry: Geometry, height: int, width: int) -> Mask:
    """The shape as labelme draws it, painted only in the rows and up to the column it reaches.

    The canvas keeps the picture's left edge: PIL computes a polygon's borders in single precision,
    and columns shifted to the left would now and then round to another pixel.
    """
    x0, y0, x1, y1 = bounding_box(geometry)
    reach = _REACH.get(kind_of(geometry).drawn, 1) + 1
    top = max(0, math.floor(min(y0 - reach, height)))
    bottom = min(height, math.ceil(max(y1 + reach, 0.0)))
    left = max(0, math.floor(min(x0 - reach, width)))
    right = min(width, math.ceil(max(x1 + reach, 0.0)))
    if left >= right or top >= bottom:
        return Mask(0, 0, _EMPTY)
    ellipse = kind_of(geometry).ellipse
    if ellipse is not None and max(ellipse(geometry)[1:]) > _LARGEST_DRAWN_RADIUS:
        return _part_of_oval(*ellipse(geometry), (left, top, right, bottom))
    canvas = Image.new("L", (right, bottom - top))
    _paint(ImageDraw.Draw(canvas), geometry, top)
    return Mask(left, top, np.asarray(canvas)[:, left:] != 0).cropped()


def _part_of_oval(center: Vertex, rx: float, ry: float, box: tuple[int, int, int, int]) -> Mask:
    """What lies in the box (x0, y0, x1, y1) of an ellipse larger than any picture: its extent in every row.

    PIL goes round the whole ellipse, which takes longer the larger it is.
    """
    left, top, right, bottom = box
    height = (np.arange(top, bottom) - center[1]) / max(ry, 0.5)
    half = np.sqrt(np.maximum(0.0, 1.0 - height * height))[:, None] * rx
    columns = np.arange(left, right)
    inside = (np.abs(columns - center[0]) <= half) & (np.abs(height) <= 1.0)[:, None]
    return Mask(left, top, inside).cropped()


def _paint(draw: ImageDraw.ImageDraw, geometry: Geometry, top: int) -> None:
    """Draw onto a canvas that begins at row `top`.

    PIL cuts coordinates towards zero, so they are cut before the shift: a vertex at -0.5 would
    otherwise land on another pixel.
    """

    def placed(points: Iterable[Vertex]) -> list[tuple[int, int]]:
        return [(_whole(x), _whole(y) - top) for x, y in points]

    def oval(center: Vertex, rx: float, ry: float) -> None:
        x, y = center
        draw.ellipse([*placed([(x - rx, y - ry)]), *placed([(x + rx, y + ry)])], outline=1, fill=1)

    kind = kind_of(geometry)
    if kind.ellipse is not None:
        oval(*kind.ellipse(geometry))
    elif kind.drawn == "points":
        for point in kind.points(geometry):
            oval(point, POINT_RADIUS, POINT_RADIUS)
    elif kind.drawn == "open":
        draw.line(placed(outline(geometry)), fill=1, width=LINE_WIDTH)
    else:
        corners = placed(outline(geometry))
        if len(corners) == 1:
            draw.point(corners, fill=1)
        elif corners:
            draw.polygon(corners, outline=1, fill=1)


def _whole(value: float) -> int:
    return int(min(max(value, -_FAR), _FAR))


def _ring_polygon(ring: NDArray[np.int64], mask: Mask, tolerance: float) -> Polygon:
    points: NDArray[Any] = ring + np.array([mask.x0, mask.y0])
    if tolerance > 0:
        simple = cv2.approxPolyDP(points.astype(np.float32).reshape(-1, 1, 2), tolerance, True).reshape(-1, 2)
        points = simple if len(simple) >= 3 else points
    return Polygon(tuple((float(x), float(y)) for x, y in points.tolist()))


def _joint_box(a: Mask, b: Mask) -> tuple[int, int, int, int]:
    if not a.array.size:
        return b.box
    if not b.array.size:
        return a.box
    return min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1)
