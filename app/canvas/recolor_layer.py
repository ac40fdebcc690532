"""Recoloured objects on the canvas: a second copy of the picture in which they are already painted.

The copy exists only while something is recoloured. Patches are computed off the GUI thread and
written where they differ from the picture, so drawing costs the same as drawing the picture.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from app.pixels.base_image import refresh_mips
from app.workers.task import OnEvent, TaskRunner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.canvas.annotation_layer import AnnotationLayer
    from app.canvas.surface import Surface
    from app.document.change import Change
    from app.pixels.base_image import OpenImage
    from app.pixels.viewport import Region
    from app.process.stopping import ShouldStop
    from app.recolor.engine import PreparedObject
    from app.workers.failure import Failure
    from converters.annotation import Instance, Mask, RecolorOperation

KEPT_BYTES = 64 * 2**20
"""Patches kept for colours tried before, so that undo and redo are immediate."""

PREPARED_KEPT = 4
"""Objects whose analysis is kept, for a slider that is being dragged."""

Key = tuple[str, int, str, tuple[tuple[str, float], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A recoloured part of the picture.

    Attributes:
        mask: the region it was made for (held, so that its identity stays a valid key).
        region: half-open picture box.
        pixels: (h, w, 4) uint8 in Qt's RGB32 byte order.
        changed: (h, w) bool, where they differ from the picture.
    """

    mask: Mask
    region: Region
    pixels: NDArray[np.uint8]
    changed: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + self.changed.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class MakePatch:
    """Recolour one object at preview quality.

    Attributes:
        key: what the patch is kept by.
        prepared: the object's analysis if it is known, which makes it several times quicker.
    """

    image: OpenImage
    key: Key
    mask: Mask
    operation: RecolorOperation
    prepared: PreparedObject | None


@dataclass(frozen=True, slots=True, eq=False)
class CopyMips:
    """Copy the picture's mip chain to be painted on."""

    image: OpenImage


def recolor_job(request: MakePatch | CopyMips, should_stop: ShouldStop, _on_event: OnEvent) -> Any:
    """Answers a MakePatch with a Patch and the object's analysis, a CopyMips with (h, w, 4) uint8 arrays."""
    if isinstance(request, CopyMips):
        return tuple(mip.copy() for mip in request.image.mips)
    return make_patch(request, should_stop)


def make_patch(request: MakePatch, should_stop: ShouldStop) -> tuple[Patch, PreparedObject]:
    """The recoloured object, and its analysis.

    Raises:
        Stopped: `should_stop` said so.
    """
    # Loaded with the first recoloured object: the window's start has no use for the engine.
    from app.recolor.engine import prepare

    picture, mask = request.image.array, request.mask
    ready = request.prepared or prepare(picture, mask, quality="preview", should_stop=should_stop)
    made = ready.render(request.operation, should_stop)
    height, width = made.rgb.shape[:2]
    region = (made.x0, made.y0, made.x0 + width, made.y0 + height)
    before = picture[region[1] : region[3], region[0] : region[2]]
    changed = (made.rgb != before).any(axis=2)
    pixels = np.empty((height, width, 4), np.uint8)
    if pixels.size:
        cv2.cvtColor(made.rgb, cv2.COLOR_RGB2BGRA, dst=pixels)
    return Patch(mask, region, pixels, changed), ready


class RecolorLayer(QObject):
    """Keeps the recoloured copy in step with the document.

    Attributes:
        mips: the recoloured picture and its halved copies; None while nothing is recoloured.

    Signals:
        settled: every recoloured object of the document is on the canvas.
    """

    settled = Signal()

    def __init__(self, view: Surface, annotations: AnnotationLayer) -> None:
        super().__init__(view.widget)
        self._view = view
        self._annotations = annotations
        self._session = view.session
        self._runner = TaskRunner(recolor_job, name="recolour", parent=self)
        self._runner.finished.connect(self._on_finished)
        self._runner.dropped.connect(self._on_finished)  # made for nothing now, but known when it is wanted
        self._runner.failed.connect(self._on_failed)
        self._copy: tuple[NDArray[np.uint8], ...] | None = None
        self._known: OrderedDict[Key, Patch] = OrderedDict()
        self._prepared: OrderedDict[int, tuple[Mask, PreparedObject]] = OrderedDict()
        self._wanted: dict[str, Key] = {}
        self._shown: dict[str, Patch] = {}
        self._trial: tuple[str, RecolorOperation] | None = None
        self._session.image_changed.connect(self._on_image_changed)
        self._session.document_opened.connect(self._sync)
        self._session.document_changed.connect(self._on_document_changed)

    @property
    def mips(self) -> tuple[NDArray[np.uint8], ...] | None:
        return self._copy if self._shown else None

    @property
    def is_settled(self) -> bool:
        """Whether everything that should be recoloured is."""
        return (
            all(
                instance_id in self._shown and self._known.get(key) is self._shown[instance_id]
                for instance_id, key in self._wanted.items()
            )
            and self._shown.keys() <= self._wanted.keys()
        )

    def try_color(self, instance_id: str | None, operation: RecolorOperation | None) -> None:
        """Show an object in a colour the document does not have (yet); None ends the trial."""
        trial = (instance_id, operation) if instance_id is not None and operation is not None else None
        if trial != self._trial:
            self._trial = trial
            self._sync()

    def shutdown(self) -> None:
        """Stop the background work."""
        self._runner.shutdown()

    @Slot(object)
    def _on_image_changed(self, image: OpenImage | None) -> None:
        self._runner.cancel()
        self._copy, self._trial = None, None
        self._known.clear()
        self._prepared.clear()
        self._wanted.clear()
        self._shown.clear()

    @Slot(object)
    def _on_document_changed(self, change: Change) -> None:
        touched = self._session.instances((*change.added, *change.changed))
        if self._wanted or self._shown or any(instance.recolor is not None for instance in touched):
            self._sync()

    def _recolored(self) -> list[tuple[Instance, RecolorOperation]]:
        document = self._session.document
        if document is None:
            return []
        found = []
        for instance in document.annotation.instances:
            operation = instance.recolor
            if self._trial is not None and self._trial[0] == instance.id:
                operation = self._trial[1]
            if operation is not None:
                found.append((instance, operation))
        return found

    @Slot(object)
    def _sync(self, _: object = None) -> None:
        """Ask for the patches that are missing and take away those no longer wanted."""
        image, labels = self._session.image, self._annotations.labels
        if image is None or labels is None:
            return
        wanted: dict[str, Key] = {}
        for instance, operation in self._recolored():
            mask = labels.raster_of(instance)
            if mask is None or mask.is_empty:
                continue
            key = (instance.id, id(mask), operation.color, tuple(sorted(operation.settings.items())))
            wanted[instance.id] = key
            if key in self._known:
                self._known.move_to_end(key)
            elif self._wanted.get(instance.id) != key:
                if self._copy is None:
                    self._runner.submit(CopyMips(image), key="copy")
                prepared = self._prepared.get(id(mask), (None, None))[1]
                request = MakePatch(image, key, mask, operation, prepared)
                self._runner.submit(request, key=("patch", instance.id))
        self._wanted = wanted
        self._place()

    @Slot(object, object)
    def _on_finished(self, request: MakePatch | CopyMips, result: Any) -> None:
        if request.image is not self._session.image:
            return
        if isinstance(request, CopyMips):
            self._copy = self._copy or result  # one that is being painted on stays
        else:
            patch, prepared = result
            self._known[request.key] = patch
            self._prepared[id(patch.mask)] = patch.mask, prepared
            self._forget_old()
        self._place()

    @Slot(object, object)
    def _on_failed(self, request: MakePatch | CopyMips, failure: Failure) -> None:
        if request.image is not self._session.image:
            return
        if isinstance(request, CopyMips) or self._wanted.get(request.key[0]) == request.key:
            self._session.failed.emit(failure)

    def _forget_old(self) -> None:
        while len(self._prepared) > PREPARED_KEPT:
            self._prepared.popitem(last=False)
        used = set(self._wanted.values())
        total = sum(patch.nbytes for patch in self._known.values())
        for key in list(self._known):
            if total <= KEPT_BYTES:
                return
            if key not in used:
                total -= self._known.pop(key).nbytes

    def _place(self) -> None:
        """Write what changed into the copy: the picture's pixels first, then the patches on them."""
        image = self._session.image
        if self._copy is None or image is None:
            return
        # A patch for an older colour stays until the newer one is ready: no flash of the original.
        target = {i: self._known.get(key, self._shown.get(i)) for i, key in self._wanted.items()}
        boxes = [patch.region for i, patch in self._shown.items() if target.get(i) is not patch]
        boxes += [p.region for i, p in target.items() if p is not None and self._shown.get(i) is not p]
        self._shown = {i: patch for i, patch in target.items() if patch is not None}
        for box in boxes:
            x0, y0, x1, y1 = box
            self._copy[0][y0:y1, x0:x1] = image.mips[0][y0:y1, x0:x1]
            for patch in self._shown.values():
                self._blit(patch, box)
            refresh_mips(self._copy, box)
            self._view.update_image_box(box, margin=8)
        if boxes and self.is_settled:
            self.settled.emit()

    def _blit(self, patch: Patch, box: Region) -> None:
        assert self._copy is not None
        x0, y0 = max(box[0], patch.region[0]), max(box[1], patch.region[1])
        x1, y1 = min(box[2], patch.region[2]), min(box[3], patch.region[3])
        if x0 >= x1 or y0 >= y1:
            return
        part = np.s_[y0 - patch.region[1] : y1 - patch.region[1], x0 - patch.region[0] : x1 - patch.region[0]]
        cv2.copyTo(
            patch.pixels[part],
            patch.changed[part].view(np.uint8),
            self._copy[0][y0:y1, x0:x1],
        )
