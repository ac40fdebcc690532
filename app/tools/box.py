"""The box tool: drag an upright rectangle."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF

from app.appearance.i18n import phrase
from app.canvas.markers import WHITE, draw_line
from app.canvas.tool import Tool
from converters.annotation import Box, Instance, new_instance_id

if TYPE_CHECKING:
    from PySide6.QtGui import QPainter

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.session import Session
    from converters.annotation import Vertex

SMALLEST_SIDE = 3.0
"""Logical pixels: anything smaller was a click, not a box."""


class BoxTool(Tool):
    """Draws one box per drag; Shift keeps it square."""

    name: ClassVar[str] = "box"
    title: ClassVar[str] = phrase("Box")
    hint: ClassVar[str] = phrase("Drag from corner to corner. Shift makes a square, Esc drops it.")
    icon: ClassVar[str] = "mdi6.vector-rectangle"
    shortcut: ClassVar[str] = "R"

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._start: Vertex | None = None
        self._end: Vertex | None = None

    def _clamped(self, x: float, y: float) -> Vertex:
        viewport = self.view.viewport
        return min(max(x, 0.0), float(viewport.image_width)), min(max(y, 0.0), float(viewport.image_height))

    def pointer_press(self, event: PointerEvent) -> None:
        if self.session.document is not None and event.left and not event.double:
            self._start = self._end = self._clamped(event.x, event.y)

    def pointer_move(self, event: PointerEvent) -> None:
        if self._start is None:
            return
        x, y = event.x, event.y
        if event.shift:
            dx, dy = x - self._start[0], y - self._start[1]
            side = max(abs(dx), abs(dy))
            x = self._start[0] + (side if dx >= 0 else -side)
            y = self._start[1] + (side if dy >= 0 else -side)
        self._end = self._clamped(x, y)
        self.view.update()

    def pointer_release(self, event: PointerEvent) -> None:
        if event.left:
            self.commit()

    @property
    def is_pending(self) -> bool:
        if self._start is None or self._end is None:
            return False
        (x0, y0), (x1, y1) = self._start, self._end
        side = min(abs(x1 - x0), abs(y1 - y0)) * self.view.zoom
        return side >= SMALLEST_SIDE * self.view.devicePixelRatioF()

    def commit(self) -> None:
        start, end, document, is_box = self._start, self._end, self.session.document, self.is_pending
        self.cancel()
        if start is None or end is None or document is None or not is_box:
            return
        box = Box(min(start[0], end[0]), min(start[1], end[1]), max(start[0], end[0]), max(start[1], end[1]))
        instance = Instance(new_instance_id(), self.session.options.label, box)
        document.add(instance)
        self.session.select((instance.id,))

    def cancel(self) -> None:
        self._start = self._end = None
        self.view.update()

    def paint(self, painter: QPainter) -> None:
        if self._start is None or self._end is None:
            return
        (x0, y0), (x1, y1) = self._start, self._end
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        fill = self.session.color_of(self.session.options.label)
        fill.setAlphaF(0.25)
        points = [QPointF(*self.view.viewport.to_device(*corner)) for corner in corners]
        draw_line(painter, points, WHITE, self.view.devicePixelRatioF(), closed=True, fill=fill)
