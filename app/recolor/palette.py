"""Swatches: picking an object's own colour, named presets, recent colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from app.appearance.i18n import phrase
from app.recolor.body import BodyModel, analyse_body
from app.recolor.color_space import ByteArray, format_color, parse_color, to_codes, to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from converters.annotation import Mask

_MOST_SAMPLES: Final = 24_000
_CORE_MARGIN: Final = 3


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour with an English name, to be translated by the window."""

    name: str
    color: str


PRESETS: Final[tuple[Swatch, ...]] = (
    Swatch(phrase("White"), "#f4f4f2"),
    Swatch(phrase("Silver"), "#c4c7ca"),
    Swatch(phrase("Grey"), "#83878b"),
    Swatch(phrase("Charcoal"), "#3c4043"),
    Swatch(phrase("Black"), "#141414"),
    Swatch(phrase("Red"), "#c8252c"),
    Swatch(phrase("Burgundy"), "#74172c"),
    Swatch(phrase("Coral"), "#f0705a"),
    Swatch(phrase("Orange"), "#ea7a1e"),
    Swatch(phrase("Mustard"), "#cf9a22"),
    Swatch(phrase("Yellow"), "#f2cf2f"),
    Swatch(phrase("Olive"), "#767b36"),
    Swatch(phrase("Green"), "#2f8f4e"),
    Swatch(phrase("Emerald"), "#0f7a63"),
    Swatch(phrase("Teal"), "#1f8c97"),
    Swatch(phrase("Sky"), "#6db3de"),
    Swatch(phrase("Blue"), "#2459b8"),
    Swatch(phrase("Navy"), "#1d2a55"),
    Swatch(phrase("Violet"), "#6b45a8"),
    Swatch(phrase("Pink"), "#e888ac"),
    Swatch(phrase("Beige"), "#d8c3a0"),
    Swatch(phrase("Brown"), "#74492c"),
)


def remember_color(recent: tuple[str, ...], color: str, *, limit: int = 12) -> tuple[str, ...]:
    """Recent colours with `color` at the front, each once, at most `limit` of them.

    Raises:
        ValueError: the colour is not '#rrggbb'.
    """
    parse_color(color)
    color = color.lower()
    return (color, *(other for other in recent if other != color))[:limit]


def sample_color(image: ByteArray, mask: Mask) -> str:
    """The object's body colour where it is lit, '#rrggbb': the one that recolouring would leave as it is.

    Args:
        image: (H, W, 3) uint8 sRGB.

    Raises:
        ValueError: the mask holds no pixel of the picture.
    """
    inside = mask.clipped(*image.shape[:2])
    if inside.is_empty:
        raise ValueError("the mask holds no pixel of the picture, so there is no colour to pick")
    x0, y0, x1, y1 = inside.box
    body = analyse_object(np.ascontiguousarray(image[y0:y1, x0:x1]), inside.array)
    return format_color(to_codes((body.color * body.reference).astype(np.float32)))


def analyse_object(codes: ByteArray, mask: NDArray[np.bool_]) -> BodyModel:
    """The body model of an (h, w, 3) uint8 picture part under a non-empty (h, w) mask."""
    return analyse_body(to_linear(codes[_sample_positions(mask)]))


def _sample_positions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of evenly spread pixels in the mask's core.

    The border is left out while that leaves a quarter of the object: its pixels are mixed with the
    background.
    """
    step = max(1, int(np.sqrt(mask.size / (16 * _MOST_SAMPLES))))
    coarse = np.ascontiguousarray(mask[::step, ::step]).astype(np.uint8)
    margin = max(1, _CORE_MARGIN // step)
    padded = cv2.copyMakeBorder(coarse, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    core = cv2.erode(padded, np.ones((2 * margin + 1,) * 2, np.uint8))[margin:-margin, margin:-margin]
    if 4 * np.count_nonzero(core) < np.count_nonzero(coarse):
        core = coarse
    rows, columns = np.nonzero(core)
    if rows.size == 0:  # a sparse mask that the coarse grid missed
        rows, columns = np.nonzero(mask)
        step = 1
    every = max(1, -(-rows.size // _MOST_SAMPLES))
    return rows[::every] * step, columns[::every] * step
