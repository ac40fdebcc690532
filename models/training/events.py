"""What a running training tells its listener. All are frozen and may cross threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from models.data.dataset import SetAside

Phase: TypeAlias = Literal["collecting", "baseline", "training", "validating", "saving"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    phase: Phase


@dataclass(frozen=True, slots=True)
class StepDone:
    """After an optimiser step.

    Attributes:
        progress: share of the whole training in [0, 1], by steps or by time, whichever is further.
        seconds_left: estimate from the pace so far.
        losses: mean of each term since the last event.
    """

    step: int
    progress: float
    seconds_left: float
    losses: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Validated:
    """A score on held-out objects, higher is better; step 0 is the model before training."""

    step: int
    score: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that cannot be read was set aside; the training goes on without it."""

    file: SetAside


@dataclass(frozen=True, slots=True)
class CheckpointFailed:
    """The state could not be put on the disk; the training goes on, unsafe."""

    path: Path
    problem: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event.

    Attributes:
        weights: the file with the best weights, or None if nothing was kept.
        stopped: whether the listener asked to stop before the end.
    """

    steps: int
    seconds: float
    weights: Path | None
    stopped: bool


TrainingEvent: TypeAlias = PhaseStarted | StepDone | Validated | LeftOut | CheckpointFailed | Finished
