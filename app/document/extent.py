"""Which pixels an object can touch on screen: the boxes that an edit makes the canvas repaint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from converters.annotation import Mask
from converters.shapes.geometry import bounding_box
from converters.shapes.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converters.annotation import Geometry

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
    kind = kind_of(geometry)
    box = bounding_box(geometry)
    if not kind.points(geometry) or not all(map(math.isfinite, box)):
        return None
    margin = OUTLINE_MARGIN if kind.is_region else STROKE_MARGIN
    return (
        math.floor(box[0]) - margin,
        math.floor(box[1]) - margin,
        math.floor(box[2]) + 1 + margin,
        math.floor(box[3]) + 1 + margin,
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
