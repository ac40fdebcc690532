"""The select tool: pick objects, move them, pull their vertices and corners."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.canvas.markers import WHITE, draw_handle, draw_path, draw_rubber_band
from app.canvas.shapes_layer import path_of
from app.canvas.tool import DROP_KEY, Tool, is_plain
from app.document.document import LockedError
from app.editing.edit_points import (
    can_gain_point,
    can_lose_point,
    limited_shift,
    nearest_edge,
    with_inserted,
    with_point,
    without_point,
)
from app.tools.picking import instance_at, instances_in, reach_in_picture, stack_at
from converters.annotation import Mask
from converters.shapes.kinds import handles_of, is_region, kind_of, moved, vertices

if TYPE_CHECKING:
    from PySide6.QtGui import QCursor, QKeyEvent, QPainter

    from app.canvas.tool import PointerEvent
    from converters.annotation import Geometry, Instance, Vertex

HANDLE_REACH = 9.0
MOVES_AFTER = 4.0
"""Logical pixels the pointer must travel before a press becomes a drag."""

NUDGES = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


@dataclass(frozen=True, slots=True)
class _Drag:
    """A pull in progress: of one handle, of whole objects, or of the rubber band.

    Attributes:
        start: where it began, in picture pixels.
        originals: the instances being changed, as they were; empty for the rubber band.
        handle: which point of the only original is pulled; None moves the whole.
        started: whether the pointer has travelled far enough to mean it.
        adds: whether the rubber band adds to the selection.
    """

    start: Vertex
    device: Vertex
    originals: tuple[Instance, ...] = ()
    handle: int | None = None
    started: bool = False
    adds: bool = False


class SelectTool(Tool):
    """Click picks, Shift adds, Alt takes the one below; dragging moves, or draws a rubber band.

    Signals:
        menu_wanted: a right click fell on an object, which is selected now; at that global QPoint.
    """

    menu_wanted = Signal(object)

    name: ClassVar[str] = "select"
    title: ClassVar[str] = phrase("Select and edit")
    hint: ClassVar[str] = phrase(
        "Click an object. Shift adds, Alt picks the one below. Drag to move; drag vertices; "
        "double-click an edge for a new vertex, Delete removes it."
    )
    icon: ClassVar[str] = "mdi6.cursor-default-outline"
    shortcut: ClassVar[str] = "V"

    _drag: _Drag | None = None
    _edited: tuple[Instance, ...] = ()
    _band: QRectF | None = None
    _hot: int | None = None
    _chosen: int | None = None
    _over: bool = False

    def activate(self) -> None:
        self.session.selection_changed.connect(self._on_selection_changed)
        self.session.document_changed.connect(self._on_document_changed)

    def deactivate(self) -> None:
        super().deactivate()
        self.session.selection_changed.disconnect(self._on_selection_changed)
        self.session.document_changed.disconnect(self._on_document_changed)

    def _on_selection_changed(self, _: tuple[str, ...]) -> None:
        self._hot = self._chosen = None

    def _on_document_changed(self, _: object) -> None:
        instance = self._editable()
        count = len(handles_of(instance.geometry)) if instance is not None else 0
        if self._hot is not None and self._hot >= count:
            self._hot = None
        if self._chosen is not None and self._chosen >= count:
            self._chosen = None
        if self._drag is not None and self._drag.originals:
            self.cancel()

    def _editable(self) -> Instance | None:
        """The one selected vector object that shows handles."""
        selected = self.session.selected_instances()
        if len(selected) != 1 or isinstance(selected[0].geometry, Mask) or selected[0].locked:
            return None
        return None if selected[0].id in self.session.hidden else selected[0]

    def _handle_at(self, event: PointerEvent) -> int | None:
        instance = self._editable()
        if instance is None:
            return None
        reach = HANDLE_REACH * self.view.devicePixelRatioF()
        best, found = reach, None
        for index, point in enumerate(handles_of(instance.geometry)):
            distance = math.dist(self.view.viewport.to_device(*point), (event.device_x, event.device_y))
            if distance < best:
                best, found = distance, index
        return found

    def _ask_for_menu(self, event: PointerEvent) -> None:
        found = instance_at(self.view, event.x, event.y)
        if found is not None:
            if found.id not in self.session.selection:
                self.session.select((found.id,))
            ratio = self.view.devicePixelRatioF()
            place = QPoint(round(event.device_x / ratio), round(event.device_y / ratio))
            self.menu_wanted.emit(self.view.widget.mapToGlobal(place))

    def pointer_press(self, event: PointerEvent) -> None:
        if event.right:
            self._ask_for_menu(event)
        if not event.left:
            return
        handle = self._handle_at(event)
        if handle is None and event.double and self._insert_vertex(event):
            return
        at, device = (event.x, event.y), (event.device_x, event.device_y)
        instance = self._editable()
        self._chosen = None
        if handle is not None and instance is not None:
            self._chosen = handle
            self._drag = _Drag(at, device, (instance,), handle)
            self.view.update()
            return
        found = self._pick(event)
        if found is None:
            self._drag = _Drag(at, device, adds=event.shift)
            if not event.shift:
                self.session.select(())
            return
        selection = self.session.selection
        if event.shift:
            others = tuple(i for i in selection if i != found.id)
            self.session.select(others if found.id in selection else (*selection, found.id))
        elif found.id not in selection or event.alt:
            self.session.select((found.id,))
        movable = tuple(i for i in self.session.selected_instances() if not i.locked)
        if movable and found.id in self.session.selection:
            self._drag = _Drag(at, device, movable)

    def _pick(self, event: PointerEvent) -> Instance | None:
        if not event.alt:
            return instance_at(self.view, event.x, event.y)
        stack = stack_at(self.view, event.x, event.y)
        current = next((k for k, i in enumerate(stack) if i.id in self.session.selection), -1)
        return stack[(current + 1) % len(stack)] if stack else None

    def _insert_vertex(self, event: PointerEvent) -> bool:
        instance = self._editable()
        document = self.session.document
        if instance is None or document is None or not can_gain_point(instance.geometry):
            return False
        edge, distance = nearest_edge(
            vertices(instance.geometry),
            (event.x, event.y),
            closed=is_region(instance.geometry),
        )
        if distance > reach_in_picture(self.view):
            return False
        geometry = with_inserted(instance.geometry, edge, (event.x, event.y))
        self._replace((_reshaped(instance, geometry),), phrase("Add a vertex"))
        self._chosen = edge + 1
        return True

    def pointer_move(self, event: PointerEvent) -> None:
        if self._drag is None:
            self._hover(event)
            return
        if not self._drag.started:
            travelled = math.dist(self._drag.device, (event.device_x, event.device_y))
            if travelled < MOVES_AFTER * self.view.devicePixelRatioF():
                return
            self._drag = replace(self._drag, started=True)
        if self._drag.originals:
            self._pull(event)
        else:
            x, y = self._drag.device
            self._show_band(QRectF(QPointF(x, y), QPointF(event.device_x, event.device_y)).normalized())

    def _hover(self, event: PointerEvent) -> None:
        hot = self._handle_at(event)
        over = hot is None and instance_at(self.view, event.x, event.y) is not None
        if hot != self._hot or over != self._over:
            self._hot, self._over = hot, over
            self.view.refresh_cursor()
            self.view.update()

    def _pull(self, event: PointerEvent) -> None:
        drag, document = self._drag, self.session.document
        assert drag is not None
        assert document is not None
        size = document.annotation.height, document.annotation.width
        if drag.handle is not None:
            x = min(max(event.x, 0.0), float(size[1]))
            y = min(max(event.y, 0.0), float(size[0]))
            original = drag.originals[0]
            self._edited = (_reshaped(original, with_point(original.geometry, drag.handle, (x, y))),)
        else:
            dx, dy = limited_shift(
                [i.geometry for i in drag.originals], event.x - drag.start[0], event.y - drag.start[1], size
            )
            self._edited = tuple(_reshaped(i, moved(i.geometry, dx, dy)) for i in drag.originals)
            current = self._edited[-1]
            if isinstance(current.geometry, Mask):
                color = self.session.color_of(current.label)
                self.view.preview.show(current.geometry.array, current.geometry.box, color, 0.4)
        self.view.update()

    def _show_band(self, band: QRectF | None) -> None:
        for box in (self._band, band):
            if box is not None:
                self.view.update_device_box(
                    (box.left() - 4, box.top() - 4, box.right() + 4, box.bottom() + 4)
                )
        self._band = band

    def pointer_release(self, event: PointerEvent) -> None:
        drag, edited, band = self._drag, self._edited, self._band
        self._drop_drag()
        if drag is None or not drag.started:
            return
        if edited:
            self._replace(edited, phrase("Move a vertex") if drag.handle is not None else phrase("Move"))
        elif band is not None:
            x0, y0 = self.view.viewport.to_image(band.left(), band.top())
            x1, y1 = self.view.viewport.to_image(band.right(), band.bottom())
            region = (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
            found = [instance.id for instance in instances_in(self.view, region)]
            self.session.select((*self.session.selection, *found) if drag.adds else found)

    def _replace(self, instances: tuple[Instance, ...], title: str, merge_key: str | None = None) -> None:
        document = self.session.document
        if document is None:
            return
        try:
            document.replace(*instances, title=Title(title), merge_key=merge_key)
        except LockedError:
            self.session.message.emit(tr("The object is locked."))

    def _drop_drag(self) -> None:
        self._drag, self._edited = None, ()
        self._show_band(None)
        self.view.preview.clear()
        self.view.update()

    def cancel(self) -> None:
        if self._drag is None and self.view.tool is self:
            self.session.select(())
        self._drop_drag()

    def claims_key(self, event: QKeyEvent) -> bool:
        removes = event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
        drops = is_plain(event, DROP_KEY) and (self._drag is not None or bool(self.session.selection))
        return drops or (removes and self._chosen is not None)

    def key_press(self, event: QKeyEvent) -> bool:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self._remove_vertex()
        if event.key() in NUDGES:
            dx, dy = NUDGES[Qt.Key(event.key())]
            step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            return self._nudge(dx * step, dy * step)
        return False

    def _remove_vertex(self) -> bool:
        instance = self._editable()
        if instance is None or self._chosen is None:
            return False
        if can_lose_point(instance.geometry):
            geometry = without_point(instance.geometry, self._chosen)
            self._chosen = self._hot = None
            self._replace((_reshaped(instance, geometry),), phrase("Remove a vertex"))
        return True

    def _nudge(self, dx: float, dy: float) -> bool:
        document = self.session.document
        chosen = [i for i in self.session.selected_instances() if not i.locked]
        if document is None or not chosen:
            return False
        size = document.annotation.height, document.annotation.width
        dx, dy = limited_shift([i.geometry for i in chosen], dx, dy, size)
        if dx or dy:
            shifted = tuple(_reshaped(i, moved(i.geometry, dx, dy)) for i in chosen)
            self._replace(shifted, phrase("Move"), merge_key="nudge:" + ",".join(i.id for i in chosen))
        return True

    def paint(self, painter: QPainter) -> None:
        viewport, ratio = self.view.viewport, self.view.devicePixelRatioF()
        for instance in self._edited:
            if not isinstance(instance.geometry, Mask):
                fill = self.session.color_of(instance.label)
                fill.setAlphaF(0.3)
                draw_path(painter, path_of(instance.geometry, viewport), WHITE, ratio, fill=fill)
        shown = self._edited[0] if len(self._edited) == 1 else self._editable()
        if shown is not None:
            kind = kind_of(shown.geometry)
            square = kind.is_cornered and kind.least is None
            for index, point in enumerate(handles_of(shown.geometry)):
                x, y = viewport.to_device(*point)
                if -20 <= x <= viewport.width + 20 and -20 <= y <= viewport.height + 20:
                    hot = index in (self._hot, self._chosen)
                    draw_handle(painter, QPointF(x, y), ratio, hot=hot, square=square)
        if self._band is not None:
            draw_rubber_band(painter, self._band, ratio)

    def cursor(self) -> QCursor | Qt.CursorShape:
        if self._hot is not None:
            return Qt.CursorShape.SizeAllCursor
        return Qt.CursorShape.PointingHandCursor if self._over else Qt.CursorShape.ArrowCursor


def _reshaped(instance: Instance, geometry: Geometry) -> Instance:
    """The instance with another geometry; one that was grown from seeds is so no longer."""
    edited = replace(instance.provenance, edited=True)
    return replace(instance, geometry=geometry, provenance=edited)
