"""Fitting colours into sRGB at fixed hue, and making room for light above white.

Clipping each channel by itself turns orange highlights yellow and blue ones magenta; lowering the
OKLCh chroma at fixed lightness and hue does not (B. Ottosson, "sRGB gamut clipping", 2021).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.recolor.color_space import LAB_TO_LMS, LMS_TO_LINEAR, FloatArray, linear_to_oklab

_TOLERANCE: Final = 1e-4  # a third of an sRGB code at black, far less elsewhere
_MILD: Final = 0.05  # of the brightness: a straight line in linear light this short shifts no hue visibly
_BISECTIONS: Final = 9
_LOWEST_KNEE: Final = 0.75  # takes level 1 to 0.875 or more: CIELAB L 95, where 0.35 took it to L 88
_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)


def fit_gamut(linear: FloatArray) -> None:
    """Bring (..., 3) contiguous linear sRGB into [0, 1] in place, hue kept, chroma lowered where needed.

    Anything lighter than white becomes white, darker than black black. Colours already inside stay
    bit for bit.
    """
    flat = linear.reshape(-1, 3)
    low = np.minimum(np.minimum(flat[:, 0], flat[:, 1]), flat[:, 2])
    high = np.maximum(np.maximum(flat[:, 0], flat[:, 1]), flat[:, 2])
    outside = np.flatnonzero((low < -_TOLERANCE) | (high > 1 + _TOLERANCE))
    if outside.size == 0:
        return
    colors = flat[outside]
    grey = np.clip(colors @ _LUMINANCE, 0.0, 1.0)
    share = _share_inside(colors, grey)
    fitted = grey[:, None] + share[:, None] * (colors - grey[:, None])
    moved = np.abs(colors - fitted).max(axis=1)
    severe = np.flatnonzero((moved > _MILD * (grey + np.float32(0.02))) & (grey < 1))
    if severe.size:
        fitted[severe] = _fit_in_oklch(colors[severe])
    flat[outside] = np.clip(fitted, 0.0, 1.0)


def _share_inside(colors: FloatArray, grey: FloatArray) -> FloatArray:
    """(N,) largest share in [0, 1] of the way from grey to each colour that stays inside [0, 1]."""
    share = np.ones_like(grey)
    for channel in colors.T:
        step = channel - grey
        room = np.where(step > 0, 1 - grey, -grey)
        np.minimum(share, np.divide(room, step, out=np.ones_like(grey), where=step != 0), out=share)
    return np.maximum(share, 0.0)


def _fit_in_oklch(colors: FloatArray) -> FloatArray:
    """Largest chroma inside sRGB at the same OKLab lightness and hue, by bisection.

    Along a line of fixed lightness and hue the cube roots of LMS are linear in the chroma share t, so
    that each channel of linear sRGB is a cubic polynomial in t: cheap to evaluate.
    """
    lab = linear_to_oklab(colors).T
    lightness = np.clip(lab[0], 0.0, 1.0)
    chroma_step = LAB_TO_LMS[:, 1:].astype(np.float32) @ lab[1:]  # (3, N) per unit of t
    matrix = LMS_TO_LINEAR.astype(np.float32)  # LAB_TO_LMS has ones in its first column
    cubic = (
        np.broadcast_to(lightness**3, chroma_step.shape).astype(np.float32),
        3 * (matrix @ (lightness**2 * chroma_step)),
        3 * (matrix @ (lightness * chroma_step**2)),
        matrix @ chroma_step**3,
    )
    low = np.zeros(len(colors), np.float32)
    high = np.ones(len(colors), np.float32)
    for _ in range(_BISECTIONS):
        middle = (low + high) * np.float32(0.5)
        red, green, blue = _evaluate(cubic, middle)
        inside = np.minimum(np.minimum(red, green), blue) >= 0
        inside &= np.maximum(np.maximum(red, green), blue) <= 1
        np.copyto(low, middle, where=inside)
        np.copyto(high, middle, where=~inside)
    return np.ascontiguousarray(_evaluate(cubic, low).T)


def _evaluate(cubic: tuple[FloatArray, ...], t: FloatArray) -> FloatArray:
    """(3, N) linear sRGB at the chroma shares t, from coefficients of rising power."""
    return np.asarray(((cubic[3] * t + cubic[2]) * t + cubic[1]) * t + cubic[0], np.float32)


def compress_highlights(level: FloatArray, peak: float) -> FloatArray:
    """Bend levels in [0, peak] into [0, 1] where peak exceeds 1; otherwise hand them back unchanged.

    Below a knee nothing moves; above it an extended Reinhard curve (E. Reinhard et al., "Photographic
    tone reproduction", 2002, eq. 4) meets the knee with slope 1 and takes `peak` to 1. The more light
    there is above white, the lower the knee, so that white cloth keeps its folds; but not so low that its
    lit surface, at level 1, would be less than paper white.
    """
    if peak <= 1.0:
        return level
    knee = max(_LOWEST_KNEE, 1.0 - 1.3 * (peak - 1.0))
    room = 1.0 - knee
    limit = (peak - knee) / room
    above = np.maximum((level - knee) / room, 0.0)
    bent = above * (1.0 + above / (limit * limit)) / (1.0 + above)
    return np.asarray(np.where(level > knee, knee + room * np.minimum(bent, 1.0), level), np.float32)
