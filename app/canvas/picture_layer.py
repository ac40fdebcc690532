"""The bottom layer: the picture, or its recoloured version, and the pixel grid far zoomed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLine
from PySide6.QtGui import QColor, QPainter, QPen

from app.pixels.base_image import draw_mips

if TYPE_CHECKING:
    from app.canvas.recolor_layer import RecolorLayer
    from app.canvas.surface import Surface
    from app.pixels.viewport import Viewport

GRID_FROM = 16.0
GRID_COLOR = QColor(128, 128, 128, 70)


class PictureLayer:
    """Draws the picture's pixels."""

    def __init__(self, view: Surface, recolored: RecolorLayer) -> None:
        self._view = view
        self._recolored = recolored

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        image = self._view.session.image
        if image is None:
            return
        recolored = None if self._view.show_original else self._recolored.mips
        draw_mips(painter, recolored or image.mips, viewport)
        if viewport.scale >= GRID_FROM:
            _draw_grid(painter, viewport)


def _draw_grid(painter: QPainter, viewport: Viewport) -> None:
    x0, y0, x1, y1 = viewport.visible_region
    left, top, right, bottom = (
        round(at) for at in (*viewport.to_device(x0, y0), *viewport.to_device(x1, y1))
    )
    columns = (round(viewport.to_device(x, 0)[0]) for x in range(x0, x1 + 1))
    rows = (round(viewport.to_device(0, y)[1]) for y in range(y0, y1 + 1))
    lines = [QLine(x, top, x, bottom) for x in columns] + [QLine(left, y, right, y) for y in rows]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(GRID_COLOR, 0))
    painter.drawLines(lines)
