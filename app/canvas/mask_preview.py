"""The mask a tool is about to make, drawn above the overlay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QColor

from app.canvas.soft_mask import DeviceMask, draw_fill, draw_outline, sample_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PySide6.QtGui import QPainter

    from app.canvas.surface import Surface
    from app.pixels.viewport import Region, Viewport

MARGIN = 6

Box = tuple[float, float, float, float]


class MaskPreview:
    """Shows one (h, w) bool array over a box of the picture; the array may be coarser than it."""

    def __init__(self, view: Surface) -> None:
        self._view = view
        self._array: NDArray[np.bool_] | None = None
        self._region: Box = (0, 0, 0, 0)
        self._color = QColor()
        self._opacity = 0.0
        self._sampled: tuple[Viewport, DeviceMask | None] | None = None

    @property
    def array(self) -> NDArray[np.bool_] | None:
        """What is shown, without empty borders; None when nothing is."""
        return self._array

    @property
    def region(self) -> Box:
        """The picture box (x0, y0, x1, y1) that `array` covers."""
        return self._region

    def show(self, array: NDArray[np.bool_], region: Region, color: QColor, opacity: float) -> None:
        """Show a mask over the half-open picture box `region`, in place of the one before."""
        self.clear()
        columns, rows = np.flatnonzero(array.any(axis=0)), np.flatnonzero(array.any(axis=1))
        if not columns.size:
            return
        x_step = (region[2] - region[0]) / array.shape[1]
        y_step = (region[3] - region[1]) / array.shape[0]
        # Only the part that holds the mask: an object is usually much smaller than the screen.
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        self._array = array[top:bottom, left:right]
        self._region = (
            region[0] + float(left * x_step),
            region[1] + float(top * y_step),
            region[0] + float(right * x_step),
            region[1] + float(bottom * y_step),
        )
        self._color, self._opacity = color, opacity
        self._view.update_image_box(self._region, MARGIN)

    def clear(self) -> None:
        """Show nothing."""
        if self._array is not None:
            self._view.update_image_box(self._region, MARGIN)
            self._array = None
        self._sampled = None

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        if self._array is None:
            return
        if self._sampled is None or self._sampled[0] != viewport:
            self._sampled = viewport, sample_mask(self._array, self._region, viewport, MARGIN)
        mask = self._sampled[1]
        if mask is not None:
            draw_fill(painter, mask, self._color, self._opacity)
            draw_outline(painter, mask, width=max(1, round(self._view.devicePixelRatioF())))
