"""What an object looks like in linear light: body colour x shading + highlights + colour variation.

Dichromatic reflection (S. Shafer, "Using color to separate reflection components", 1985): a pixel is
    p = u·c + s·w + v
with the body colour c, the light's colour w, the body level u, the highlight level s, and a rest v of
colour variation that has no level of its own. Levels are measured by the matched filter
u(p) = p·c / c·c, so that a blue object is not judged by its dark, noisy green channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.recolor.detail import mean_levels

if TYPE_CHECKING:
    from app.recolor.color_space import FloatArray

Vector = NDArray[np.float64]

_REFERENCE_PERCENTILE: Final = 60.0
_MID_TONES: Final = (35.0, 75.0)  # percentiles of luminance: away from deep shadow and from highlights
_NEUTRAL_ANGLE: Final = (5.0, 12.0)  # degrees between body and light: below, colours cannot be split
_NOISY_LEVELS: Final = (0.002, 0.008)  # linear: below, an object's hue is noise
_WEAK_COLOR: Final = 35.0  # degrees
_BLACK_LEVEL: Final = 0.015
_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722])
_DARKEST_LEVEL: Final = 1e-4  # a third of the first sRGB code: keeps ratios finite on pure black


@dataclass(frozen=True, slots=True)
class BodyModel:
    """How one object's pixels split.

    Attributes:
        color: (3,) linear body colour at level 1 (brightest channel 1).
        light: (3,) linear colour of highlights, scaled so that its level u is 1.
        whitening, cross: (3,) unit vectors that carry no level: from the body colour towards the light,
            and across. With the body colour they form an orthogonal basis.
        whitening_length: |light - color|.
        share_radius: window in which the highlight's share is averaged: weak colours show it only
            through chroma, which JPEG stores coarsely.
        reference: body level of the lit surface, where the target colour is put.
        chromaticity: 0 neutral object (highlights are its brightest tail) to 1 coloured (highlights
            are what is whiter than the body).
        dead_zone: share of the body level that counts as colour variation, not as highlight.
        tail: level above which a neutral object's light is highlight.
        brightest: highest level, highlights included.
        top: 99.5th percentile of the body level.
    """

    color: Vector
    light: Vector
    whitening: Vector
    cross: Vector
    whitening_length: float
    chromaticity: float
    dead_zone: float = 0.02
    tail: float = math.inf
    brightest: float = 0.0
    share_radius: int = 0
    reference: float = 1.0
    top: float = 1.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) rows giving (u, along `whitening`, along `cross`) of a linear pixel."""
        return np.stack([self.color / (self.color @ self.color), self.whitening, self.cross])

    def split(
        self, linear: FloatArray, weight: FloatArray, radius: int
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Four (h, w) planes: body level u, highlight level s, colour variation along `whitening` and
        along `cross`.

        Args:
            linear: (h, w, 3) linear light.
            weight: (h, w) in [0, 1]; pixels of weight 0 do not influence their neighbours.
            radius: of the window that tells the highlights of a neutral object from its texture.
        """
        rotated = cv2.transform(linear, self.matrix.astype(np.float32))
        level, whitening, across = (np.asarray(plane, np.float32) for plane in cv2.split(rotated))
        highlight = self._highlight(level, whitening, weight, radius)
        level -= highlight
        whitening -= highlight * np.float32(self.whitening_length)
        return level, highlight, whitening, across

    def _highlight(
        self, level: FloatArray, whitening: FloatArray, weight: FloatArray, radius: int
    ) -> FloatArray:
        """(h, w) highlight level."""
        total = np.zeros_like(level)
        if self.chromaticity > 0:
            whiter = whitening * np.float32(1 / self.whitening_length)
            body = np.maximum(level - whiter, 0.0)
            excess = np.maximum(whiter - np.float32(self.dead_zone) * body, 0.0)
            if self.share_radius:
                safe = np.maximum(level, np.float32(_DARKEST_LEVEL))
                excess = level * mean_levels(np.asarray(excess / safe), weight, self.share_radius)
            total += np.float32(self.chromaticity) * excess
        if self.shines_neutrally:
            shading = mean_levels(level, weight, radius)
            excess = np.maximum(shading - np.float32(self.tail), 0.0)
            # The quadratic start gives the highlight a soft rim; as a share, it takes its part of texture.
            excess *= excess / (excess + np.float32(0.2 * self.tail))
            share = excess / np.maximum(shading, np.float32(_DARKEST_LEVEL))
            total += np.float32(1 - self.chromaticity) * level * share
        return np.asarray(np.minimum(total, np.maximum(level, 0.0)), np.float32)

    @property
    def shines_neutrally(self) -> bool:
        """Whether brightness alone marks some highlights, which takes a look at the surroundings."""
        return self.chromaticity < 1 and self.tail < self.brightest


def analyse_body(samples: FloatArray) -> BodyModel:
    """Fit a model to (N, 3) linear pixels from the core of an object, N > 0."""
    pixels = samples.astype(np.float64)
    model = _basis(_body_color(pixels))
    level, whitening, _ = (pixels @ model.matrix.T).T
    model = replace(
        model,
        dead_zone=_dead_zone(model, level, whitening),
        tail=_neutral_tail(level),
        brightest=float(level.max()),
    )
    column = np.ascontiguousarray(samples.reshape(-1, 1, 3), np.float32)
    alone = replace(model, share_radius=0)  # samples have no neighbours
    body = alone.split(column, np.ones(column.shape[:2], np.float32), 0)[0]
    reference = max(float(np.percentile(body, _REFERENCE_PERCENTILE)), _DARKEST_LEVEL)
    return replace(model, reference=reference, top=max(float(np.percentile(body, 99.5)), reference))


def _basis(color: Vector) -> BodyModel:
    """The model of a body colour, its levels not yet measured.

    The light is white, as white balance makes it. Measuring it on the highlights themselves fails just
    where it would matter: next to a strongly coloured body one channel is clipped or mostly body.
    """
    light = np.full(3, (color @ color) / color.sum())
    whitening = light - color
    length = float(np.linalg.norm(whitening))
    if length < 1e-6:  # exactly neutral: any direction without a level will do
        whitening, length = np.array([1.0, -1.0, 0.0]), 0.0
    cross = np.cross(color, whitening)
    angle = _angle(color, light)
    return BodyModel(
        color=color,
        light=light,
        whitening=whitening / np.linalg.norm(whitening),
        cross=cross / np.linalg.norm(cross),
        whitening_length=length,
        chromaticity=_smooth_step(angle, *_NEUTRAL_ANGLE),
        share_radius=2 if angle < _WEAK_COLOR else 0,
    )


def _dead_zone(model: BodyModel, level: NDArray[np.float64], whitening: NDArray[np.float64]) -> float:
    """Three robust deviations of (whiter part / body): natural variation is not a highlight."""
    if model.chromaticity == 0:
        return 0.0
    whiter = whitening / model.whitening_length
    ratio = whiter / np.maximum(level - whiter, _DARKEST_LEVEL)
    middle = float(np.median(ratio))
    spread = float(np.median(np.abs(ratio - middle)))
    return float(np.clip(max(middle, 0.0) + 3.0 * spread, 0.02, 0.5))


def _body_color(pixels: NDArray[np.float64]) -> Vector:
    """(3,) median colour of the mid-tones, brightest channel 1; the hue of very dark objects is noise,
    so that they count as neutral."""
    luminance = pixels @ _LUMINANCE
    low, high = np.percentile(luminance, _MID_TONES)
    middle = pixels[(luminance >= low) & (luminance <= high)]
    total = middle.sum(axis=1, keepdims=True)
    lit = total[:, 0] > 0
    if not lit.any():
        return np.ones(3)
    color: Vector = np.median(middle[lit] / total[lit], axis=0)
    color /= color.max()
    brightness = float(np.percentile(pixels.max(axis=1), _REFERENCE_PERCENTILE))
    return 1 + _smooth_step(brightness, *_NOISY_LEVELS) * (color - 1)


def _angle(first: Vector, second: Vector) -> float:
    """Degrees between two colours."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _smooth_step(value: float, start: float, end: float) -> float:
    t = min(max((value - start) / (end - start), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _neutral_tail(level: NDArray[np.float64]) -> float:
    """Level above which a neutral surface is taken to shine.

    Shading alone spreads levels about evenly, so its top is where the run from the median to the 90th
    percentile would end; cloth in patchy light deserves the benefit of the doubt (factor 1.35).
    """
    median, upper, high = np.percentile(level, (50.0, 75.0, 90.0))
    tail = max(median + 1.25 * (high - median), 1.35 * upper)
    if median < _BLACK_LEVEL:  # nothing black reflects this much by itself, whatever the spread
        tail = min(tail, max(6 * median, _BLACK_LEVEL))
    return float(max(tail, 2 * _DARKEST_LEVEL))
