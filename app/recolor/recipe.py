"""From a body model, a target colour and the sliders to new linear light, pixel by pixel.

The object's body level becomes the target's: out = (u / reference) · target + highlights + variation.
Working with ratios in linear light is what keeps shading, folds and reflected light believable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from app.recolor.color_space import (
    FloatArray,
    code_width,
    linear_to_oklab,
    oklab_to_linear,
    parse_color,
    to_linear,
)
from app.recolor.detail import mean_levels, smooth_levels
from app.recolor.gamut import compress_highlights, fit_gamut
from app.recolor.settings import RecolorSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.recolor.body import BodyModel, Vector
    from converters.annotation import RecolorOperation

_BLACK_LIGHTNESS: Final = 0.21  # OKLab L of about #191919: lit black cloth; pure black would be a hole
_BLACK_LIFT: Final = 0.008  # linear level (sRGB code 20) below which cameras and JPEG crush shading
_FOREIGN_RATIO: Final = (0.35, 0.65)  # chroma difference over level: 19 to 33 degrees
_FOREIGN_RADIUS: Final = 1  # evens out what JPEG does to chroma
_FAINT: Final = np.float32(0.01)  # linear level at which hue drowns in noise
_NOISE_CODES: Final = 2.5  # amplitude in sRGB codes up to which variation may be sensor or JPEG noise
_NOISE_RADIUS: Final = 3
_TEXTURE_AMPLITUDE: Final = 0.35  # of the level: weaker variation is texture, stronger is a fold or a step
_DITHER_GAIN: Final = 2.0
_LEVEL_FLOOR: Final = np.float32(1e-5)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one object's pixels change.

    Attributes:
        body: the object as it is.
        settings: the sliders.
        target: (3,) linear colour that the reference level takes.
        reference, lift: body level that becomes the target, and what is added to all levels so that
            crushed blacks have something to scale.
        gain: amplification of the body's light, as a ratio of vector lengths.
        texture_radius: window of the texture filter, in pixels of the working resolution.
    """

    body: BodyModel
    settings: RecolorSettings
    target: Vector
    reference: float
    lift: float
    gain: float
    texture_radius: int

    @property
    def needs_dither(self) -> bool:
        """Whether one old code value spreads over several new ones."""
        return self.gain > _DITHER_GAIN

    @property
    def halo(self) -> int:
        """Rows of context that the spatial filters need, one after the other."""
        highlights = self.body.share_radius + (self.texture_radius if self.body.shines_neutrally else 0)
        noise = 2 * _NOISE_RADIUS if self._amplifies_noise else 0
        texture = 2 * self.texture_radius if self._reshapes else 0
        return highlights + noise + texture + _FOREIGN_RADIUS

    @property
    def _amplifies_noise(self) -> bool:
        return self.gain > self.settings.max_gain

    @property
    def _reshapes(self) -> bool:
        return self.settings.shading_contrast != 1.0 or self.settings.texture_keep != 1.0

    def apply(self, linear: FloatArray, weight: FloatArray) -> FloatArray:
        """(h, w, 3) linear light of the object alone to its new linear light in [0, 1].

        Args:
            weight: (h, w) in [0, 1]; pixels of weight 0 do not influence their neighbours.
        """
        level, highlight, whitening, across = self.body.split(linear, weight, self.texture_radius)
        if self.settings.variation_keep < 1:
            self._dull(level, highlight, across)
        keep = np.float32(self.settings.highlight_keep)
        if keep != 1.0:
            level += (1 - keep) * highlight
            highlight *= keep
        foreign = self._foreign(level, whitening, across, weight)
        if self.lift:
            level += np.float32(self.lift)
        level = self._shade(level, weight)
        peak_channel = float(self.target.max())
        scaled = level * np.float32(peak_channel / self.reference)
        scaled = compress_highlights(scaled, self._peak())
        planes = cv2.merge([scaled, highlight, whitening, across])
        out = np.asarray(cv2.transform(planes, self._mixing(peak_channel)), np.float32)
        fit_gamut(out)
        if foreign is not None:
            out += foreign[..., None] * (linear - out)
        return out

    def _dull(self, level: FloatArray, highlight: FloatArray, across: FloatArray) -> None:
        """Take what only looked like a highlight, because its hue is another, as body (in place)."""
        length = np.float32(np.linalg.norm(self.body.color))
        ratio = np.abs(across) / (length * (level + highlight) + _FAINT)
        moved = np.float32(1 - self.settings.variation_keep) * _ramp(ratio, *_FOREIGN_RATIO) * highlight
        level += moved
        highlight -= moved

    def _foreign(
        self, level: FloatArray, whitening: FloatArray, across: FloatArray, weight: FloatArray
    ) -> FloatArray | None:
        """(h, w) share in [0, 1] of other materials, which keep their colour; None if there are none.

        A logo or a stain differs from the body in hue by more than light and dirt can explain.
        """
        if self.settings.variation_keep == 0:
            return None
        length = np.float32(np.linalg.norm(self.body.color))
        ratio = cv2.magnitude(whitening, across) / (length * level + _FAINT)
        start, end = _FOREIGN_RATIO
        if float(ratio.max(initial=0.0)) <= start:
            return None
        share = mean_levels(_ramp(ratio, start, end), weight, _FOREIGN_RADIUS)
        return np.asarray(np.float32(self.settings.variation_keep) * share, np.float32)

    def _peak(self) -> float:
        """Brightest channel value that the body reaches after recolouring."""
        ratio = ((self.body.top + self.lift) / self.reference) ** self.settings.shading_contrast
        return float(ratio * self.target.max())

    def _mixing(self, peak_channel: float) -> NDArray[np.float32]:
        """(3, 4) matrix from (scaled level, highlight, whitening, across) to linear RGB.

        Colour variation is never amplified, and shrinks with a darker target.
        """
        share = self.settings.variation_keep * min(1.0, self.gain)
        columns = (
            self.target / peak_channel,
            self.body.light,
            share * self.body.whitening,
            share * self.body.cross,
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def _shade(self, level: FloatArray, weight: FloatArray) -> FloatArray:
        """The body level after the noise limit, shading contrast and texture strength."""
        if self._amplifies_noise:
            signal = smooth_levels(
                level, weight, _NOISE_RADIUS, lambda mean: np.float32(_NOISE_CODES) * code_width(mean)
            )
            level = signal + np.float32(self.settings.max_gain / self.gain) * (level - signal)
        if self._reshapes:
            shading = smooth_levels(
                level, weight, self.texture_radius, lambda mean: np.float32(_TEXTURE_AMPLITUDE) * mean
            )
            shading = np.maximum(shading, _LEVEL_FLOOR)
            texture = (level - shading) / shading
            reference = np.float32(self.reference)
            shading = reference * np.power(shading / reference, np.float32(self.settings.shading_contrast))
            level = shading * (1 + np.float32(self.settings.texture_keep) * texture)
        return np.asarray(np.maximum(level, 0.0), np.float32)


def make_recipe(body: BodyModel, operation: RecolorOperation, texture_radius: int) -> Recipe:
    """Check the operation and prepare it for a body.

    Raises:
        ValueError: the colour or a setting is malformed or out of range.
    """
    settings = RecolorSettings.from_mapping(operation.settings)
    picked = to_linear(parse_color(operation.color)).astype(np.float64)
    own = body.color * body.reference
    target = _matched_target(picked, own, settings.lightness_match)
    lighter = max(0.0, 1.0 - float(np.linalg.norm(own) / np.linalg.norm(target)))
    lift = max(0.0, _BLACK_LIFT - 0.5 * body.reference) * lighter
    reference = body.reference + lift
    gain = float(np.linalg.norm(target) / np.linalg.norm(body.color) / reference)
    return Recipe(body, settings, target, reference, lift, gain, max(texture_radius, 2))


def _ramp(values: FloatArray, start: float, end: float) -> FloatArray:
    """Smooth step from 0 at `start` to 1 at `end`."""
    t = np.clip((values - np.float32(start)) * np.float32(1 / (end - start)), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _matched_target(picked: Vector, own: Vector, lightness_match: float) -> Vector:
    """The linear colour for the lit surface: the picked hue and chroma, the lightness between both."""
    lab = linear_to_oklab(np.stack([picked, own]))
    lightness = lab[1, 0] + lightness_match * (lab[0, 0] - lab[1, 0])
    lightness = max(lightness, min(lab[1, 0], _BLACK_LIGHTNESS))
    if abs(lightness - lab[0, 0]) < 1e-9:
        return np.maximum(picked, 1e-6)
    shifted = np.array([[lightness, lab[0, 1], lab[0, 2]]])
    target = oklab_to_linear(shifted).astype(np.float32)
    fit_gamut(target)
    return np.asarray(np.maximum(target[0].astype(np.float64), 1e-6))
