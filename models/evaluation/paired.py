"""Whether one model is better than another on the same objects, and how sure that is.

Every object is measured with both models, so the difference counts, object by object: its mean has a far
narrower interval than either mean. The interval is the bootstrap's (Efron, Annals of Statistics 1979),
widened for few objects as Hesterberg proposes (arXiv 1411.5279: the expanded percentile interval).
Objects of one picture count as if they were independent, which makes the interval a little too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict: TypeAlias = Literal["better", "not worse", "worse", "unclear", "too few"]

LEAST_OBJECTS = 10  # fewer say nothing about the objects that are still to come
CONFIDENCE = 0.95
TOLERATED_LOSS = 0.005  # of IoU; nobody sees less
RESAMPLES = 4000
CHUNK = 500  # resamples at a time, so that thousands of objects take little memory


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """By how much the second of two measurements is larger.

    Attributes:
        objects: how many were measured both times.
        mean: of the differences.
        low, high: the mean lies between them with a probability of CONFIDENCE.
    """

    objects: int
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What may be said: "not worse" by more than TOLERATED_LOSS, "unclear" if the interval leaves both
        open, "too few" below LEAST_OBJECTS."""
        if self.objects < LEAST_OBJECTS:
            return "too few"
        if self.low > 0.0:
            return "better"
        if self.high < 0.0:
            return "worse"
        return "not worse" if self.low >= -TOLERATED_LOSS else "unclear"


def paired_difference(before: Sequence[float], after: Sequence[float], *, seed: int = 0) -> PairedDifference:
    """The mean of after - before with its interval; equal input gives equal results.

    Args:
        before, after: one value an object, in the same order.

    Raises:
        ValueError: they differ in length.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} values cannot be compared with {len(after)}.")
    differences = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    count = len(differences)
    if count < 2:
        mean = float(differences.mean()) if count else 0.0
        return PairedDifference(count, mean, -1.0, 1.0)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [differences[rng.integers(0, count, (CHUNK, count))].mean(axis=1) for _ in range(RESAMPLES // CHUNK)]
    )
    tail = _expanded_tail(count)
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return PairedDifference(count, float(differences.mean()), float(low), float(high))


def _expanded_tail(count: int) -> float:
    """The share of resamples to leave out at each end, for `count` objects."""
    normal, freedom = NormalDist(), count - 1
    z = normal.inv_cdf(0.5 + CONFIDENCE / 2)
    # Student's t by Cornish and Fisher's expansion; with few degrees of freedom it stays a little below.
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(-math.sqrt(count / freedom) * t)
