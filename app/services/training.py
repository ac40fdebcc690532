"""Fine-tuning in the background: starts it, follows it, and hands over what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import tr
from app.workers.task import TaskRunner
from app.workers.training import (
    CountObjects,
    TrainingOutcome,
    TrainingProgress,
    TrainingSummary,
    TrainRequest,
    run_training_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.workers.failure import Failure
    from app.workers.task import Work


class Training(QObject):
    """Owns the training worker. Inference goes on with the old weights meanwhile.

    Signals:
        summary_ready: a TrainingSummary, the answer to `count_objects`.
        progressed: a TrainingProgress.
        finished: a TrainingOutcome.
        stopped_without_result: discarded, or failed (which the notification centre tells).
        busy_changed: text for the status bar, None when nothing runs.
    """

    summary_ready = Signal(object)
    progressed = Signal(object)
    finished = Signal(object)
    stopped_without_result = Signal()
    busy_changed = Signal(object)

    def __init__(
        self,
        pictures: Pictures,
        saving: Saving,
        notices: NotificationCentre,
        *,
        architecture: Callable[[], str],
        store: Path,
        work: Work | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._pictures = pictures
        self._saving = saving
        self._notices = notices
        self._architecture = architecture
        self._store = store
        self._running: TrainRequest | None = None
        self.runner = TaskRunner(work or run_training_job, name="training", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        self.runner.progressed.connect(self._follow)

    @property
    def is_running(self) -> bool:
        """Whether a training runs or ends just now."""
        return self._running is not None

    def count_objects(self, *, reviewed_only: bool = False) -> None:
        """Counts what the open pictures offer; `summary_ready` answers."""
        if self._running is None:
            self._saving.save_now()
            self.runner.submit(CountObjects(tuple(self._pictures.label_files()), reviewed_only), key="count")

    def start(self, *, minutes: float, reviewed_only: bool = False) -> None:
        """Trains for about so long on the saved annotations of the open pictures."""
        folder = self._pictures.folder
        if self._running is not None or folder is None:
            return
        self._saving.save_now()
        self._running = TrainRequest(folder, minutes, self._architecture(), self._store, reviewed_only)
        self.runner.submit(self._running, key="train")
        self.busy_changed.emit(tr("Training…"))

    def stop_and_keep(self) -> None:
        """Ends after the current step; `finished` brings the best weights so far."""
        if self._running is not None:
            self._running.stop_early.set()

    def discard(self) -> None:
        """Ends after the current step and throws the result away."""
        if self._running is not None:
            self._running.discard.set()
            self._running.stop_early.set()

    def shutdown(self) -> bool:
        """Joins the worker; a training that was asked to keep its best still writes it."""
        keep = self._running is not None and self._running.stop_early.is_set()
        return self.runner.shutdown(finish=keep, wait_ms=30_000)

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(result, TrainingSummary):
            self.summary_ready.emit(result)
        elif isinstance(request, TrainRequest):
            self._running = None
            self.busy_changed.emit(None)
            if isinstance(result, TrainingOutcome):
                self.finished.emit(result)
            else:
                self.stopped_without_result.emit()

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        self._notices.report(failure)
        if isinstance(request, TrainRequest):
            self._running = None
            self.busy_changed.emit(None)
            self.stopped_without_result.emit()

    @Slot(object, object)
    def _follow(self, request: object, event: object) -> None:
        if isinstance(event, TrainingProgress) and request is self._running:
            self.progressed.emit(event)
            if event.share is not None:
                self.busy_changed.emit(tr("Training: {percent} %", percent=round(100 * event.share)))
