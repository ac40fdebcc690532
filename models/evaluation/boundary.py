"""How well a mask's outline follows the true one: the F-score of boundary pixels.

Precision is the share of the predicted outline that lies within a tolerance of the true one, recall the
share of the true outline within it of the predicted one (Csurka et al., BMVC 2013; DAVIS, Perazzi et al.,
CVPR 2016).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BoolImage = NDArray[np.bool_]

TOLERANCE = 2  # pixels


def outline(mask: BoolImage) -> BoolImage:
    """Pixels of an (H, W) mask with a neighbour outside it; the picture's border is no outline."""
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(mask & (eroded == 0))


def boundary_f_score(predicted: BoolImage, truth: BoolImage, *, tolerance: int = TOLERANCE) -> float:
    """F-score in [0, 1] of two (H, W) masks' outlines; 1 if both have none, 0 if only one has.

    Args:
        tolerance: Euclidean distance in pixels up to which outlines count as the same.
    """
    found, wanted = outline(predicted), outline(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = np.count_nonzero(found & _near(wanted, tolerance)) / np.count_nonzero(found)
    recall = np.count_nonzero(wanted & _near(found, tolerance)) / np.count_nonzero(wanted)
    total = precision + recall
    return float(2.0 * precision * recall / total) if total else 0.0


def _near(pixels: BoolImage, distance: int) -> BoolImage:
    away = cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= distance)
