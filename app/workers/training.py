"""Fine-tuning off the GUI thread: frozen messages around the Qt-free engine in `models.training`."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from app.appearance.i18n import tr
from app.process.cores import cores_for_training
from app.process.stopping import ShouldStop, Stopped
from app.project.review import ReviewStatus, review_of
from app.workers.training_records import (
    CHECKPOINT_FILE,
    TrainingOutcome,
    TrainingRecord,
    held,
    sweep,
)
from app.workers.unsaved import bring_in_unsaved
from converters.errors import ConverterError
from converters.formats.labelme.document import find_image, read_labelme

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from app.project.workspace import Workspace
    from app.workers.task import OnEvent
    from converters.annotation import ImageAnnotation
    from models.data.dataset import Dataset, SetAside


@dataclass(frozen=True, slots=True)
class CountObjects:
    """Count what there is to learn from; on request only where a review approved it.

    Attributes:
        known: what is on pictures whose annotation files need not be asked.
        files: annotation files of the other pictures, existing or not.
    """

    known: tuple[ImageAnnotation, ...]
    files: tuple[Path, ...]
    reviewed_only: bool = False


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What there is to learn from."""

    pictures: int
    objects: int


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """A fine-tuning.

    Attributes:
        folder: labelme files beside their pictures, with sub-folders.
        minutes: time budget.
        architecture: what to train; it starts from the weights shipped with SeedHue, or those that were
            imported, so that repeated trainings do not drift away.
        store: folder of the user's models; the new version goes into it, with a record of the training.
        reviewed_only: whether to learn only from pictures that a review approved.
        workspace, journal_dir: the open folder and the window's journals: unsaved work of an earlier session
            is saved first.
        version: the training to go on with, whose record then says all the rest; "" for a new one.
        anew: whether to forget what that one has learnt.
        stop_early: set to end after the current step and keep the best weights.
        discard: set together with `stop_early` to throw the result away.
    """

    folder: Path
    minutes: float
    architecture: str
    store: Path
    reviewed_only: bool = False
    workspace: Workspace | None = None
    journal_dir: Path | None = None
    version: str = ""
    anew: bool = False
    stop_early: threading.Event = field(default_factory=threading.Event)
    discard: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """News of a running training; a None field has no news.

    Attributes:
        phase: key of the dialog's phases.
        share: of the whole training, in [0, 1].
        score: on held-out objects, in [0, 1].
        set_aside: a file that cannot be read, and why; the training goes on without it.
        unsafe: why the state could not be put on the disk; the training goes on, but a kill would cost all.
    """

    phase: str
    step: int = 0
    share: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    score: float | None = None
    set_aside: str = ""
    unsafe: str = ""


TrainingJob: TypeAlias = CountObjects | TrainRequest


def run_training_job(request: TrainingJob, should_stop: ShouldStop, on_event: OnEvent) -> Any:
    """Answers CountObjects with a TrainingSummary; a TrainRequest with a TrainingOutcome, or with
    None when it was discarded."""
    if isinstance(request, CountObjects):
        return count_objects(request, should_stop)
    return _train(request, should_stop, on_event)


def count_objects(request: CountObjects, should_stop: ShouldStop) -> TrainingSummary:
    """Pictures with at least one object, and objects; damaged files count as empty."""
    pictures = objects = 0
    for annotation in chain(request.known, _read(request.files)):
        if should_stop():
            raise Stopped
        found = len(annotation.instances) if is_wanted(annotation, request.reviewed_only) else 0
        pictures += found > 0
        objects += found
    return TrainingSummary(pictures, objects)


def _read(files: Sequence[Path]) -> Iterator[ImageAnnotation]:
    """What the files that exist and can be read hold."""
    for file in files:
        with suppress(ConverterError):
            if file.exists():
                yield read_labelme(file)


def is_wanted(annotation: ImageAnnotation, reviewed_only: bool) -> bool:
    """Whether a picture's objects are to be learnt from."""
    return not reviewed_only or review_of(annotation).status == ReviewStatus.APPROVED


def collect_objects(folder: Path, *, reviewed_only: bool = False) -> Dataset:
    """What there is to learn from below a folder."""
    from models.data.dataset import load_labelme_folder

    dataset = load_labelme_folder(folder)
    if not reviewed_only:
        return dataset
    approved: set[Path] = set()
    for path in folder.rglob("*.json"):
        try:
            annotation = read_labelme(path)
            if is_wanted(annotation, reviewed_only):
                approved.add(find_image(path, annotation))
        except ConverterError:
            continue  # as the data set does
    return replace(dataset, pictures=tuple(p for p in dataset.pictures if p.path in approved))


def _train(request: TrainRequest, should_stop: ShouldStop, on_event: OnEvent) -> TrainingOutcome | None:
    """What came of a training; None if it was discarded, or left to be gone on with another time.

    Raises:
        Whatever went wrong; what it learnt so far stays on the disk if there is a checkpoint.
    """
    from models.errors import Cancelled

    begin = time.monotonic()
    on_event(TrainingProgress("collecting"))
    if request.workspace is not None and request.journal_dir is not None:
        bring_in_unsaved(request.workspace, request.journal_dir, should_stop)
    dataset = collect_objects(request.folder, reviewed_only=request.reviewed_only)
    record = _record_for(request, dataset)
    folder = request.store / record.version
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder) as is_ours:
        if not is_ours:
            raise ValueError(tr("This training runs in another window."))
        try:
            record.write(request.store)
            outcome = _fine_tune(request, record, dataset, (should_stop, on_event))
            outcome = replace(outcome, seconds=time.monotonic() - begin)
            replace(record, state="undecided", outcome=outcome).write(request.store)
            sweep(folder)
        except Cancelled:
            outcome = None
        except BaseException:
            if request.discard.is_set() or not (folder / CHECKPOINT_FILE).exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise
    if request.discard.is_set() or (outcome is None and not should_stop()):
        shutil.rmtree(folder)
        return None
    return outcome


def _record_for(request: TrainRequest, dataset: Dataset) -> TrainingRecord:
    """A new training's, or that of the one to go on with.

    Raises:
        ConverterError: there is nothing to go on with any more.
        ValueError: fewer than two objects.
    """
    from models.fine_tuning import names_of_held_out
    from models.store import ModelStore

    if request.version:
        record = TrainingRecord.read(request.store / request.version)
        if request.anew:
            (request.store / record.version / CHECKPOINT_FILE).unlink(missing_ok=True)
        return record
    held_out = names_of_held_out(dataset)
    count = sum(len(picture.objects) for picture in dataset.pictures)
    version = f"{request.architecture}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-n{count}"
    ModelStore(request.store).folder_for(version)
    base = find_base(request.architecture, request.store)
    return TrainingRecord(
        version, request.folder, request.minutes, request.architecture, base, request.reviewed_only, held_out
    )


def _fine_tune(
    request: TrainRequest, record: TrainingRecord, dataset: Dataset, worker: tuple[ShouldStop, OnEvent]
) -> TrainingOutcome:
    from models.fine_tuning import FineTuneRequest, fine_tune

    should_stop, on_event = worker
    folder = request.store / record.version
    job = FineTuneRequest(
        architecture=record.architecture,
        dataset=dataset,
        base=record.base,
        output=folder,
        version=record.version,
        minutes=record.minutes,
        held_out=record.held_out,
    )
    translate = _EventTranslator(on_event, dataset.set_aside)
    with cores_for_training():
        result = fine_tune(
            job,
            should_stop=request.stop_early.is_set,
            should_leave=lambda: should_stop() or request.discard.is_set(),
            on_event=translate,
        )
    difference = result.difference
    return TrainingOutcome(
        record.version,
        result.weights,
        result.before,
        result.after,
        difference.objects,
        difference.low,
        difference.high,
        difference.verdict,
        0.0,
        tuple(translate.set_aside),
    )


def find_base(architecture: str, folder: Path) -> Path:
    """The weights a fine-tuning starts from: the shipped ones, or, of a network that comes without, those
    that the active version goes back to.

    Raises:
        WeightsError: there are none.
    """
    from models.errors import WeightsError
    from models.networks.registry import find_architecture
    from models.store import ModelStore

    shipped = find_architecture(architecture).default_weights
    if shipped is not None:
        return shipped()
    store = ModelStore(folder)
    model = store.active()
    known = {stored.version: stored for stored in store.models() if stored.architecture == architecture}
    if model.version not in known:
        raise WeightsError(f"no weights of {architecture} are in use, so there is nothing to start from.")
    while model.info is not None and (parent := str(model.info.facts.get("parent"))) in known:
        model = known.pop(parent)
    assert model.weights is not None
    return model.weights


class _EventTranslator:
    """Turns the engine's events into `TrainingProgress`, which carries the phase and step along."""

    def __init__(self, on_event: OnEvent, set_aside: Sequence[SetAside] = ()) -> None:
        self._on_event = on_event
        self._phase = "collecting"
        self._step = 0
        self.set_aside: dict[str, None] = {}
        for file in set_aside:
            self._leave_out(file)

    def __call__(self, event: object) -> None:
        from models.training import events

        if isinstance(event, events.PhaseStarted):
            self._phase = event.phase
            self._on_event(TrainingProgress(self._phase, self._step))
        elif isinstance(event, events.StepDone):
            self._step = event.step
            loss = event.losses.get("loss")
            self._on_event(TrainingProgress("training", event.step, event.progress, event.seconds_left, loss))
        elif isinstance(event, events.LeftOut):
            self._leave_out(event.file)
        elif isinstance(event, events.CheckpointFailed):
            self._on_event(TrainingProgress(self._phase, self._step, unsafe=event.problem))
        elif isinstance(event, events.Validated):
            # The engine counts measurements; the curve wants the step they were made at.
            step = self._step if event.step else 0
            self._on_event(TrainingProgress(self._phase, step, score=event.score))

    def _leave_out(self, file: SetAside) -> None:
        text = f"{file.path.name}: {file.problem}"
        if text not in self.set_aside:
            self.set_aside[text] = None
            self._on_event(TrainingProgress(self._phase, self._step, set_aside=text))
