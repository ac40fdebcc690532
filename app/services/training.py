"""Fine-tuning in the background: starts it, follows it, and keeps what came of it until somebody decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import phrase, tr
from app.workers.task import TaskRunner
from app.workers.training import (
    CountObjects,
    TrainingProgress,
    TrainingSummary,
    TrainRequest,
    run_training_job,
)
from app.workers.training_records import (
    FindTrainings,
    LeftTrainings,
    SettleTraining,
    TrainingOutcome,
    TrainingRecord,
    do_training_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.workers.failure import Failure
    from app.workers.task import Work

VERDICTS: Final[dict[str, str]] = {
    "better": phrase("The new model is better on your objects."),
    "not worse": phrase("The new model is as good on your objects as the old one."),
    "worse": phrase("The new model is worse on your objects."),
    "unclear": phrase("Whether the new model is better cannot be told: the difference may be chance."),
    "too few": phrase("Whether the new model is better cannot be told: too few objects were held out."),
}
"""By `TrainingOutcome.verdict`."""


class Training(QObject):
    """Owns the training worker. Inference goes on with the old weights meanwhile.

    Attributes:
        interrupted: trainings that were cut off and can go on.
        undecided: results that nobody has decided on, the newest last.

    Signals:
        summary_ready: a TrainingSummary, the answer to `count_objects`.
        progressed: a TrainingProgress.
        finished: a TrainingOutcome.
        left_changed: other trainings wait to be gone on with, or to be decided on.
        stopped_without_result: discarded, or failed (which the notification centre tells).
        standing_changed: text for the status bar, None when nothing runs or waits.
        page_wanted: the user wants to see what runs or waits.
    """

    summary_ready = Signal(object)
    progressed = Signal(object)
    finished = Signal(object)
    left_changed = Signal()
    stopped_without_result = Signal()
    standing_changed = Signal(object)
    page_wanted = Signal()

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
        self._waits = False  # for what is being saved
        saving.runner.busy_changed.connect(self._begin)
        self._share: float | None = None
        self._outcome: TrainingOutcome | None = None
        self._offered = False
        self.interrupted: tuple[TrainingRecord, ...] = ()
        self.undecided: tuple[TrainingOutcome, ...] = ()
        self.runner = TaskRunner(work or run_training_job, name="training", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        self.runner.progressed.connect(self._follow)
        self.runner.ended.connect(self._end)
        self.files = TaskRunner(do_training_files, name="training-files", parent=self)
        self.files.finished.connect(self._take_left)
        self.files.failed.connect(self._fail)

    @property
    def is_running(self) -> bool:
        """Whether a training runs or ends just now."""
        return self._running is not None

    @property
    def standing(self) -> str | None:
        """What runs or waits for somebody, in a few words."""
        if self._running is not None:
            share = self._share
            if share is None:
                return tr("Training…")
            return tr("Training: {percent} %", percent=round(100 * share))
        if self.undecided:
            return tr("Training finished")
        return tr("Training interrupted") if self.interrupted else None

    @Slot()
    def look_for_left(self) -> None:
        """Offers what an earlier session left, once; the window asks after its first paint."""
        self.files.submit(FindTrainings(self._store), key="find")

    def count_objects(self, *, reviewed_only: bool = False) -> None:
        """Counts what the open pictures offer; `summary_ready` answers."""
        if self._running is None:
            known = self._pictures.annotations()
            files = tuple(file for path, file in self._pictures.files().items() if path not in known)
            self.runner.submit(CountObjects(tuple(known.values()), files, reviewed_only), key="count")

    def start(self, *, minutes: float, reviewed_only: bool = False) -> None:
        """Trains for about so long on the annotations of the open pictures, which are saved before."""
        folder = self._pictures.folder
        if folder is not None:
            self._run(
                TrainRequest(
                    folder,
                    minutes,
                    self._architecture(),
                    self._store,
                    reviewed_only,
                    self._pictures.workspace,
                    self._pictures.journal_dir,
                )
            )

    def resume(self, record: TrainingRecord, *, anew: bool = False) -> None:
        """Goes on with a training that was cut off, or begins it anew."""
        self._run(
            TrainRequest(
                record.folder,
                record.minutes,
                record.architecture,
                self._store,
                record.reviewed_only,
                version=record.version,
                anew=anew,
            )
        )

    def _run(self, request: TrainRequest) -> None:
        if self._running is not None:
            return
        self._running = request
        self._share = None
        self.interrupted = tuple(r for r in self.interrupted if r.version != request.version)
        self._waits = True
        self._saving.write_all(asked=True)
        self._begin()
        self._tell()

    @Slot()
    def _begin(self) -> None:
        """Begins once everything is saved."""
        if self._waits and self._running is not None and not self._saving.runner.is_busy:
            self._waits = False
            self.runner.submit(self._running, key="train")

    def stop_and_keep(self) -> None:
        """Ends after the current step; `finished` brings the best weights so far."""
        if self._running is not None:
            self._running.stop_early.set()

    def discard(self) -> None:
        """Ends after the current step and throws the result away."""
        if self._running is not None:
            self._running.discard.set()
            self._running.stop_early.set()

    def settle(self, version: str, *, keep: bool) -> None:
        """The user decided: a model stays in the list, or all that is left of a training goes."""
        self.interrupted = tuple(r for r in self.interrupted if r.version != version)
        self.undecided = tuple(o for o in self.undecided if o.version != version)
        self.files.submit(SettleTraining(self._store, version, keep), key=f"settle {version}")
        self._tell()

    def shutdown(self) -> bool:
        """Joins the workers; a training that was asked to keep its best still writes it, any other stays on
        the disk to be gone on with."""
        keep = self._running is not None and self._running.stop_early.is_set()
        ended = self.runner.shutdown(finish=keep, wait_ms=30_000)
        return self.files.shutdown(finish=True) and ended

    def _tell(self) -> None:
        self.standing_changed.emit(self.standing)
        self.left_changed.emit()

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(result, TrainingSummary):
            self.summary_ready.emit(result)
        elif isinstance(result, TrainingOutcome):
            self._outcome = result
            self.undecided = (*self.undecided, result)
            self._notices.post(
                "info",
                tr("The training has ended."),
                remedy=tr(VERDICTS.get(result.verdict, VERDICTS["unclear"])),
                retry_title=tr("Compare"),
                retry=self.page_wanted.emit,
            )

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        version = request.version if isinstance(request, TrainRequest) else ""
        if version and failure.kind == "CheckpointError":
            retry = _Beginning(self, version).begin_anew
            self._notices.report(failure, retry_title=tr("Begin anew"), retry=retry)
        else:
            self._notices.report(failure)

    @Slot(object)
    def _end(self, request: object) -> None:
        """However a training ended, nothing goes on showing that it runs."""
        if request is not self._running or self._running is None:
            return
        self._running = None
        outcome, self._outcome = self._outcome, None
        self._tell()
        if outcome is not None:
            self.finished.emit(outcome)
        else:
            self.stopped_without_result.emit()
            self.look_for_left()

    @Slot(object, object)
    def _follow(self, request: object, event: object) -> None:
        if not isinstance(event, TrainingProgress) or request is not self._running:
            return
        self.progressed.emit(event)
        if event.set_aside:
            self._notices.post("warning", tr("The training does without a file."), remedy=event.set_aside)
        if event.unsafe:
            self._notices.post(
                "warning",
                tr("The training's state cannot be written."),
                remedy=tr(
                    "It goes on, but would be lost if the program ended. {reason}", reason=event.unsafe
                ),
            )
        if event.share is not None:
            self._share = event.share
            self.standing_changed.emit(self.standing)

    @Slot(object, object)
    def _take_left(self, _request: object, left: LeftTrainings) -> None:
        self.interrupted = left.interrupted
        fresh = [o for o in left.undecided if o.version not in {known.version for known in self.undecided}]
        self.undecided = (*fresh, *self.undecided)
        self._tell()
        if not self._offered:
            self._offered = True
            self._offer()

    def _offer(self) -> None:
        """What an earlier session left is said once, and stays in the status bar."""
        if self.undecided:
            title, action = tr("A training has ended that nobody has decided on yet."), tr("Compare")
        elif self.interrupted:
            title, action = tr("A training was interrupted. It can go on."), tr("Show")
        else:
            return
        self._notices.post("info", title, retry_title=action, retry=self.page_wanted.emit)


class _Beginning:
    """What the button of a notice does, for one training."""

    def __init__(self, training: Training, version: str) -> None:
        self._training = training
        self._version = version

    def begin_anew(self) -> None:
        for record in self._training.interrupted:
            if record.version == self._version:
                self._training.resume(record, anew=True)
