"""The superpixel brush: paint with regions that follow the picture's edges instead of a disc."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt, Slot

from app.appearance.i18n import phrase, tr
from app.editing.limits import BRUSH_RADIUS, SUPERPIXEL_SIZE
from app.editing.mask_edits import stroke_mask
from app.tools.stroke import Stroke, StrokeTool
from converters.shapes import geometry

if TYPE_CHECKING:
    from PySide6.QtGui import QCursor

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.editing.superpixels import Superpixels
    from app.session import Session
    from converters.annotation import Instance, Mask, Vertex

SIZE_STEP = 1.15
HOVER_OPACITY = 0.32


@dataclass(slots=True, kw_only=True)
class SuperpixelStroke(Stroke):
    """A stroke over superpixels: every one that the pointer has been on belongs to it.

    Attributes:
        superpixels: those that showed when it began; others may come meanwhile.
        labels: the numbers of those it covers so far.
    """

    superpixels: Superpixels
    labels: set[int] = field(default_factory=set)

    def cover(self, start: Vertex, end: Vertex) -> Mask:
        way = stroke_mask([start, end], BRUSH_RADIUS.minimum, *self.size)
        met = self.superpixels.under(way) - self.labels
        self.labels |= met
        return self.superpixels.mask_of(met)

    def paint(self) -> Mask:
        covered = self.superpixels.mask_of(self.labels)
        combine = geometry.difference if self.erases else geometry.union
        return combine(self.before, covered)


class SuperpixelTool(StrokeTool):
    """Adds whole superpixels; the right button or Alt takes them away."""

    name: ClassVar[str] = "superpixel"
    title: ClassVar[str] = phrase("Superpixel brush")
    hint: ClassVar[str] = phrase(
        "Drag over superpixels to add them to the selected object or a new one; right button or Alt "
        "erases. [ and ] or Alt+wheel change their size."
    )
    icon: ClassVar[str] = "mdi6.hexagon-multiple-outline"
    shortcut: ClassVar[str] = "X"

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._pointer: Vertex | None = None
        self._shown: tuple[Superpixels, int, str] | None = None

    def activate(self) -> None:
        super().activate()
        self.view.superpixels.changed.connect(self._on_superpixels_changed)
        self.view.superpixels.busy_changed.connect(self._on_busy_changed)
        self.view.superpixels.set_on(True)

    def deactivate(self) -> None:
        super().deactivate()
        self.view.superpixels.set_on(False)
        self.view.superpixels.changed.disconnect(self._on_superpixels_changed)
        self.view.superpixels.busy_changed.disconnect(self._on_busy_changed)
        self._pointer = None
        self._show_hover()

    @Slot()
    def _on_superpixels_changed(self) -> None:
        self._show_hover()

    @Slot()
    def _on_busy_changed(self) -> None:
        self.view.refresh_cursor()

    def _erases(self, event: PointerEvent) -> bool:
        return event.right or event.alt

    def _begin(
        self, target: Instance, *, is_new: bool, erases: bool, size: tuple[int, int]
    ) -> SuperpixelStroke | None:
        superpixels = self.view.superpixels.current
        if superpixels is None:
            self.session.message.emit(tr("The superpixels are still being computed."))
            return None
        return SuperpixelStroke(
            target=target, is_new=is_new, erases=erases, size=size, superpixels=superpixels
        )

    def pointer_press(self, event: PointerEvent) -> None:
        super().pointer_press(event)
        self._show_hover()

    def pointer_move(self, event: PointerEvent) -> None:
        super().pointer_move(event)
        self._pointer = (event.x, event.y)
        self._show_hover()

    def pointer_release(self, event: PointerEvent) -> None:
        super().pointer_release(event)
        self._show_hover()

    def pointer_leave(self) -> None:
        self._pointer = None
        self._show_hover()

    def cancel(self) -> None:
        super().cancel()
        self._show_hover()

    def _show_hover(self) -> None:
        """Light up the superpixel under the pointer, except while painting."""
        superpixels, hovered = self.view.superpixels.current, None
        if superpixels is not None and self._pointer is not None and self._stroke is None:
            label = superpixels.label_at(*self._pointer)
            selected = self.session.selected_instances()
            name = selected[-1].label if selected else self.session.options.label
            hovered = (superpixels, label, name) if label is not None else None
        if hovered == self._shown:
            return
        self._shown = hovered
        if hovered is None:
            self.view.preview.clear()
            return
        superpixels, label, name = hovered
        mask = superpixels.mask_of([label])
        self.view.preview.show(mask.array, mask.box, self.session.color_of(name), HOVER_OPACITY)

    def resize(self, steps: float) -> None:
        size = self.session.options.superpixel_size
        wanted = round(size * SIZE_STEP**steps)
        if wanted == size:
            wanted += 1 if steps > 0 else -1
        self.session.set_option("superpixel_size", float(SUPERPIXEL_SIZE.clamped(wanted)))

    def cursor(self) -> QCursor | Qt.CursorShape:
        layer = self.view.superpixels
        waiting = layer.is_busy and layer.current is None
        return Qt.CursorShape.BusyCursor if waiting else Qt.CursorShape.CrossCursor
