"""One mask drawn smoothly at the screen's resolution: the preview's fill, the selection's outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PySide6.QtGui import QColor, QPainter

    from app.pixels.viewport import Viewport

CRISP_FROM = 4.0
HALO_OPACITY = 0.5


class DeviceMask:
    """A mask sampled at the device pixels that show it.

    Attributes:
        x0, y0: device position of the first sample.
        coverage: (h, w) uint8, 255 where the mask covers the pixel, in between on its border.
    """

    __slots__ = ("coverage", "x0", "y0")

    def __init__(self, x0: int, y0: int, coverage: NDArray[np.uint8]) -> None:
        self.x0, self.y0, self.coverage = x0, y0, coverage


def sample_mask(
    array: NDArray[np.bool_], region: tuple[float, float, float, float], viewport: Viewport, margin: int = 0
) -> DeviceMask | None:
    """Coverage of the visible part of a mask; None when it is off the screen.

    Below one device pixel per mask pixel it is sampled and softened, up to four it is interpolated
    so that its border runs smoothly, beyond it keeps its square pixels.

    Args:
        array: (h, w) bool over `region`; it may be coarser than the picture.
        region: half-open box (x0, y0, x1, y1) in picture pixels.
        margin: device pixels to add around.
    """
    height, width = array.shape
    if not height or not width:
        return None
    x0, y0, x1, y1 = viewport.device_box(region, margin)
    if x0 >= x1 or y0 >= y1:
        return None
    # Mask coordinate = (device + 0.5) * step + shift, with pixel centres at .5.
    step_x = width / (region[2] - region[0]) / viewport.scale
    step_y = height / (region[3] - region[1]) / viewport.scale
    shift_x = -(viewport.offset_x + region[0] * viewport.scale) * step_x
    shift_y = -(viewport.offset_y + region[1] * viewport.scale) * step_y
    whole_pixels = width == round(region[2] - region[0])
    if step_x >= 1.0 or (viewport.scale >= CRISP_FROM and whole_pixels):
        columns = np.floor((np.arange(x0, x1) + 0.5) * step_x + shift_x).astype(np.intp)
        rows = np.floor((np.arange(y0, y1) + 0.5) * step_y + shift_y).astype(np.intp)
        coverage = _taken(array, rows, columns)
        if step_x >= 1.0:
            cv2.GaussianBlur(coverage, (3, 3), 0.6, dst=coverage)
        return DeviceMask(x0, y0, coverage)
    left, right = int((x0 + 0.5) * step_x + shift_x) - 2, int((x1 + 0.5) * step_x + shift_x) + 3
    top, bottom = int((y0 + 0.5) * step_y + shift_y) - 2, int((y1 + 0.5) * step_y + shift_y) + 3
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    part = array[top:bottom, left:right].view(np.uint8) * np.uint8(255)
    cv2.GaussianBlur(part, (3, 3), 0.8, dst=part, borderType=cv2.BORDER_CONSTANT)  # rounds the stairs
    matrix = np.array(
        [
            [step_x, 0, (x0 + 0.5) * step_x + shift_x - 0.5 - left],
            [0, step_y, (y0 + 0.5) * step_y + shift_y - 0.5 - top],
        ]
    )
    coverage = np.empty((y1 - y0, x1 - x0), np.uint8)
    cv2.warpAffine(
        part,
        matrix,
        (x1 - x0, y1 - y0),
        dst=coverage,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=0,
    )
    # The ramp of the interpolation is a mask pixel wide; squeeze it to about one device pixel.
    slope = min(CRISP_FROM, 1 / step_x)
    ramp = np.clip((np.arange(256) - 127.5) * slope + 127.5, 0, 255).astype(np.uint8)
    return DeviceMask(x0, y0, ramp[coverage])


def _taken(array: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Samples as 0 or 255, 0 beside the array."""
    height, width = array.shape
    picked = array.take(rows.clip(0, height - 1), axis=0).take(columns.clip(0, width - 1), axis=1)
    picked[(rows < 0) | (rows >= height)] = False
    picked[:, (columns < 0) | (columns >= width)] = False
    return picked.view(np.uint8) * np.uint8(255)


def draw_outline(painter: QPainter, mask: DeviceMask, *, width: int = 2, dash: int = 0) -> None:
    """A white line with a dark halo along the border, readable on any photo.

    Args:
        dash: device pixels after which white and black take turns; 0 draws it white throughout.
    """
    coverage = mask.coverage
    line = _edge(coverage, width)
    halo = _edge(coverage, width + 2 + (width > 1))
    alpha = cv2.max(line, cv2.convertScaleAbs(halo, alpha=HALO_OPACITY))
    if dash:
        ys, xs = np.ogrid[mask.y0 : mask.y0 + line.shape[0], mask.x0 : mask.x0 + line.shape[1]]
        line = np.where((2 * xs + 3 * ys) // (3 * dash) % 2 == 0, line, np.uint8(0))
    _draw(painter, mask, np.asarray(cv2.merge([line, line, line, alpha])).view(np.uint32)[..., 0])


def draw_fill(painter: QPainter, mask: DeviceMask, color: QColor, opacity: float) -> None:
    """The covered pixels in one translucent colour."""
    table = np.zeros(256, np.uint32)
    for shift, level in ((0, color.blue()), (8, color.green()), (16, color.red()), (24, 255)):
        table |= (np.arange(256) * (level * opacity / 255)).astype(np.uint32) << shift
    _draw(painter, mask, table.take(mask.coverage))


def _edge(coverage: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A line about `width` pixels wide along the half-covered contour, (h, w) uint8."""
    # The border of the window is no border of the mask: replicate, do not pad with zeros.
    grown = cv2.dilate(coverage, _disc((width + 1) // 2), borderType=cv2.BORDER_REPLICATE)
    shrunk = cv2.erode(coverage, _disc(width // 2), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(grown, shrunk))


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))


def _draw(painter: QPainter, mask: DeviceMask, pixels: NDArray[np.uint32]) -> None:
    """(h, w) premultiplied ARGB over the place of the mask."""
    height, width = pixels.shape
    pixels = np.ascontiguousarray(pixels)
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    painter.drawImage(QPoint(mask.x0, mask.y0), image)
