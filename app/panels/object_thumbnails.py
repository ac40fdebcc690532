"""A small picture of one object: its crop, with everything outside the object faded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from app.canvas.outline_path import outline_path
from converters.annotation import Mask
from converters.shapes.geometry import bounding_box
from converters.shapes.kinds import kind_of, outline, vertices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.pixels.base_image import OpenImage
    from converters.annotation import Geometry

_MARGIN = 0.12
_FADE = 0.72


def object_thumbnail(
    image: OpenImage, geometry: Geometry, shade: QColor, *, size: QSize, ratio: float = 1.0
) -> QPixmap:
    """The object's crop at `size` logical pixels times `ratio` device pixels.

    The crop comes from the coarsest mip with enough pixels, so a mask over the whole of a large
    picture costs as little as a small one.
    """
    width, height = round(size.width() * ratio), round(size.height() * ratio)
    box = _square_view(bounding_box(geometry), width / height)
    pixels = _sample(image, box, width, height)
    if isinstance(geometry, Mask):
        outside = ~_sample_mask(geometry, box, width, height)
        faded = pixels[..., :3][outside].astype(np.float32) * (1 - _FADE) + _FADE * 128
        pixels[outside, :3] = faded.astype(np.uint8)
    canvas = QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB32)
    if not isinstance(geometry, Mask):
        _draw_outline(canvas, geometry, box, shade, ratio)
    pixmap = QPixmap.fromImage(canvas)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _square_view(
    extent: tuple[float, float, float, float], aspect: float
) -> tuple[float, float, float, float]:
    """The extent with a margin, widened to the aspect of the thumbnail."""
    x0, y0, x1, y1 = extent
    width, height = max(x1 - x0, 8.0) * (1 + 2 * _MARGIN), max(y1 - y0, 8.0) * (1 + 2 * _MARGIN)
    width, height = max(width, height * aspect), max(height, width / aspect)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2


def _sample(
    image: OpenImage, box: tuple[float, float, float, float], width: int, height: int
) -> NDArray[np.uint8]:
    """(height, width, 4) RGB32 pixels of the box; grey where it leaves the picture."""
    level = 0
    scale = (box[2] - box[0]) / width
    while level + 1 < len(image.mips) and scale >= 2 ** (level + 1):
        level += 1
    mip, factor = image.mips[level], 2.0**level
    step_x, step_y = (box[2] - box[0]) / width / factor, (box[3] - box[1]) / height / factor
    # Pixel centres: output pixel u shows the source at x0 + (u + 0.5) * step.
    matrix = np.array(
        [
            [step_x, 0, box[0] / factor + 0.5 * step_x - 0.5],
            [0, step_y, box[1] / factor + 0.5 * step_y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(mip, matrix, (width, height), flags=flags, borderValue=(128, 128, 128, 255))
    return np.ascontiguousarray(out, dtype=np.uint8)


def _sample_mask(
    mask: Mask, box: tuple[float, float, float, float], width: int, height: int
) -> NDArray[np.bool_]:
    columns = np.floor(box[0] + (np.arange(width) + 0.5) * (box[2] - box[0]) / width).astype(int) - mask.x0
    rows = np.floor(box[1] + (np.arange(height) + 0.5) * (box[3] - box[1]) / height).astype(int) - mask.y0
    rows_in = (rows >= 0) & (rows < mask.array.shape[0])
    columns_in = (columns >= 0) & (columns < mask.array.shape[1])
    inside = np.zeros((height, width), np.bool_)
    inside[np.ix_(rows_in, columns_in)] = mask.array[np.ix_(rows[rows_in], columns[columns_in])]
    return inside


def _draw_outline(
    canvas: QImage,
    geometry: Geometry,
    box: tuple[float, float, float, float],
    shade: QColor,
    ratio: float,
) -> None:
    zoom = canvas.width() / (box[2] - box[0])

    def place(x: float, y: float) -> tuple[float, float]:
        return (x - box[0]) * zoom, (y - box[1]) * zoom

    kind = kind_of(geometry)
    painter = QPainter(canvas)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(shade, 1.5 * ratio)
    if kind.is_region:
        shape = outline_path(geometry, place, zoom)
        fade = QPainterPath()
        fade.addRect(QRectF(QRect(0, 0, canvas.width(), canvas.height())))
        painter.fillPath(fade.subtracted(shape), QColor(128, 128, 128, round(255 * _FADE)))
        painter.setPen(pen)
        painter.drawPath(shape)
    elif kind.drawn == "open":
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF([QPointF(*place(*point)) for point in outline(geometry)]))
    else:
        painter.setBrush(shade)
        painter.setPen(Qt.PenStyle.NoPen)
        for point in vertices(geometry):
            painter.drawEllipse(QPointF(*place(*point)), 3 * ratio, 3 * ratio)
    painter.end()
