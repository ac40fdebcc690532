"""Seeds without clicks: the peaks of a seediness map (Fathi et al., arXiv 1703.10277, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SEEDINESS = 0.25
PEAK_DISTANCE = 5  # cells; a seed is the maximum of the square of this width around it
MAX_SEEDS = 256


def seed_peaks(seediness: NDArray[np.float32]) -> list[tuple[int, int]]:
    """(row, column) of local maxima of an (h, w) map, best first."""
    smooth = cv2.GaussianBlur(seediness, (0, 0), 1.0)
    width = 2 * (PEAK_DISTANCE // 2) + 1
    highest = cv2.dilate(smooth, np.ones((width, width), np.uint8))
    rows, columns = np.nonzero((smooth >= highest) & (smooth >= MIN_SEEDINESS))
    order = np.argsort(-smooth[rows, columns], kind="stable")[:MAX_SEEDS]
    return [(int(rows[i]), int(columns[i])) for i in order]
