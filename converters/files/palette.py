"""The colour map of Pascal VOC, and label pictures that use it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def voc_palette(count: int = 256) -> NDArray[np.uint8]:
    """(count, 3) uint8 RGB: the bits of an index, three at a time, become the top bits of r, g and b."""
    index = np.arange(count)
    colors = np.zeros((count, 3), np.int64)
    for level in range(8):
        for channel in range(3):
            colors[:, channel] |= (index >> (3 * level + channel) & 1) << (7 - level)
    return colors.astype(np.uint8)


VOC_PALETTE = voc_palette()


def indexed_png(indices: NDArray[np.uint8]) -> bytes:
    """A mode P PNG of an (H, W) uint8 array with the VOC palette."""
    picture = Image.fromarray(np.ascontiguousarray(indices, np.uint8)).convert("L")
    picture.putpalette(VOC_PALETTE.tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=4)
    return stream.getvalue()
