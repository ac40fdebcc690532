"""Brush and eraser: paint on an object's mask with a disc, or a new object when none is selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF

from app.appearance.i18n import phrase
from app.canvas.markers import NEGATIVE, WHITE, draw_circle
from app.editing.limits import BRUSH_RADIUS
from app.editing.mask_edits import paint_stroke
from app.tools.stroke import EMPTY, Stroke, StrokeTool

if TYPE_CHECKING:
    from PySide6.QtGui import QPainter

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.session import Session
    from converters.annotation import Instance, Mask, Vertex

RADIUS_STEP = 1.15


@dataclass(slots=True, kw_only=True)
class DiscStroke(Stroke):
    """A stroke of a round brush.

    Attributes:
        radius: in picture pixels.
    """

    radius: float

    def cover(self, start: Vertex, end: Vertex) -> Mask:
        return paint_stroke(EMPTY, [start, end], self.radius, *self.size)

    def paint(self) -> Mask:
        return paint_stroke(self.before, self.points, self.radius, *self.size, erase=self.erases)


class BrushTool(StrokeTool):
    """Paints with a round brush; the right button erases."""

    name: ClassVar[str] = "brush"
    title: ClassVar[str] = phrase("Brush")
    hint: ClassVar[str] = phrase(
        "Paint on the selected object, or a new one if none is selected. Right button erases. "
        "[ and ], Alt+wheel or Alt+drag change the size; Shift-click draws a straight line."
    )
    icon: ClassVar[str] = "mdi6.brush-outline"
    shortcut: ClassVar[str] = "B"
    erases: ClassVar[bool] = False

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._cursor: Vertex | None = None
        self._sizing: tuple[float, float] | None = None

    def activate(self) -> None:
        super().activate()
        self.session.options_changed.connect(self._on_option_changed)

    def deactivate(self) -> None:
        super().deactivate()
        self.session.options_changed.disconnect(self._on_option_changed)
        self._show_cursor(None)

    def _on_option_changed(self, name: str) -> None:
        if name == "brush_radius":
            self.view.update()

    def _erases(self, event: PointerEvent) -> bool:
        return self.erases != event.right

    def _begin(self, target: Instance, *, is_new: bool, erases: bool, size: tuple[int, int]) -> DiscStroke:
        radius = self.session.options.brush_radius
        return DiscStroke(target=target, is_new=is_new, erases=erases, size=size, radius=radius)

    def pointer_press(self, event: PointerEvent) -> None:
        if event.alt and event.left:
            self._sizing = event.device_x, self.session.options.brush_radius
        else:
            super().pointer_press(event)

    def pointer_move(self, event: PointerEvent) -> None:
        if self._sizing is not None:
            start, radius = self._sizing
            self._set_radius(radius + (event.device_x - start) / self.view.zoom)
            return
        super().pointer_move(event)
        self._show_cursor((event.device_x, event.device_y))

    def pointer_release(self, event: PointerEvent) -> None:
        if self._sizing is not None:
            self._sizing = None
        else:
            super().pointer_release(event)

    def cancel(self) -> None:
        self._sizing = None
        super().cancel()

    def pointer_leave(self) -> None:
        self._show_cursor(None)

    def resize(self, steps: float) -> None:
        self._set_radius(self.session.options.brush_radius * RADIUS_STEP**steps)

    def _set_radius(self, radius: float) -> None:
        self.session.set_option("brush_radius", round(BRUSH_RADIUS.clamped(radius), 2))

    def _show_cursor(self, at: Vertex | None) -> None:
        """Move the brush's rim, repainting where it was and where it is."""
        radius = self.session.options.brush_radius * self.view.zoom + 4 * self.view.devicePixelRatioF()
        for x, y in filter(None, (self._cursor, at)):
            self.view.update_device_box((x - radius, y - radius, x + radius, y + radius))
        self._cursor = at

    def paint(self, painter: QPainter) -> None:
        if self._cursor is None:
            return
        erases = self._stroke.erases if self._stroke is not None else self.erases
        draw_circle(
            painter,
            QPointF(*self._cursor),
            max(1.5, self.session.options.brush_radius * self.view.zoom),
            NEGATIVE.lighter(135) if erases else WHITE,
            self.view.devicePixelRatioF(),
        )


class EraserTool(BrushTool):
    """Erases with a round brush; the right button paints."""

    name: ClassVar[str] = "eraser"
    title: ClassVar[str] = phrase("Eraser")
    hint: ClassVar[str] = phrase(
        "Rub out of the selected object, or of the one under the pointer. Right button paints. "
        "[ and ], Alt+wheel or Alt+drag change the size; Shift-click draws a straight line."
    )
    icon: ClassVar[str] = "mdi6.eraser"
    shortcut: ClassVar[str] = "E"
    erases: ClassVar[bool] = True
