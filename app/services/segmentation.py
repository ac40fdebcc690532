"""Keeps the session's encoding in step with the open picture, the view and the chosen model."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.appearance.i18n import tr
from app.workers.inference import InferenceEngine
from app.workers.requests import (
    EncodeImage,
    FindObjects,
    ListModels,
    LoadModel,
    LookCloser,
    LookedCloser,
    ModelChoice,
    ModelReady,
    Phase,
    Region,
)
from app.workers.similar import SearchPicture
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.pixels.base_image import OpenImage
    from app.services.notifications import NotificationCentre
    from app.session import Session
    from app.workers.failure import Failure

DETAIL_DELAY_MS: Final = 300
DETAIL_GAIN: Final = 1.5
"""A part is encoded by itself when that gives it so many times more input pixels per picture pixel."""
SMALLEST_DETAIL: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class FoundObjects:
    """What was found in the open picture and is being decided on.

    Attributes:
        closer: parts of the picture have been looked at, too.
    """

    encoding: Any
    predictions: Sequence[Any]
    closer: bool = False


class Segmentation(QObject):
    """Owns the inference worker.

    Signals:
        busy_changed: what is being worked on, or None.
        model_ready: a ModelReady.
        model_failed: no model could be loaded.
        objects_found: the predictions of `find_objects`, best first.
        looked_closer: the same with what parts of the picture show besides or better.
        models_listed: a tuple of ModelChoice.
    """

    busy_changed = Signal(object)
    model_ready = Signal(object)
    model_failed = Signal()
    objects_found = Signal(object)
    looked_closer = Signal(object)
    models_listed = Signal(object)

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        *,
        store: Path,
        engine: InferenceEngine | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._store = store
        self._model = LoadModel("seednet")
        self._choices: tuple[ModelChoice, ...] = ()
        self._ready: ModelReady | None = None
        self._started = False
        self._visible: Region | None = None
        self._closer = False
        self._found: FoundObjects | None = None
        self.runner = TaskRunner(engine or InferenceEngine(), name="inference", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        self.runner.progressed.connect(self._show_phase)
        self.runner.busy_changed.connect(self._follow_busy)
        self._detail_timer = QTimer(self)
        self._detail_timer.setSingleShot(True)
        self._detail_timer.setInterval(DETAIL_DELAY_MS)
        self._detail_timer.timeout.connect(self._encode_detail)
        session.image_changed.connect(self._encode_picture)

    @property
    def model(self) -> ModelReady | None:
        """The model in use, None until it has been loaded."""
        return self._ready

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """The models of the list; empty until the first one has been loaded."""
        return self._choices

    @property
    def chosen(self) -> LoadModel:
        """What the model in use was asked for by, also while it is being loaded."""
        return self._model

    def architecture(self) -> str:
        """Registry name of the network in use."""
        return self._model.name

    @Slot()
    def start(self) -> None:
        """Loads the model; called after the first paint, because it imports torch."""
        self._started = True
        self.runner.submit(ListModels(self._store), key="list")

    def choose_version(self, version: str) -> bool:
        """Makes a version of the list (or a freshly trained one) the active one; False if the user would
        rather go on with what the model in use is making."""
        if not self._session.settle():
            self.models_listed.emit(self._choices)  # the list shows the model in use again
            return False
        own = {choice.version: choice.model.weights is not None for choice in self._choices}
        activate = version if own.get(version, True) else ""
        self.runner.submit(ListModels(self._store, activate), key="list")
        return True

    def _load(self, model: LoadModel) -> None:
        self._model = model
        self._ready = None
        self._session.set_encoding(None)
        self.runner.submit(model, key="model")
        self._encode_picture(self._session.image)

    def find_objects(self) -> None:
        """Asks the encoding for every object; `objects_found` answers, `looked_closer` perhaps later."""
        self.forget_found()
        if self._session.encoding is not None:
            self.runner.submit(FindObjects(self._session.encoding), key="objects")

    @Slot(bool)
    def set_closer(self, on: bool) -> None:
        """Whether searches look closer, too; what is being decided on follows at once."""
        self._closer = on
        if on:
            self._look_closer()
        else:
            self.runner.cancel("closer")

    @Slot()
    def forget_found(self) -> None:
        """Nobody decides on what was found any more."""
        self._found = None
        self.runner.cancel("closer")

    def _look_closer(self) -> None:
        image, found = self._session.image, self._found
        if image is not None and found is not None and not found.closer:
            request = LookCloser(found.encoding, image.array, found.predictions, self._model)
            self.runner.submit(request, key="closer")

    def _follow_closer(self, request: LookCloser, result: LookedCloser) -> None:
        if result.objects is None:
            following = replace(request, parts=request.parts + 1, seen=result.seen)
            self.runner.submit(following, key="closer")
            return
        self._found = FoundObjects(request.encoding, result.objects, closer=True)
        self.looked_closer.emit(result.objects)

    def shutdown(self) -> bool:
        """Cancels and joins the worker."""
        self._detail_timer.stop()
        return self.runner.shutdown()

    @Slot(object)
    def _encode_picture(self, image: OpenImage | None) -> None:
        for key in ("encode", "detail", "objects"):
            self.runner.cancel(key)
        self.forget_found()
        self._visible = None
        if image is not None and self._started:
            self.runner.submit(EncodeImage(image.array, _cache_key(image), self._model), key="encode")

    @Slot(object)
    def follow_view(self, region: Region) -> None:
        """The visible box of the picture changed; a close look gets an encoding of its own."""
        self._visible = region
        self._detail_timer.start()

    @Slot()
    def _encode_detail(self) -> None:
        image, region, whole = self._session.image, self._visible, self._session.encoding
        if image is None or region is None or whole is None:
            return
        wanted = _with_room(region, image.height, image.width)
        x0, y0, x1, y1 = wanted
        long_side = max(x1 - x0, y1 - y0)
        picture = max(image.height, image.width)
        gain = picture / max(long_side, whole.input_side)
        if gain < DETAIL_GAIN or min(x1 - x0, y1 - y0) < SMALLEST_DETAIL:
            return
        detail = self._session.detail
        if detail is not None and _covers(detail.region, region):
            dx0, dy0, dx1, dy1 = detail.region
            if max(dx1 - dx0, dy1 - dy0) / max(long_side, whole.input_side) < DETAIL_GAIN:
                return
        request = EncodeImage(image.array, _cache_key(image), self._model, wanted)
        self.runner.submit(request, key="detail")

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(request, LoadModel):
            self._take_model(request, result)
        elif isinstance(request, ListModels):
            self._take_choices(result)
        elif isinstance(request, FindObjects):
            self._take_objects(request, result)
        elif isinstance(request, LookCloser):
            if self._found is not None and request.encoding is self._found.encoding:
                self._follow_closer(request, result)
        elif isinstance(request, EncodeImage):
            self._take_encoding(request, result)

    def _take_model(self, request: LoadModel, ready: ModelReady) -> None:
        if request == self._model:
            self._ready = ready
            self.model_ready.emit(ready)
            if ready.notice:
                self._notices.post("info", ready.notice)

    def _take_choices(self, choices: tuple[ModelChoice, ...]) -> None:
        self._choices = choices
        self.models_listed.emit(choices)
        active = next((choice.model for choice in choices if choice.active), self._model)
        if self._ready is None or active != self._model:
            self._load(active)

    def _take_objects(self, request: FindObjects, found: Any) -> None:
        if request.encoding is self._session.encoding:
            self._found = FoundObjects(request.encoding, found)
            self.objects_found.emit(found)
            if self._closer:
                self._look_closer()

    def _take_encoding(self, request: EncodeImage, encoding: Any) -> None:
        image = self._session.image
        if image is None or request.image is not image.array or request.model != self._model:
            return
        if request.region is None:
            self._session.set_encoding(encoding)
            self._detail_timer.start()
        else:
            self._session.set_detail(encoding)

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        if isinstance(request, SearchPicture):
            return  # the search tells of all its pictures together
        if isinstance(request, EncodeImage) and self._ready is None:
            return  # the model itself could not be loaded, which has been reported already
        if isinstance(request, LoadModel | ListModels) and self._ready is None:
            self._started = False
            self.model_failed.emit()
            self._notices.report(failure, retry_title=tr("Try again"), retry=self.start)
            return
        self._notices.report(failure)

    @Slot(object, object)
    def _show_phase(self, _request: object, event: object) -> None:
        if isinstance(event, Phase):
            self.busy_changed.emit(tr(event.title))

    @Slot(bool)
    def _follow_busy(self, busy: bool) -> None:
        if not busy:
            self.busy_changed.emit(None)


def _cache_key(image: OpenImage) -> str:
    """Path and a checksum of some pixels: a file that was changed on disk gets a new encoding."""
    sample = zlib.crc32(image.array[::31, ::31].tobytes())
    return f"{image.path}:{image.height}x{image.width}:{sample:08x}"


def _covers(outer: Region, inner: Region) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _with_room(region: Region, height: int, width: int) -> Region:
    """The region with a tenth of its size around it, inside the picture."""
    x0, y0, x1, y1 = region
    dx, dy = (x1 - x0) // 10, (y1 - y0) // 10
    return max(0, x0 - dx), max(0, y0 - dy), min(width, x1 + dx), min(height, y1 + dy)
