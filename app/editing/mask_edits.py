"""Brush strokes: which pixels they cover, and masks with them painted in or out.

A stroke is what a disc covers on its way along a chain of points: the pixels whose centre lies
within the radius of the chain. Each piece of the way is convex, so on every row it is one run of
pixels whose ends follow from the geometry; no distance is computed per pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.editing.limits import BRUSH_RADIUS
from converters.annotation import EMPTY_MASK, Mask, Vertex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

"""Below this a brush would miss pixels it passes through."""

_Runs = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]


def paint_stroke(
    mask: Mask,
    points: Sequence[Vertex],
    radius: float,
    height: int,
    width: int,
    *,
    erase: bool = False,
) -> Mask:
    """The mask with a stroke painted in, or taken out.

    Args:
        points: the way of the brush's centre, in picture coordinates; it may leave the picture.
        radius: in pixels; at least that of the smallest brush is used.
        height, width: of the picture; nothing is painted outside it.

    Returns:
        The new mask in its tightest box; `mask` itself if the stroke changes nothing.

    Raises:
        ValueError: a coordinate or the radius is not a finite number.
    """
    stroke = stroke_mask(points, radius, height, width)
    if stroke.is_empty:
        return mask
    touched = mask.window(stroke.box)
    if erase:
        if not (touched & stroke.array).any():
            return mask
        array = mask.array.copy()
        left, top = max(stroke.x0, mask.x0), max(stroke.y0, mask.y0)
        box = (left, top, min(stroke.x1, mask.x1), min(stroke.y1, mask.y1))
        part = array[box[1] - mask.y0 : box[3] - mask.y0, box[0] - mask.x0 : box[2] - mask.x0]
        part &= ~stroke.window(box)
        return _tight(mask.x0, mask.y0, array)
    if not (stroke.array & ~touched).any():
        return mask
    if not mask.array.size:
        return stroke
    x0, y0 = min(mask.x0, stroke.x0), min(mask.y0, stroke.y0)
    array = mask.window((x0, y0, max(mask.x1, stroke.x1), max(mask.y1, stroke.y1)))
    array[stroke.y0 - y0 : stroke.y1 - y0, stroke.x0 - x0 : stroke.x1 - x0] |= stroke.array
    return _tight(x0, y0, array)


def stroke_mask(points: Sequence[Vertex], radius: float, height: int, width: int) -> Mask:
    """The pixels a stroke covers inside the picture; arguments and errors as in `paint_stroke`."""
    way = np.asarray(points, np.float64).reshape(-1, 2)
    if not (np.isfinite(way).all() and np.isfinite(radius)):
        raise ValueError("a stroke needs finite coordinates and a finite radius")
    if not way.shape[0]:
        return EMPTY_MASK
    radius = max(BRUSH_RADIUS.minimum, float(radius))
    starts, ends = (way, way) if way.shape[0] == 1 else (way[:-1], way[1:])
    rows, firsts, lasts = _runs(starts, ends, radius, height)
    # The pixel under each point belongs to the stroke however thin the brush is.
    under = np.floor(np.clip(way, -1.0, max(height, width))).astype(np.int64)
    rows = np.concatenate([rows, under[:, 1]])
    firsts = np.maximum(np.concatenate([firsts, under[:, 0]]), 0)
    lasts = np.minimum(np.concatenate([lasts, under[:, 0]]), width - 1)
    inside = (firsts <= lasts) & (rows >= 0) & (rows < height)
    return _mask_of_runs(rows[inside], firsts[inside], lasts[inside])


def _mask_of_runs(rows: NDArray[np.int64], firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> Mask:
    """The union of runs of pixels, `lasts` included."""
    if not rows.size:
        return EMPTY_MASK
    x0, y0 = int(firsts.min()), int(rows.min())
    shape = int(rows.max()) + 1 - y0, int(lasts.max()) + 2 - x0
    # A run begins with +1 and ends with -1; the running sum counts the runs over a pixel.
    steps = np.bincount((rows - y0) * shape[1] + firsts - x0, minlength=shape[0] * shape[1])
    steps -= np.bincount((rows - y0) * shape[1] + lasts + 1 - x0, minlength=shape[0] * shape[1])
    covered = np.cumsum(steps.reshape(shape)[:, :-1], axis=1, dtype=np.int32) > 0
    return _tight(x0, y0, covered)


def _runs(starts: NDArray[np.float64], ends: NDArray[np.float64], radius: float, height: int) -> _Runs:
    """(row, first, last pixel) of every run of every piece of the way, inside the picture's rows.

    Args:
        starts, ends: (N, 2) end points of the pieces.
    """
    top = np.clip(np.minimum(starts[:, 1], ends[:, 1]) - radius, 0, height)
    bottom = np.clip(np.maximum(starts[:, 1], ends[:, 1]) + radius, 0, height)
    first_row = np.ceil(top - 0.5).astype(np.int64)
    counts = np.maximum(0, np.floor(bottom - 0.5).astype(np.int64) - first_row + 1)
    piece = np.repeat(np.arange(starts.shape[0]), counts)
    rows = np.arange(piece.size) - np.repeat(np.cumsum(counts) - counts, counts) + first_row[piece]
    a, b = starts[piece], ends[piece]
    y = rows + 0.5

    left, right = np.full(rows.size, np.inf), np.full(rows.size, -np.inf)
    for center in (a, b):  # the discs at both ends
        reach = np.sqrt(np.maximum(radius**2 - (y - center[:, 1]) ** 2, 0.0))
        hit = np.abs(y - center[:, 1]) <= radius
        left = np.where(hit, np.minimum(left, center[:, 0] - reach), left)
        right = np.where(hit, np.maximum(right, center[:, 0] + reach), right)
    low, high = _band(a, b, y, radius)
    left, right = (
        np.where(low <= high, np.minimum(left, low), left),
        np.where(low <= high, np.maximum(right, high), right),
    )
    some = left <= right
    firsts = np.ceil(np.clip(left[some], -1.0, 1e9) - 0.5).astype(np.int64)
    lasts = np.floor(np.clip(right[some], -1.0, 1e9) - 0.5).astype(np.int64)
    return rows[some], firsts, lasts


def _band(
    a: NDArray[np.float64], b: NDArray[np.float64], y: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where rows cross the rectangle between the discs: [low, high], low > high if they do not.

    A point p of the rectangle has 0 <= (p - a).u <= |b - a| along the way and |(p - a).n| <= radius
    across it; on a row both are bounds on x.
    """
    length = np.hypot(b[:, 0] - a[:, 0], b[:, 1] - a[:, 1])
    safe = np.where(length > 0, length, 1.0)
    ux, uy = (b[:, 0] - a[:, 0]) / safe, (b[:, 1] - a[:, 1]) / safe
    dy = y - a[:, 1]
    low, high = np.full(y.size, -np.inf), np.full(y.size, np.inf)
    for slope, offset, least, most in (
        (ux, dy * uy, np.zeros(y.size), length),
        (-uy, dy * ux, np.full(y.size, -radius), np.full(y.size, radius)),
    ):
        steep = np.abs(slope) > 1e-12  # flatter ones do not matter within any picture
        divisor = np.where(steep, slope, 1.0)
        one, other = (least - offset) / divisor, (most - offset) / divisor
        fits = (offset >= least) & (offset <= most)  # a bound that x does not enter
        low = np.where(steep, np.maximum(low, np.minimum(one, other)), np.where(fits, low, np.inf))
        high = np.where(steep, np.minimum(high, np.maximum(one, other)), np.where(fits, high, -np.inf))
    low, high = np.where(length > 0, low + a[:, 0], np.inf), np.where(length > 0, high + a[:, 0], -np.inf)
    return low, high


def _tight(x0: int, y0: int, array: NDArray[np.bool_]) -> Mask:
    array.setflags(write=False)  # ours alone: spares the mask a copy
    return Mask(x0, y0, array).cropped()
