"""Crack following: the borders of a binary region as rings along the edges between pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]


def trace_rings(region: NDArray[np.bool_]) -> list[tuple[Ring, list[Ring]]]:
    """Every 4-connected part as (outer ring, rings of its holes), in reading order.

    Args:
        region: (H, W) bool.

    Returns:
        Rings as (N, 2) integer corners (x, y) with 0 <= x <= W and 0 <= y <= H, only where the
        border turns; outer rings and holes start at their topmost, then leftmost corner.

    Method: a grid corner where the border turns has exactly one partner along its row and one along
    its column: the corners of a row, sorted, are the ends of horizontal border runs two by two, and
    so are those of a column. Rings are the cycles that follow the two pairings in turn. Where two
    pixels touch only at a corner, that corner counts twice and the pairing keeps them apart, so a
    ring never crosses another or itself.
    """
    if not region.any():
        return []
    x, y, twin_order = _corners(region)
    count = x.size
    # Corners come row by row, so horizontal partners are simply neighbours.
    horizontal = np.arange(count) ^ 1
    by_column = np.lexsort((twin_order, y, x))
    vertical = np.empty(count, np.int64)
    vertical[by_column[0::2]] = by_column[1::2]
    vertical[by_column[1::2]] = by_column[0::2]
    rings = [np.stack([x[ring], y[ring]], axis=1) for ring in _cycles(horizontal.tolist(), vertical.tolist())]
    return _nested(rings, region)


def _corners(region: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(x, y, order): turning points row by row; `order` sorts the two of a diagonal contact by column."""
    cells = np.pad(region.astype(np.int8), 1)
    top_left, top_right = cells[:-1, :-1], cells[:-1, 1:]
    bottom_left, bottom_right = cells[1:, :-1], cells[1:, 1:]
    turns = (top_left + top_right + bottom_left + bottom_right) & 1
    falling = (top_left & bottom_right) & ((top_right | bottom_left) ^ 1)
    rising = (top_right & bottom_left) & ((top_left | bottom_right) ^ 1)
    repeats = turns + 2 * (falling | rising)
    y, x = np.nonzero(repeats)
    times = repeats[y, x]
    # Falling diagonal: the left run belongs to the upper pixel, so left goes with up. Rising: reverse.
    swaps = np.repeat(rising[y, x], times)
    x, y = np.repeat(x, times), np.repeat(y, times)
    second = np.zeros(x.size, np.int64)
    second[1:] = (x[1:] == x[:-1]) & (y[1:] == y[:-1])
    return x.astype(np.int64), y.astype(np.int64), second ^ swaps


def _cycles(horizontal: list[int], vertical: list[int]) -> list[list[int]]:
    """The rings, each starting at its first corner in reading order and going right."""
    seen = bytearray(len(horizontal))
    cycles: list[list[int]] = []
    for start in range(len(horizontal)):
        if seen[start]:
            continue
        cycle: list[int] = []
        corner = start
        while not seen[corner]:
            across = horizontal[corner]
            seen[corner] = seen[across] = 1
            cycle += (corner, across)
            corner = vertical[across]
        cycles.append(cycle)
    return cycles


def _nested(rings: list[Ring], region: NDArray[np.bool_]) -> list[tuple[Ring, list[Ring]]]:
    """Give each hole to the part around it."""
    if len(rings) == 1:
        return [(rings[0], [])]
    _, parts = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    found: dict[int, tuple[Ring, list[Ring]]] = {}
    holes: list[tuple[int, Ring]] = []
    for ring in rings:
        x, y = int(ring[0, 0]), int(ring[0, 1])
        if region[y, x]:  # the pixel just inside the first corner is set: an outer ring
            found[int(parts[y, x])] = (ring, [])
        else:
            holes.append((int(parts[y - 1, x]), ring))
    for part, hole in holes:
        found[part][1].append(hole)
    return list(found.values())
