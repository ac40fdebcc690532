"""sRGB <-> linear light by tables, and OKLab.

Sources: IEC 61966-2-1 (sRGB transfer curve); B. Ottosson, "A perceptual color space for image
processing", 2020 (OKLab matrices, public domain).
"""

from __future__ import annotations

import re
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]

_HEX_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ENCODE_STEPS: Final = 65535  # 16-bit linear index: below half an sRGB code even near black


def _decode(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB in [0, 1] to linear light in [0, 1]."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light in [0, 1] to sRGB in [0, 1]."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def _slope(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of linear light by the sRGB code value."""
    curved = 2.4 / 1.055 / 255 * linear ** (1.4 / 2.4)
    return np.where(linear <= 0.0031308, 1 / (12.92 * 255), curved)


_TO_LINEAR: Final = _decode(np.arange(256) / 255).astype(np.float32)
_EXACT_CODES: Final = 255 * _encode(np.arange(_ENCODE_STEPS + 1) / _ENCODE_STEPS)
_TO_CODE: Final = np.rint(_EXACT_CODES).astype(np.uint8)
_TO_FRACTIONAL_CODE: Final = _EXACT_CODES.astype(np.float32)
_CODE_WIDTH: Final = _slope(np.linspace(0, 1, 2048) ** 2).astype(np.float32)  # by the square root

_LINEAR_TO_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
LMS_TO_LINEAR: Final = np.linalg.inv(_LINEAR_TO_LMS)
LAB_TO_LMS: Final = np.linalg.inv(_LMS_TO_LAB)


def to_linear(codes: ByteArray) -> FloatArray:
    """8-bit sRGB, any shape, to linear light in [0, 1]."""
    if codes.ndim == 3 and codes.size:
        return np.asarray(cv2.LUT(codes, _TO_LINEAR), np.float32)
    return np.asarray(_TO_LINEAR[codes], np.float32)


def to_codes(linear: FloatArray, dither: FloatArray | None = None) -> ByteArray:
    """Linear light, clipped to [0, 1], to 8-bit sRGB.

    Args:
        dither: offsets in (-0.5, 0.5) code values that broadcast to `linear`, added before rounding.
    """
    index = np.multiply(linear, _ENCODE_STEPS, dtype=np.float32)
    index += 0.5
    np.clip(index, 0, _ENCODE_STEPS, out=index)
    whole = index.astype(np.uint16)
    if dither is None:
        return np.asarray(np.take(_TO_CODE, whole), np.uint8)
    codes = np.take(_TO_FRACTIONAL_CODE, whole)
    codes += dither
    codes += 0.5
    np.clip(codes, 0, 255, out=codes)
    return codes.astype(np.uint8)


def code_width(linear: FloatArray) -> FloatArray:
    """Width of one 8-bit sRGB code in linear light, at the given linear values, clipped to [0, 1]."""
    root = np.sqrt(np.clip(linear, 0.0, 1.0), dtype=np.float32)
    root *= len(_CODE_WIDTH) - 1
    return np.asarray(np.take(_CODE_WIDTH, root.astype(np.uint16)), np.float32)


def linear_to_oklab(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 3) linear sRGB to OKLab; L is 0 for black and 1 for white."""
    lms = np.cbrt(linear @ _LINEAR_TO_LMS.T.astype(linear.dtype))
    return np.asarray(lms @ _LMS_TO_LAB.T.astype(linear.dtype))


def oklab_to_linear(lab: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 3) OKLab to linear sRGB; colours outside sRGB leave [0, 1]."""
    lms = (lab @ LAB_TO_LMS.T.astype(lab.dtype)) ** 3
    return np.asarray(lms @ LMS_TO_LINEAR.T.astype(lab.dtype))


def parse_color(text: str) -> ByteArray:
    """'#rrggbb' as three 8-bit sRGB values.

    Raises:
        ValueError: the text has another form.
    """
    if not isinstance(text, str) or not _HEX_COLOR.fullmatch(text):
        raise ValueError(f"a colour is written #rrggbb, for example #d03030; got {text!r}")
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def format_color(codes: NDArray[np.integer]) -> str:
    """Three 8-bit sRGB values as '#rrggbb'."""
    red, green, blue = (int(value) for value in codes)
    return f"#{red:02x}{green:02x}{blue:02x}"
