"""Removes specks: small islands and holes that nobody clicked."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.inference.seed_answer import Grid

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
    inside = (field > 0).astype(np.uint8)
    area = int(inside.sum())
    if area == 0:
        return field
    limit = max(LEAST_CELLS, round(SHARE * area))
    out = field.copy()
    out[_small_parts(inside, limit, clicked, connectivity=8, may_touch_border=True)] = -CLEARANCE
    out[_small_parts(1 - inside, limit, clicked, connectivity=4, may_touch_border=False)] = CLEARANCE
    return out


def _small_parts(
    parts: NDArray[np.uint8],
    limit: int,
    clicked: Sequence[tuple[int, int]],
    *,
    connectivity: int,
    may_touch_border: bool,
) -> NDArray[np.bool_]:
    """(h, w) bool: connected parts of fewer than `limit` cells without a click in them."""
    height, width = parts.shape
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(parts, connectivity=connectivity)
    small = stats[:, cv2.CC_STAT_AREA] < limit
    small[0] = False
    small[[int(numbers[cell]) for cell in clicked]] = False
    if not may_touch_border:
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        small &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    return np.asarray(small[numbers]) if small.any() else np.zeros_like(parts, np.bool_)
