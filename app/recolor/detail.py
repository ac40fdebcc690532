"""Splitting a plane of levels into smooth shading, fine texture and noise."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from app.recolor.color_space import FloatArray, code_width

_NO_WEIGHT: Final = np.float32(1e-6)
_NO_SPREAD: Final = np.float32(1e-20)


def mean_levels(level: FloatArray, weight: FloatArray, radius: int) -> FloatArray:
    """(h, w) weighted mean over a window of that radius; 0 hands the plane back."""
    if radius == 0:
        return level
    size = (2 * radius + 1, 2 * radius + 1)
    share = np.maximum(cv2.boxFilter(weight, cv2.CV_32F, size), _NO_WEIGHT)
    return np.asarray(cv2.boxFilter(level * weight, cv2.CV_32F, size) / share)


def smooth_levels(level: FloatArray, weight: FloatArray, radius: int, variance: FloatArray) -> FloatArray:
    """Guided filter of a plane by itself, blind to pixels of weight 0.

    Variation well below `variance` is averaged away, steps well above it stay (K. He, J. Sun, X. Tang,
    "Guided image filtering", TPAMI 2013, with I = p).

    Args:
        level: (h, w) levels.
        weight: (h, w) in [0, 1]; what lies outside the object must not bleed in.
        radius: of the square window.
        variance: (h, w) or a scalar array: squared amplitude below which variation counts as detail.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    share = np.maximum(cv2.boxFilter(weight, cv2.CV_32F, size), _NO_WEIGHT)
    weighted = level * weight
    mean = cv2.boxFilter(weighted, cv2.CV_32F, size) / share
    power = cv2.boxFilter(weighted * level, cv2.CV_32F, size) / share
    spread = np.maximum(power - mean * mean, 0.0)
    slope = spread / (spread + variance + _NO_SPREAD)
    offset = mean * (1 - slope)
    slope = cv2.boxFilter(slope * weight, cv2.CV_32F, size) / share
    offset = cv2.boxFilter(offset * weight, cv2.CV_32F, size) / share
    return np.asarray(slope * level + offset, np.float32)


def noise_variance(level: FloatArray, weight: FloatArray, radius: int, codes: float) -> FloatArray:
    """(h, w) variance that noise of `codes` sRGB code values has at the local mean level."""
    mean = mean_levels(level, weight, radius)
    return np.asarray((np.float32(codes) * code_width(mean)) ** 2)
