"""The open picture as the canvas draws it: full resolution plus a chain of halved copies.

Drawing a zoomed-out photo from the smallest copy that still has enough pixels costs a third of
drawing it from the original, and averages instead of skipping pixels (reference: Williams, "Pyramidal
Parametrics", SIGGRAPH 1983). Everything here is plain memory work, so a loader thread may do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from app.pixels.viewport import Region, Viewport

SMALLEST_SIDE = 256
NEAREST_ABOVE = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class OpenImage:
    """A decoded picture and its mip chain.

    Attributes:
        array: (H, W, 3) uint8 RGB, contiguous, the upright picture; never written to.
        path: the picture file, None for a picture that has none.
        mips: (ceil(H / 2^k), ceil(W / 2^k), 4) uint8 in Qt's RGB32 byte order, k = 0, 1, ...
    """

    array: NDArray[np.uint8]
    path: Path | None
    mips: tuple[NDArray[np.uint8], ...]

    @property
    def height(self) -> int:
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    @property
    def nbytes(self) -> int:
        """Memory of the picture and its copies, in bytes."""
        return self.array.nbytes + sum(mip.nbytes for mip in self.mips)


def prepare_image(rgb: NDArray[np.uint8], path: Path | None = None) -> OpenImage:
    """Everything the canvas needs to draw an (H, W, 3) uint8 RGB array; safe in any thread.

    Raises:
        ValueError: the array is not (H, W, 3) uint8 or has no pixels.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ValueError(f"a picture needs an (H, W, 3) uint8 array with pixels, got {rgb.dtype} {rgb.shape}")
    array = np.ascontiguousarray(rgb)
    full = np.empty((*array.shape[:2], 4), np.uint8)
    cv2.cvtColor(array, cv2.COLOR_RGB2BGRA, dst=full)
    mips = [full]
    while min(mips[-1].shape[:2]) // 2 >= SMALLEST_SIDE:
        height, width = mips[-1].shape[:2]
        mips.append(np.empty(((height + 1) // 2, (width + 1) // 2, 4), np.uint8))
        halve(mips[-2], mips[-1])
    return OpenImage(array, path, tuple(mips))


def halve(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Average 2 x 2 blocks of `source` (h, w, 4) into `target` (ceil(h / 2), ceil(w / 2), 4).

    An odd last row or column is averaged with itself, so that block (i, j) always covers pixels
    2i and 2i + 1: a part of the picture can be halved alone and fits exactly.
    """
    height, width = source.shape[0] // 2, source.shape[1] // 2
    if height and width:
        target[:height, :width] = cv2.resize(
            source[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
        )
    if source.shape[0] % 2 and width:
        row = source[-1, : 2 * width].reshape(width, 2, 4).astype(np.uint16)
        target[height, :width] = (row.sum(axis=1) + 1) // 2
    if source.shape[1] % 2 and height:
        column = source[: 2 * height, -1].reshape(height, 2, 4).astype(np.uint16)
        target[:height, width] = (column.sum(axis=1) + 1) // 2
    if source.shape[0] % 2 and source.shape[1] % 2:
        target[height, width] = source[-1, -1]


def refresh_mips(mips: tuple[NDArray[np.uint8], ...], region: Region) -> None:
    """Recompute the halved copies under the half-open box (x0, y0, x1, y1) of the full picture."""
    x0, y0, x1, y1 = region
    for finer, coarser in pairwise(mips):
        x0, y0, x1, y1 = x0 // 2, y0 // 2, (x1 + 1) // 2, (y1 + 1) // 2
        halve(finer[2 * y0 : 2 * y1, 2 * x0 : 2 * x1], coarser[y0:y1, x0:x1])


def draw_mips(painter: QPainter, mips: tuple[NDArray[np.uint8], ...], viewport: Viewport) -> None:
    """Draw the visible part of a picture; the painter works in device pixels.

    The source rectangle depends on the viewport alone, never on the clip, so a partial repaint
    gives the very pixels a full one would.
    """
    level = 0
    while level + 1 < len(mips) and viewport.scale * 2 ** (level + 1) <= 1.0:
        level += 1
    mip, factor = mips[level], 2**level
    x0, y0, x1, y1 = viewport.visible_region
    if x0 >= x1 or y0 >= y1:
        return
    left, top = max(0, x0 // factor - 2), max(0, y0 // factor - 2)
    right = min(mip.shape[1], -(-x1 // factor) + 2)
    bottom = min(mip.shape[0], -(-y1 // factor) + 2)
    image = QImage(mip.data, mip.shape[1], mip.shape[0], mip.strides[0], QImage.Format.Format_RGB32)
    scale = viewport.scale * factor
    target = QRectF(
        viewport.offset_x + left * scale,
        viewport.offset_y + top * scale,
        (right - left) * scale,
        (bottom - top) * scale,
    )
    smooth = viewport.scale < NEAREST_ABOVE and viewport.scale != 1.0
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    painter.drawImage(target, image, QRectF(left, top, right - left, bottom - top))
