"""How far a training is, and what its steps measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from models.training.request import TrainingRequest


class TrainingClock:
    """Progress by steps and by time, whichever is further; time runs from here on.

    Attributes:
        step: how many are done; the training counts them.
    """

    def __init__(self, request: TrainingRequest, step: int, seconds: float) -> None:
        self.step = step
        self._steps = request.steps
        self._seconds = 60.0 * request.minutes if request.minutes else None
        self._first_step, self._before = step, seconds
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Spent, also before an interruption."""
        return self._before + time.monotonic() - self._start

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, in [0, 1]."""
        by_time = self.seconds / self._seconds if self._seconds else 0.0
        by_steps = self.step / self._steps if self._steps else 0.0
        return min(1.0, max(by_time, by_steps))

    @property
    def seconds_left(self) -> float:
        """An estimate from the pace so far."""
        candidates = []
        if self._seconds:
            candidates.append(self._seconds - self.seconds)
        if self._steps:
            done = max(1, self.step - self._first_step)
            pace = (time.monotonic() - self._start) / done
            candidates.append((self._steps - self.step) * pace)
        return max(0.0, min(candidates))


class TermMeans:
    """Means of a loss's terms over steps; nothing is read from the device before they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Take in one step's."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach()
        self._count += 1

    def taken(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means
