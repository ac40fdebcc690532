"""What the View menu and the keys for the brush and the levels do to the canvas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Slot

from app.editing.limits import BRUSH_RADIUS, ZOOM
from app.tools.superpixel import SuperpixelTool
from converters.shapes.geometry import bounding_box

if TYPE_CHECKING:
    from app.canvas.view import CanvasView
    from app.session import Session

BRUSH_STEP: Final = 1.2


class ViewCommands(QObject):
    """Slots for zooming, for the size of the brush or of the superpixels, and for the level of seeds."""

    def __init__(self, session: Session, canvas: CanvasView, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._canvas = canvas

    @Slot()
    def fit(self) -> None:
        self._canvas.fit()

    @Slot()
    def actual_size(self) -> None:
        self._canvas.actual_size()

    @Slot()
    def zoom_in(self) -> None:
        self._canvas.zoom_by(ZOOM.step)

    @Slot()
    def zoom_out(self) -> None:
        self._canvas.zoom_by(1 / ZOOM.step)

    @Slot()
    def zoom_selection(self) -> None:
        boxes = [bounding_box(instance.geometry) for instance in self._session.selected_instances()]
        if boxes:
            x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
            x1, y1 = max(b[2] for b in boxes), max(b[3] for b in boxes)
            self._canvas.center_on((math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)))

    @Slot()
    def smaller_brush(self) -> None:
        self._resize_brush(-1)

    @Slot()
    def larger_brush(self) -> None:
        self._resize_brush(1)

    @Slot()
    def smaller_level(self) -> None:
        self._session.step_level(-1)

    @Slot()
    def larger_level(self) -> None:
        self._session.step_level(1)

    def _resize_brush(self, steps: int) -> None:
        tool = self._canvas.tool
        if isinstance(tool, SuperpixelTool):
            tool.resize(steps)
        else:
            self._scale_brush(BRUSH_STEP**steps)

    def _scale_brush(self, factor: float) -> None:
        radius = self._session.options.brush_radius
        half_pixels = round(2 * radius * factor)
        if half_pixels == round(2 * radius):  # small brushes still change by half a pixel
            half_pixels += 1 if factor > 1 else -1
        self._session.set_option("brush_radius", BRUSH_RADIUS.clamped(half_pixels / 2))
