"""The recolour tool: click an object and it takes the chosen colour, shading kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt, QTimer, Slot

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.canvas.tool import Tool
from app.tools.picking import instance_at
from app.workers.task import OnEvent, TaskRunner
from converters.annotation import RecolorOperation

if TYPE_CHECKING:
    from PySide6.QtGui import QCursor

    from app.canvas.tool import PointerEvent, ToolSurface
    from app.pixels.base_image import OpenImage
    from app.process.stopping import ShouldStop
    from app.session import Session
    from app.workers.failure import Failure
    from converters.annotation import Instance, Mask

DWELL_MS = 140
"""How long the pointer rests on an object before it is shown in the new colour."""


@dataclass(frozen=True, slots=True, eq=False)
class PickColor:
    """Find out a region's own colour."""

    image: OpenImage
    mask: Mask


def pick_color(request: PickColor, _should_stop: ShouldStop, _on_event: OnEvent) -> str:
    """The colour, "#rrggbb"."""
    from app.recolor.engine import sample_color

    return sample_color(request.image.array, request.mask)


class RecolorTool(Tool):
    """Applies `options.color`; while it is chosen, a new colour or slider value goes live to the
    selected objects that are recoloured already."""

    name: ClassVar[str] = "recolor"
    title: ClassVar[str] = phrase("Recolour")
    hint: ClassVar[str] = phrase(
        "Click an object to give it the colour; rest on it to see it first. Alt-click picks up an "
        "object's colour, right-click gives the original back. Hold H to compare."
    )
    icon: ClassVar[str] = "mdi6.palette-outline"
    shortcut: ClassVar[str] = "C"

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(session, view)
        self._over: str | None = None
        self._tried: str | None = None
        self._dwell = QTimer(self)
        self._dwell.setSingleShot(True)
        self._dwell.setInterval(DWELL_MS)
        self._dwell.timeout.connect(self._try)
        self._runner = TaskRunner(pick_color, name="colour picker", parent=self)
        self._runner.finished.connect(self._on_color_picked)
        self._runner.failed.connect(self._on_failed)

    def activate(self) -> None:
        self.session.options_changed.connect(self._on_option_changed)
        self.session.document_opened.connect(self._on_document_opened)

    def deactivate(self) -> None:
        super().deactivate()
        self.session.options_changed.disconnect(self._on_option_changed)
        self.session.document_opened.disconnect(self._on_document_opened)
        self._over = None

    def shutdown(self) -> None:
        self._runner.shutdown()

    def _operation(self) -> RecolorOperation:
        options = self.session.options
        return RecolorOperation(options.color, options.recolor_settings)

    def _region_at(self, event: PointerEvent) -> Instance | None:
        found = instance_at(self.view, event.x, event.y)
        return found if found is not None and self.view.annotations.box_of(found) is not None else None

    def pointer_press(self, event: PointerEvent) -> None:
        document = self.session.document
        if document is None or event.double or not (event.left or event.right):
            return
        found = self._region_at(event)
        if found is None:
            self.session.message.emit(tr("There is no object here: make one with the seed tool first."))
            return
        self._end_trial()
        if event.left and event.alt:
            self._pick_color(found)
        elif event.left:
            self.session.select((found.id,))
            document.replace(
                replace(found, recolor=self._operation()),
                title=Title(phrase("Recolour {label}"), label=found.label),
            )
        elif found.recolor is not None:
            document.replace(
                replace(found, recolor=None),
                title=Title(phrase("Give {label} its colour back"), label=found.label),
            )

    def _pick_color(self, instance: Instance) -> None:
        """Make the object's own colour (or the one it was given) the chosen one."""
        if instance.recolor is not None:
            self.session.set_option("color", instance.recolor.color)
            return
        image, labels = self.session.image, self.view.annotations.labels
        mask = labels.raster_of(instance) if labels is not None else None
        if image is None or mask is None or mask.is_empty:
            return
        self._runner.submit(PickColor(image, mask))

    @Slot(object, object)
    def _on_color_picked(self, _: object, color: str) -> None:
        self.session.set_option("color", color)

    @Slot(object, object)
    def _on_failed(self, _: object, failure: Failure) -> None:
        self.session.failed.emit(failure)

    def pointer_move(self, event: PointerEvent) -> None:
        found = self._region_at(event)
        over = found.id if found is not None else None
        if over != self._over:
            self._over = over
            self._end_trial()
            self.view.refresh_cursor()
        if over is not None and self._tried is None:
            self._dwell.start()

    def pointer_leave(self) -> None:
        self._over = None
        self._end_trial()

    @Slot()
    def _try(self) -> None:
        """Show the object under the resting pointer in the chosen colour."""
        document = self.session.document
        instance = document.annotation.instance(self._over) if document and self._over else None
        if instance is not None and instance.recolor != self._operation():
            self._tried = instance.id
            self.view.recolored.try_color(instance.id, self._operation())

    def _end_trial(self) -> None:
        self._dwell.stop()
        self._tried = None
        self.view.recolored.try_color(None, None)

    def cancel(self) -> None:
        self._end_trial()

    @Slot(str)
    def _on_option_changed(self, name: str) -> None:
        document = self.session.document
        if document is None or name not in ("color", "recolor_settings"):
            return
        self._end_trial()
        chosen = [i for i in self.session.selected_instances() if i.recolor is not None]
        if chosen:
            operation = self._operation()
            document.replace(
                *(replace(instance, recolor=operation) for instance in chosen),
                title=Title(phrase("Change the colour")),
                merge_key="recolor:" + ",".join(instance.id for instance in chosen),
            )

    @Slot(object)
    def _on_document_opened(self, _: object) -> None:
        self._over = None
        self._end_trial()

    def cursor(self) -> QCursor | Qt.CursorShape:
        return Qt.CursorShape.PointingHandCursor if self._over is not None else Qt.CursorShape.ArrowCursor
