"""Removes specks: small islands and holes that nobody clicked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.seednet.click.seed_answer import Grid

SHARE = 0.05  # of the region's area; what is smaller is a speck
LEAST_CELLS = 3
CLEARANCE = 0.05  # logits by which a speck's cells end on the other side of the border


def remove_specks(field: Grid, clicked: Sequence[tuple[int, int]]) -> Grid:
    """Lower small islands of a region below its border and lift its small holes above it.

    One map is changed, not one mask, so a slider over it still only grows or only shrinks the region.

    Args:
        field: (h, w) logits relative to the border.
        clicked: (row, column) cells that seeds fall on; the parts they lie in stay as they are.
    """
    islands, holes = _specks(field, clicked)
    out = field.copy()
    for specks, value in ((islands, -CLEARANCE), (holes, CLEARANCE)):
        if specks.are_specks.any():
            out[specks.window][specks.are_specks[specks.numbers]] = value
    return out


def area_without_specks(field: Grid, clicked: Sequence[tuple[int, int]]) -> int:
    """How many cells of `remove_specks` of the same are above the border."""
    islands, holes = _specks(field, clicked)
    return int(np.count_nonzero(field > 0)) - islands.area + holes.area


@dataclass(frozen=True, slots=True)
class _Parts:
    """The connected parts of a mask.

    Attributes:
        window: rows and columns in which all specks lie.
        numbers: of the window, int32, the part of each cell; 0 is everything else.
        areas: (n,) cells of each part.
        are_specks: (n,) bool.
    """

    window: tuple[slice, slice]
    numbers: NDArray[np.int32]
    areas: NDArray[np.int32]
    are_specks: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Of all specks together."""
        return int(self.areas[self.are_specks].sum())


def _specks(field: Grid, clicked: Sequence[tuple[int, int]]) -> tuple[_Parts, _Parts]:
    """The islands and the holes of what is above the border."""
    inside = (field > 0).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(inside)
    # With what surrounds it, so that what is no hole is connected.
    rows, columns = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    here = [
        (row - rows.start, column - columns.start)
        for row, column in clicked
        if rows.start <= row < rows.stop and columns.start <= column < columns.stop
    ]
    inside = inside[rows, columns]
    limit = max(LEAST_CELLS, round(SHARE * cv2.countNonZero(inside)))
    islands = _small_parts(inside, (rows, columns), limit, here, connectivity=8, may_touch_border=True)
    return islands, _small_parts(
        1 - inside, (rows, columns), limit, here, connectivity=4, may_touch_border=False
    )


def _small_parts(
    parts: NDArray[np.uint8],
    window: tuple[slice, slice],
    limit: int,
    clicked: Sequence[tuple[int, int]],
    *,
    connectivity: int,
    may_touch_border: bool,
) -> _Parts:
    """Connected parts; specks are those of fewer than `limit` cells without a click in them."""
    height, width = parts.shape
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(parts, connectivity=connectivity)
    areas = stats[:, cv2.CC_STAT_AREA]
    small = areas < limit
    small[0] = False
    small[[int(numbers[cell]) for cell in clicked]] = False
    if not may_touch_border:
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        small &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    return _Parts(window, np.asarray(numbers, np.int32), np.asarray(areas, np.int32), np.asarray(small))
