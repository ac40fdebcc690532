"""Telling smooth shading from fine texture and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.recolor.color_space import FloatArray

_NO_WEIGHT: Final = np.float32(1e-6)
_NO_SPREAD: Final = np.float32(1e-20)


def mean_levels(level: FloatArray, weight: FloatArray, radius: int) -> FloatArray:
    """(h, w) weighted mean over a window of that radius; 0 hands the plane back."""
    if radius == 0:
        return level
    size = (2 * radius + 1, 2 * radius + 1)
    share = np.maximum(cv2.boxFilter(weight, cv2.CV_32F, size), _NO_WEIGHT)
    return np.asarray(cv2.boxFilter(level * weight, cv2.CV_32F, size) / share)


def smooth_levels(
    level: FloatArray, weight: FloatArray, radius: int, amplitude: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Guided filter of a plane by itself, blind to pixels of weight 0.

    Variation well below `amplitude` is averaged away, steps well above it stay (K. He, J. Sun, X. Tang,
    "Guided image filtering", TPAMI 2013, with I = p).

    Args:
        level: (h, w) levels.
        weight: (h, w) in [0, 1]; what lies outside the object must not bleed in.
        radius: of the square window.
        amplitude: from (h, w) local means to the deviation that counts as detail there.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    inverse = 1 / np.maximum(cv2.boxFilter(weight, cv2.CV_32F, size), _NO_WEIGHT)
    weighted = level * weight
    mean = cv2.boxFilter(weighted, cv2.CV_32F, size) * inverse
    power = cv2.boxFilter(weighted * level, cv2.CV_32F, size) * inverse
    spread = np.maximum(power - mean * mean, 0.0)
    detail = amplitude(np.asarray(mean, np.float32))
    slope = spread / (spread + detail * detail + _NO_SPREAD)
    offset = mean * (1 - slope)
    slope = cv2.boxFilter(slope * weight, cv2.CV_32F, size) * inverse
    offset = cv2.boxFilter(offset * weight, cv2.CV_32F, size) * inverse
    return np.asarray(slope * level + offset, np.float32)
