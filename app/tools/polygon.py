"""The polygon tool: vertices by clicking, or a freehand line by dragging."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF, Qt

from app.appearance.i18n import phrase, tr
from app.canvas.markers import WHITE, draw_handle, draw_line
from app.canvas.tool import DROP_KEY, KEEP_KEYS, Tool, is_plain
from converters.annotation import Instance, Polygon, new_instance_id

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPainter

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.session import Session
    from converters.annotation import Vertex

CLOSES_WITHIN = 10.0
FREEHAND_SPACING = 5.0
"""Logical pixels: how near to the first vertex a click closes; between two freehand vertices."""


class PolygonTool(Tool):
    """Draws one polygon after another."""

    name: ClassVar[str] = "polygon"
    title: ClassVar[str] = phrase("Polygon")
    hint: ClassVar[str] = phrase(
        "Click the vertices, or drag freehand. Click the first one, double-click or press Enter to "
        "close; Backspace takes the last vertex back, Esc drops the polygon."
    )
    icon: ClassVar[str] = "mdi6.vector-polygon"
    shortcut: ClassVar[str] = "P"

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._points: list[Vertex] = []
        self._cursor: Vertex | None = None
        self._pressed = False
        self._freehand = False

    @property
    def points(self) -> tuple[Vertex, ...]:
        """The vertices so far, in picture pixels."""
        return tuple(self._points)

    def _clamped(self, event: PointerEvent) -> Vertex:
        viewport = self.view.viewport
        return (
            min(max(event.x, 0.0), float(viewport.image_width)),
            min(max(event.y, 0.0), float(viewport.image_height)),
        )

    def _on_screen(self, a: Vertex, b: Vertex) -> float:
        """Logical pixels between two picture points."""
        return math.dist(a, b) * self.view.zoom / self.view.devicePixelRatioF()

    def _closes(self, at: Vertex) -> bool:
        return len(self._points) >= 3 and self._on_screen(at, self._points[0]) <= CLOSES_WITHIN

    def pointer_press(self, event: PointerEvent) -> None:
        if self.session.document is None or not event.left:
            return
        at = self._clamped(event)
        if event.double or self._closes(at):
            self.commit()
            return
        self._pressed = True
        if not self._points or at != self._points[-1]:
            self._points.append(at)
        self._cursor = at
        self.view.update()

    def pointer_move(self, event: PointerEvent) -> None:
        self._cursor = self._clamped(event)
        if not self._points:
            return
        if self._pressed and self._on_screen(self._cursor, self._points[-1]) >= FREEHAND_SPACING:
            self._points.append(self._cursor)
            self._freehand = True
        self.view.update()

    def pointer_release(self, event: PointerEvent) -> None:
        freehand, self._pressed, self._freehand = self._freehand, False, False
        if freehand and self._closes(self._clamped(event)):
            self.commit()

    def claims_key(self, event: QKeyEvent) -> bool:
        takes = event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete)
        return bool(self._points) and (takes or is_plain(event, *KEEP_KEYS, DROP_KEY))

    def key_press(self, event: QKeyEvent) -> bool:
        if self._points and event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._points.pop()
            self.view.update()
            return True
        return False

    @property
    def is_pending(self) -> bool:
        return len(self._points) >= 3

    def settle(self) -> None:
        if self._points and not self.is_pending:
            self.session.message.emit(tr("A polygon needs three vertices."))
        super().settle()
        self.cancel()

    def commit(self) -> None:
        document = self.session.document
        if document is None or not self._points:
            return
        if len(self._points) < 3:
            self.session.message.emit(tr("A polygon needs three vertices."))
            return
        instance = Instance(new_instance_id(), self.session.options.label, Polygon(self.points))
        self._points.clear()
        self._pressed = self._freehand = False
        document.add(instance)
        self.session.select((instance.id,))
        self.view.update()

    def cancel(self) -> None:
        self._points.clear()
        self._pressed = self._freehand = False
        self.view.update()

    def paint(self, painter: QPainter) -> None:
        if not self._points:
            return
        ratio, viewport = self.view.devicePixelRatioF(), self.view.viewport
        corners = [QPointF(*viewport.to_device(*point)) for point in self._points]
        closing = self._cursor is not None and self._closes(self._cursor) and not self._pressed
        line = list(corners)
        if self._cursor is not None and not closing:
            line.append(QPointF(*viewport.to_device(*self._cursor)))
        fill = self.session.color_of(self.session.options.label)
        fill.setAlphaF(0.25)
        draw_line(painter, line, WHITE, ratio, closed=closing, fill=fill)
        shown = corners if len(corners) <= 60 else [corners[0], corners[-1]]
        for index, corner in enumerate(shown):
            draw_handle(painter, corner, ratio, hot=closing and index == 0)
