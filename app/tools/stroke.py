"""What the painting tools share: a stroke on an object's mask, or on a new object, is one step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from PySide6.QtCore import Qt, Slot

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.canvas.tool import DROP_KEY, Tool, is_plain, turns_second
from app.document.document import LockedError
from app.tools.picking import instance_at
from converters.annotation import Instance, Mask, new_instance_id

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.pixels.viewport import Region
    from app.session import Session
    from converters.annotation import Vertex

EMPTY: Final = Mask(0, 0, np.zeros((0, 0), np.bool_))
SHORTEST_MOVE: Final = 0.25
"""Picture pixels the pointer must travel to paint on."""


@dataclass(slots=True, kw_only=True)
class Stroke(ABC):
    """A stroke in progress.

    Attributes:
        target: the object painted on, as it was; for a new one an object with an empty mask.
        is_new: whether the document does not know it yet.
        erases: whether pixels are taken away.
        size: (height, width) of the picture.
        points: where the pointer has been, picture pixels.
        box: what the stroke has touched so far.
    """

    target: Instance
    is_new: bool
    erases: bool
    size: tuple[int, int]
    points: list[Vertex] = field(default_factory=list)
    box: Region | None = None

    @property
    def before(self) -> Mask:
        """The mask painted on, as it was."""
        assert isinstance(self.target.geometry, Mask)
        return self.target.geometry

    @abstractmethod
    def cover(self, start: Vertex, end: Vertex) -> Mask:
        """What the stroke covers on the way between two points, as far as it was not covered before."""

    @abstractmethod
    def paint(self) -> Mask:
        """The target's mask after the whole stroke."""


class StrokeTool(Tool):
    """Follows the pointer and shows every piece of the stroke at once; the stroke says what it covers."""

    mends: ClassVar[bool] = True

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._stroke: Stroke | None = None
        self._last: Vertex | None = None

    @abstractmethod
    def _erases(self, event: PointerEvent) -> bool:
        """Whether a stroke that begins so takes pixels away."""

    @abstractmethod
    def _begin(self, target: Instance, *, is_new: bool, erases: bool, size: tuple[int, int]) -> Stroke | None:
        """A stroke without points; None, with a message, if none can begin now."""

    @abstractmethod
    def resize(self, steps: float) -> None:
        """Make what the tool paints with so many steps larger."""

    def activate(self) -> None:
        self.session.document_opened.connect(self._on_document_opened)
        self.session.document_changed.connect(self._on_document_changed)

    def deactivate(self) -> None:
        super().deactivate()
        self.session.document_opened.disconnect(self._on_document_opened)
        self.session.document_changed.disconnect(self._on_document_changed)

    @Slot(object)
    def _on_document_opened(self, _: object) -> None:
        self._stroke = self._last = None

    @Slot(object)
    def _on_document_changed(self, _: object) -> None:
        stroke = self._stroke
        if stroke is None or stroke.is_new or self.session.instance(stroke.target.id) is stroke.target:
            return
        self.cancel()  # undone while painting: what it paints on is gone or looks different

    def pointer_press(self, event: PointerEvent) -> None:
        if not (event.left or event.right) or self._stroke is not None:
            return
        erases = self._erases(event)
        target = self._target(event, erases)
        if target is None:
            return
        instance, is_new = target
        viewport = self.view.viewport
        size = viewport.image_height, viewport.image_width
        stroke = self._begin(instance, is_new=is_new, erases=erases, size=size)
        if stroke is None:
            return
        at = (event.x, event.y)
        start = self._last if event.shift and self._last is not None else at
        stroke.points.append(start)
        self._stroke = stroke
        self.view.annotations.begin_stroke(instance)
        self._paint_to(start)
        if start != at:
            self._paint_to(at)

    def _target(self, event: PointerEvent, erases: bool) -> tuple[Instance, bool] | None:
        """The object this stroke works on, and whether it is a new one; None tells the user why not."""
        document = self.session.document
        if document is None:
            return None
        if self.session.arrivals.is_expected(document):
            self.session.message.emit(tr("The mask is still being computed."))
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
        at = (event.x, event.y)
        if self._stroke is not None and math.dist(at, self._stroke.points[-1]) >= SHORTEST_MOVE:
            self._paint_to(at)

    def _paint_to(self, at: Vertex) -> None:
        """Show one more piece of the stroke; only its own box is touched."""
        stroke = self._stroke
        assert stroke is not None
        piece = stroke.cover(stroke.points[-1], at)
        stroke.points.append(at)
        if piece.is_empty:
            return
        stroke.box = _joined(stroke.box, piece.box)
        self.view.annotations.write_stroke(stroke.target.id, piece, erases=stroke.erases)

    def pointer_release(self, event: PointerEvent) -> None:
        self._finish()

    @property
    def is_pending(self) -> bool:
        return self._stroke is not None

    def settle(self) -> None:
        """The stroke ends where the pointer is; it shows already, and what comes of it can be undone."""
        self._finish()

    def _finish(self) -> None:
        stroke = self._stroke
        if stroke is None:
            return
        self._stroke, self._last = None, stroke.points[-1]
        mask = stroke.paint()
        self.view.annotations.end_stroke()
        if stroke.box is None or mask == stroke.before:
            self._take_back(stroke)
            return
        try:
            self._put(stroke, mask)
        except LockedError:
            self.session.message.emit(tr("The object is locked."))
            self._take_back(stroke)

    def _put(self, stroke: Stroke, mask: Mask) -> None:
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

    def _take_back(self, stroke: Stroke) -> None:
        if stroke.box is not None:
            self.view.annotations.refresh(stroke.box)

    def cancel(self) -> None:
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self.view.annotations.end_stroke()
            self._take_back(stroke)
        elif self.view.tool is self:
            self.session.select(())  # the next stroke begins a new object

    def commit(self) -> None:
        if self._stroke is None:
            self.session.select(())

    def wheel(self, steps: float, modifiers: Qt.KeyboardModifier) -> bool:
        if not turns_second(modifiers):
            return False
        self.resize(steps)
        return True

    def claims_key(self, event: QKeyEvent) -> bool:
        return is_plain(event, DROP_KEY) and (self.is_pending or bool(self.session.selection))

    def key_press(self, event: QKeyEvent) -> bool:
        steps = {"[": -1, "]": 1}.get(event.text())
        if steps is None:
            return False
        self.resize(steps)
        return True


def _joined(a: Region | None, b: Region) -> Region:
    if a is None:
        return b
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
