"""Distances computed the plain way, to judge what the application computes cleverly."""

from __future__ import annotations

import numpy as np


def distance_to_way(way: list[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """Distance of every pixel's centre to the chain of points, the plain way."""
    y, x = np.mgrid[:height, :width] + 0.5
    best = np.full((height, width), np.inf)
    for (ax, ay), (bx, by) in zip(way, way[1:] or way, strict=False):
        dx, dy = bx - ax, by - ay
        squared = dx * dx + dy * dy
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / squared, 0, 1) if squared else np.zeros_like(x)
        best = np.minimum(best, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return best
