"""What is known of a training while it runs and until somebody has decided on it: a file beside its weights.

Each training has a folder in the user's models. In it lie `training.json` (this record), the checkpoint while
it runs, and the weights when it has ended. A lock that ends with its process tells a training that runs, in
whatever window, from one that was cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from app.process.stopping import ShouldStop, Stopped
from converters.errors import ConverterError
from converters.files.file_lock import lock_exclusively
from converters.files.files import parse_json, read_text, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD_FILE: Final = "training.json"
LOCK_FILE: Final = "training.lock"
CHECKPOINT_FILE: Final = "checkpoint.pt"
WEIGHTS_FILE: Final = "weights.safetensors"
LARGEST_RECORD: Final = 1 << 24  # bytes
ABANDONED_SECONDS: Final = 600.0
"""A checkpoint without a record, of an older SeedHue, that has not changed for so long belongs to nobody."""

State: TypeAlias = Literal["running", "undecided", "decided"]


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What a training made.

    Attributes:
        version: the new model's name in the store.
        weights: its file.
        before, after: mean one-click IoU on the held-out objects.
        held_out: how many objects that was.
        low, high: what the mean difference lies between, with a confidence of 95 %.
        verdict: what may be said, as `models.evaluation.paired` has it.
        set_aside: files that could not be read, each with what is wrong.
    """

    version: str
    weights: Path
    before: float
    after: float
    held_out: int
    low: float
    high: float
    verdict: str
    seconds: float
    set_aside: tuple[str, ...] = ()

    @property
    def is_better(self) -> bool:
        """Whether something speaks for the new model, and nothing against it."""
        return self.verdict in ("better", "not worse")


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """A training's file.

    Attributes:
        version: name of its folder.
        folder: the pictures it learns from.
        base: the weights it began with.
        held_out: what it is judged by, as `models.fine_tuning` names it.
        outcome: once it has ended.
    """

    version: str
    folder: Path
    minutes: float
    architecture: str
    base: Path
    reviewed_only: bool = False
    held_out: tuple[str, ...] = ()
    state: State = "running"
    outcome: TrainingOutcome | None = None

    def write(self, store: Path) -> None:
        """Put it on the disk.

        Raises:
            ConverterError: the disk is full, or the folder cannot be written.
        """
        text = json.dumps(asdict(self), default=str, ensure_ascii=False, indent=1)
        write_atomic(store / self.version / RECORD_FILE, text)

    @classmethod
    def read(cls, folder: Path) -> TrainingRecord:
        """The record of a training's folder.

        Raises:
            ConverterError: it is missing or damaged.
        """
        path = folder / RECORD_FILE
        facts = parse_json(read_text(path, max_bytes=LARGEST_RECORD), path=path)
        try:
            outcome = _outcome(facts["outcome"], folder) if facts["outcome"] is not None else None
            record = cls(
                folder.name,
                Path(facts["folder"]),
                float(facts["minutes"]),
                str(facts["architecture"]),
                Path(facts["base"]),
                bool(facts["reviewed_only"]),
                tuple(map(str, facts["held_out"])),
                facts["state"],
                outcome,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConverterError("the record of this training is damaged.", path=path) from error
        if record.state not in ("running", "undecided", "decided"):
            raise ConverterError("the record of this training is damaged.", path=path)
        return record


def _outcome(facts: dict[str, Any], folder: Path) -> TrainingOutcome:
    numbers = {name: float(facts[name]) for name in ("before", "after", "low", "high", "seconds")}
    return TrainingOutcome(
        version=folder.name,
        weights=folder / WEIGHTS_FILE,
        held_out=int(facts["held_out"]),
        verdict=str(facts["verdict"]),
        set_aside=tuple(map(str, facts["set_aside"])),
        **numbers,
    )


@dataclass(frozen=True, slots=True)
class FindTrainings:
    """Look for trainings that were cut off and results that nobody has decided on; clean up behind others."""

    store: Path


@dataclass(frozen=True, slots=True)
class LeftTrainings:
    """Answer to FindTrainings, the oldest first."""

    interrupted: tuple[TrainingRecord, ...] = ()
    undecided: tuple[TrainingOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class SettleTraining:
    """Keep a training's model among the others, or throw away all that is left of the training."""

    store: Path
    version: str
    keep: bool


TrainingFiles: TypeAlias = FindTrainings | SettleTraining


def do_training_files(request: TrainingFiles, should_stop: ShouldStop, _on_event: object) -> LeftTrainings:
    """Answers with what is left to decide on."""
    if isinstance(request, SettleTraining):
        settle(request.store / request.version, keep=request.keep)
    return find_trainings(request.store, should_stop)


def settle(folder: Path, *, keep: bool) -> None:
    """See `SettleTraining`.

    Raises:
        ConverterError, OSError: the files cannot be changed.
    """
    if keep:
        replace(TrainingRecord.read(folder), state="decided").write(folder.parent)
    elif folder.exists():
        shutil.rmtree(folder)


def find_trainings(store: Path, should_stop: ShouldStop = lambda: False) -> LeftTrainings:
    """See `FindTrainings`."""
    interrupted: list[TrainingRecord] = []
    undecided: list[TrainingOutcome] = []
    try:
        folders = sorted(path for path in store.iterdir() if path.is_dir())
    except OSError:
        return LeftTrainings()  # nothing was ever trained
    for folder in folders:
        if should_stop():
            raise Stopped
        record = _record_of(folder)
        if record is None or record.state == "decided":
            continue
        with held(folder) as is_ours:
            record = _record_of(folder) if is_ours else None
            if record is None:
                continue  # it runs, here or in another window
            if record.state == "running":
                # Written, but not measured: the training that goes on writes it anew.
                (folder / WEIGHTS_FILE).unlink(missing_ok=True)
                interrupted.append(record)
            elif record.outcome is not None:
                sweep(folder)
                if record.state == "undecided" and record.outcome.weights.is_file():
                    undecided.append(record.outcome)
    return LeftTrainings(tuple(interrupted), tuple(undecided))


def _record_of(folder: Path) -> TrainingRecord | None:
    if not (folder / RECORD_FILE).exists():
        _sweep_abandoned(folder)
        return None
    try:
        return TrainingRecord.read(folder)
    except ConverterError:
        return None  # damaged: a model that was made stays in the list, nothing is thrown away unasked


def sweep(folder: Path) -> None:
    """Remove what only a running training needs, also what a kill left half written."""
    for path in (folder / CHECKPOINT_FILE, *folder.glob(".*.tmp"), *folder.glob("*.tmp")):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _sweep_abandoned(folder: Path) -> None:
    """What a killed training left before trainings had records."""
    checkpoint = folder / CHECKPOINT_FILE
    with contextlib.suppress(OSError):
        if checkpoint.exists() and time.time() - checkpoint.stat().st_mtime > ABANDONED_SECONDS:
            sweep(folder)
            folder.rmdir()  # fails, as it should, where weights lie


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Whether a training's folder is ours alone, for as long as the block runs."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield lock_exclusively(descriptor)
    finally:
        os.close(descriptor)
