"""Snaps the selected objects to superpixels, computed off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.editing.combine import Snapped, snapped
from app.editing.superpixels import (
    Superpixels,
    compute_superpixels,
    region_to_divide,
)
from app.workers.task import OnEvent, TaskRunner

if TYPE_CHECKING:
    from app.canvas.view import CanvasView
    from app.pixels.base_image import OpenImage
    from app.pixels.viewport import Region
    from app.process.stopping import ShouldStop
    from app.services.object_commands import ObjectCommands
    from app.session import Session
    from app.workers.failure import Failure
    from converters.annotation import Instance, Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """What to snap.

    Attributes:
        regions: objects as they were when the command was given, each with the pixels it covers.
        region: the part of the picture to divide.
        known: superpixels to take instead of computing some.
    """

    image: OpenImage
    regions: tuple[tuple[Instance, Mask], ...]
    size: float
    region: Region
    known: Superpixels | None


class Snapping(QObject):
    """The command that snaps objects to superpixels.

    Signals:
        busy_changed: what is being worked on, or None.
    """

    busy_changed = Signal(object)

    def __init__(
        self, session: Session, canvas: CanvasView, objects: ObjectCommands, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._canvas = canvas
        self._objects = objects
        self._newest: _Request | None = None
        self._runner = TaskRunner(_snap, name="snapping", parent=self)
        self._runner.finished.connect(self._take)
        self._runner.failed.connect(self._fail)
        self._runner.ended.connect(self._finish)

    @property
    def is_busy(self) -> bool:
        """Whether objects are being snapped."""
        return self._newest is not None

    @Slot()
    def snap_to_superpixels(self) -> None:
        """Snaps the selected regions that are not locked, to the superpixels that show if they suit."""
        image, labels = self._session.image, self._canvas.annotations.labels
        _, chosen = self._objects.unlocked()
        if image is None or labels is None or not chosen:
            return
        covered = ((instance, labels.raster_of(instance)) for instance in chosen)
        regions = tuple((i, mask) for i, mask in covered if mask is not None and not mask.is_empty)
        if not regions:
            self._session.message.emit(tr("Nothing changes."))
            return
        boxes = np.array([mask.box for _, mask in regions])
        (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        size, box = self._session.options.superpixel_size, (x0, y0, x1, y1)
        region = region_to_divide(box, image.height, image.width, size)
        self._newest = _Request(image, regions, size, region, self._canvas.superpixels.suitable(box))
        self._runner.submit(self._newest)
        self.busy_changed.emit(tr("Snapping to superpixels…"))

    def shutdown(self) -> None:
        """Stops the background work."""
        self._runner.shutdown()

    @Slot(object, object)
    def _take(self, request: _Request, result: tuple[Superpixels, Snapped]) -> None:
        if request is not self._newest:
            return
        document = self._session.document
        if document is None or request.image is not self._session.image:
            return
        superpixels, found = result
        self._canvas.superpixels.keep(superpixels)
        as_asked = {instance.id: instance for instance, _ in request.regions}
        changed = [i for i in found.changed if self._session.instance(i.id) is as_asked[i.id]]
        if changed:
            document.replace(*changed, title=Title(phrase("Snap to superpixels")))
        if found.too_small:
            text = tr("Too small for superpixels of this size: {count}", count=found.too_small)
            self._session.message.emit(text)
        elif not changed:
            self._session.message.emit(tr("Nothing changes."))

    @Slot(object, object)
    def _fail(self, request: _Request, failure: Failure) -> None:
        if request is self._newest:
            self._session.failed.emit(failure)

    @Slot(object)
    def _finish(self, request: _Request) -> None:
        if request is self._newest:
            self._newest = None
            self.busy_changed.emit(None)


def _snap(request: _Request, should_stop: ShouldStop, _on_event: OnEvent) -> tuple[Superpixels, Snapped]:
    superpixels = request.known or compute_superpixels(
        request.image.array, request.size, request.region, should_stop
    )
    return superpixels, snapped(request.regions, superpixels)
