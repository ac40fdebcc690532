"""Brush and eraser: paint on an object's mask, or a new object when none is selected."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PySide6.QtCore import QPointF, Qt

from app.canvas.markers import NEGATIVE, WHITE, draw_circle
from app.core.document import LockedError
from app.core.mask_edits import paint_stroke
from app.core.title import Title
from app.i18n import phrase, tr
from app.tools.picking import instance_at
from app.tools.tool import Tool
from converters.annotation import Instance, Mask, new_instance_id

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPainter

    from app.canvas.view import CanvasView
    from app.canvas.viewport import Region
    from app.session import Session
    from app.tools.tool import PointerEvent
    from converters.annotation import Vertex

SMALLEST_RADIUS, LARGEST_RADIUS = 0.5, 600.0
RADIUS_STEP = 1.15
EMPTY = Mask(0, 0, np.zeros((0, 0), np.bool_))


@dataclass(slots=True)
class _Stroke:
    """A stroke in progress.

    Attributes:
        target: the object painted on, as it was; for a new one an object with an empty mask.
        is_new: whether the document does not know it yet.
        erases: whether pixels are taken away.
        radius: in picture pixels.
        points: where the pointer has been, picture pixels.
        box: what the stroke has touched so far.
    """

    target: Instance
    is_new: bool
    erases: bool
    radius: float
    points: list[Vertex]
    box: Region | None = None


class BrushTool(Tool):
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

    def __init__(self, session: Session, view: CanvasView) -> None:
        super().__init__(session, view)
        self._stroke: _Stroke | None = None
        self._cursor: Vertex | None = None
        self._last: Vertex | None = None
        self._sizing: tuple[float, float] | None = None

    def activate(self) -> None:
        self.session.options_changed.connect(self._on_option_changed)

    def deactivate(self) -> None:
        super().deactivate()
        self.session.options_changed.disconnect(self._on_option_changed)
        self._show_cursor(None)

    def _on_option_changed(self, name: str) -> None:
        if name == "brush_radius":
            self.view.update()

    def pointer_press(self, event: PointerEvent) -> None:
        if event.alt and event.left:
            self._sizing = event.device_x, self.session.options.brush_radius
            return
        if not (event.left or event.right) or self._stroke is not None:
            return
        erases = self.erases != event.right
        target = self._target(event, erases)
        if target is None:
            return
        at = (event.x, event.y)
        start = self._last if event.shift and self._last is not None else at
        instance, is_new = target
        self._stroke = _Stroke(instance, is_new, erases, self.session.options.brush_radius, [start])
        self.view.annotations.begin_stroke(instance)
        self._paint_to(start)
        if start != at:
            self._paint_to(at)

    def _target(self, event: PointerEvent, erases: bool) -> tuple[Instance, bool] | None:
        """The object this stroke works on, and whether it is a new one; None tells the user why not."""
        document = self.session.document
        if document is None:
            return None
        selected = self.session.selected_instances()
        found = selected[-1] if selected else None
        if found is None and erases:
            found = instance_at(self.view, event.x, event.y)
            if found is None:
                return None
        if found is None:
            return Instance(new_instance_id(), self.session.options.label, EMPTY), True
        if found.locked:
            self.session.message.emit(tr("The object is locked."))
            return None
        if not isinstance(found.geometry, Mask):
            self.session.message.emit(tr("This is a vector shape: turn it into a mask first (Object menu)."))
            return None
        if found.id in self.session.hidden:
            self.session.set_hidden(self.session.hidden - {found.id})
        return found, False

    def pointer_move(self, event: PointerEvent) -> None:
        if self._sizing is not None:
            start, radius = self._sizing
            self._set_radius(radius + (event.device_x - start) / self.view.zoom)
            return
        at = (event.x, event.y)
        if self._stroke is not None and math.dist(at, self._stroke.points[-1]) >= 0.25:
            self._paint_to(at)
        self._show_cursor((event.device_x, event.device_y))

    def _paint_to(self, at: Vertex) -> None:
        """Show one more piece of the stroke; only its own box is touched."""
        stroke, document = self._stroke, self.session.document
        assert stroke is not None
        assert document is not None
        size = document.annotation.height, document.annotation.width
        piece = paint_stroke(EMPTY, [stroke.points[-1], at], stroke.radius, *size)
        stroke.points.append(at)
        if piece.is_empty:
            return
        stroke.box = _joined(stroke.box, piece.box)
        self.view.annotations.write_stroke(stroke.target.id, piece, erases=stroke.erases)

    def pointer_release(self, event: PointerEvent) -> None:
        if self._sizing is not None:
            self._sizing = None
            return
        stroke, document = self._stroke, self.session.document
        if stroke is None or document is None:
            return
        self._stroke, self._last = None, stroke.points[-1]
        size = document.annotation.height, document.annotation.width
        before = stroke.target.geometry
        assert isinstance(before, Mask)
        mask = paint_stroke(before, stroke.points, stroke.radius, *size, erase=stroke.erases)
        self.view.annotations.end_stroke()
        if stroke.box is None or mask == before:
            self._take_back(stroke)
            return
        try:
            self._put(stroke, mask)
        except LockedError:
            self.session.message.emit(tr("The object is locked."))
            self._take_back(stroke)

    def _put(self, stroke: _Stroke, mask: Mask) -> None:
        """The stroke as one undoable step."""
        document, target = self.session.document, stroke.target
        assert document is not None
        if stroke.is_new:
            document.add(
                replace(target, geometry=mask), title=Title(phrase("Paint {label}"), label=target.label)
            )
            self.session.select((target.id,))
        elif mask.is_empty:
            document.remove((target.id,), title=Title(phrase("Erase {label}"), label=target.label))
        else:
            title = phrase("Erase from {label}") if stroke.erases else phrase("Paint {label}")
            document.replace(
                replace(target, geometry=mask, provenance=replace(target.provenance, edited=True)),
                title=Title(title, label=target.label),
            )

    def _take_back(self, stroke: _Stroke) -> None:
        if stroke.box is not None:
            self.view.annotations.refresh(stroke.box)

    def cancel(self) -> None:
        stroke, self._stroke = self._stroke, None
        self._sizing = None
        if stroke is not None:
            self.view.annotations.end_stroke()
            self._take_back(stroke)
        elif self.view.tool is self:
            self.session.select(())  # the next stroke begins a new object

    def commit(self) -> None:
        if self._stroke is None:
            self.session.select(())

    def pointer_leave(self) -> None:
        self._show_cursor(None)

    def wheel(self, steps: float, modifiers: Qt.KeyboardModifier) -> bool:
        if not modifiers & Qt.KeyboardModifier.AltModifier:
            return False
        self._set_radius(self.session.options.brush_radius * RADIUS_STEP**steps)
        return True

    def key_press(self, event: QKeyEvent) -> bool:
        steps = {"[": -1, "]": 1}.get(event.text())
        if steps is None:
            return False
        self._set_radius(self.session.options.brush_radius * RADIUS_STEP**steps)
        return True

    def _set_radius(self, radius: float) -> None:
        self.session.set_option("brush_radius", round(min(LARGEST_RADIUS, max(SMALLEST_RADIUS, radius)), 2))

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


def _joined(a: Region | None, b: Region) -> Region:
    if a is None:
        return b
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
