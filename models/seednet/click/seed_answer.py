"""What SeedNet answers to one click, and which of its hypotheses several clicks together believe.

A seed has K levels; each may be cut at any threshold. The network predicts the IoU of every pair; the
other clicks speak against some: a hypothesis should cover those of the same sign and leave out the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.grid.disagreement import disagreement
from models.seednet.scores import THRESHOLD_SHARPNESS, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

Grid = NDArray[np.float32]

# The slider's unit: similarity is the logistic function of logit / TEMPERATURE, so that τ from 0.05 to
# 0.95 spans about twelve logits instead of six.
TEMPERATURE = 2.0
SEED_CLEARANCE = 0.4  # logits; a seed always belongs to its own mask
TAU_RANGE = (0.02, 0.98)
NO_DOUBT = np.float32(0.0)


def sigmoid(x: Grid | np.float32 | float) -> Grid:
    """The logistic function in float32, without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))), np.float32)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One level cut at one threshold (in logits), and the IoU it is believed to have."""

    level: int
    threshold: float
    score: float


def most_believed(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The one with the highest score."""
    return max(hypotheses, key=lambda h: h.score)


@dataclass(frozen=True, slots=True)
class SeedAnswer:
    """A seed's nested masks on the grid, small to large.

    Attributes:
        logits: (K, h, w) float32.
        ious: (K, T) predicted IoU of each level at each of THRESHOLDS.
        at_seed: (K,) logit at the seed itself.
        objectness: (K,) in (0, 1), how far each level is believed to be an object where nobody has clicked;
            None where somebody has.
    """

    logits: Grid
    ious: Grid
    at_seed: Grid
    objectness: Grid | None = None

    def at(self, row: int, column: int) -> Grid:
        """(K,) logits of the cell; beyond the grid, those of its nearest cell."""
        height, width = self.logits.shape[1:]
        return self.logits[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]

    def in_order(self, levels: NDArray[np.intp]) -> SeedAnswer:
        """The same levels in another order."""
        objectness = None if self.objectness is None else self.objectness[levels]
        return SeedAnswer(self.logits[levels], self.ious[levels], self.at_seed[levels], objectness)

    def disagreement(self, others: Sequence[tuple[bool, tuple[int, int]]]) -> Grid | np.float32:
        """(K, T): what the other clicks take off the predicted IoU.

        Args:
            others: whether each has the same sign, and the (row, column) cell it falls on.
        """
        thresholds = np.array(THRESHOLDS)
        return disagreement([(same, self.at(*cell)[:, None] > thresholds) for same, cell in others])

    def best_per_level(self, doubt: Grid | np.float32 = NO_DOUBT) -> list[Hypothesis]:
        """The best threshold of each level, interpolated between THRESHOLDS."""
        belief = self.ious - doubt
        weight = np.exp((belief - belief.max(axis=1, keepdims=True)) * THRESHOLD_SHARPNESS)
        thresholds = (weight / weight.sum(axis=1, keepdims=True)) @ np.array(THRESHOLDS)
        best = belief.max(axis=1)
        return [Hypothesis(k, float(thresholds[k]), float(best[k])) for k in range(len(belief))]

    def mask(self, hypothesis: Hypothesis) -> NDArray[np.bool_]:
        """(h, w) bool."""
        return np.asarray(self.logits[hypothesis.level] > hypothesis.threshold)

    def objectness_of(self, hypothesis: Hypothesis) -> float:
        """How far its level is believed to be an object; where that was not asked, its score."""
        return hypothesis.score if self.objectness is None else float(self.objectness[hypothesis.level])

    def _peak(self, hypothesis: Hypothesis) -> Grid:
        """Logistic value that counts as similarity 1: the seed's, but safely above the threshold."""
        at_seed = float(self.at_seed[hypothesis.level])
        return sigmoid(max(at_seed, hypothesis.threshold + SEED_CLEARANCE) / TEMPERATURE)

    def tau(self, hypothesis: Hypothesis) -> float:
        """The hypothesis's threshold in the slider's unit, within TAU_RANGE."""
        tau = float(sigmoid(hypothesis.threshold / TEMPERATURE) / self._peak(hypothesis))
        return min(max(tau, TAU_RANGE[0]), TAU_RANGE[1])

    def similarity(self, hypothesis: Hypothesis, field: Grid | None = None) -> Grid:
        """(h, w) in [0, 1], 1 at the seed.

        Args:
            field: logits relative to the hypothesis's border, if other clicks have mended them.
        """
        logits = self.logits[hypothesis.level] if field is None else field + np.float32(hypothesis.threshold)
        return np.asarray(np.minimum(sigmoid(logits / TEMPERATURE) / self._peak(hypothesis), 1.0), np.float32)
