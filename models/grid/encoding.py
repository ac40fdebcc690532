"""What every encoding shares whose answer to a seed is one map over a grid.

A subclass says how similar the grid's cells are to one seed; here that becomes pixels, several seeds,
negative seeds, thresholds and predictions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Mask, Seed
from models.grid.frame import GridFrame, mark_seeds
from models.segmenter import Encoding, Prediction, Region, clip_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TAU_RANGE = (0.02, 0.98)
CACHED_SEEDS = 64
MIN_CELLS = 4  # of an object found without a click; smaller patches are noise


@dataclass(frozen=True, slots=True)
class GridAnswer:
    """What one seed answers.

    Attributes:
        similarity: (h, w) float32 in [0, 1].
        tau: the suggested threshold.
        score: predicted IoU, or the nearest thing to it that the network knows.
    """

    similarity: NDArray[np.float32]
    tau: float
    score: float


@dataclass(frozen=True, slots=True)
class FoundCells:
    """An object found on the grid: (row, column) of its seed, and the rest of a `Prediction`."""

    row: int
    column: int
    tau: float
    label: str | None
    score: float
    mask_score: float


class GridEncoding(Encoding):
    """One picture on a grid; see `Encoding` for the face."""

    def __init__(self, frame: GridFrame, size: tuple[int, int], version: str) -> None:
        self.height, self.width = size
        self.region, self.input_side = frame.region, frame.input_side
        self.version = version
        self.level_count = 1
        self.frame = frame
        self._answers: OrderedDict[tuple[float, float], GridAnswer] = OrderedDict()

    @abstractmethod
    def answer_cell(self, row: int, column: int) -> GridAnswer:
        """The answer to a seed in that cell of the grid."""

    @property
    @abstractmethod
    def feature_bytes(self) -> int:
        """Memory that the network's output holds."""

    @property
    def nbytes(self) -> int:
        return self.feature_bytes + sum(a.similarity.nbytes for a in self._answers.values())

    def answer(self, seed: Seed) -> GridAnswer:
        """`answer_cell` at a seed's place, remembered."""
        key = (seed.x, seed.y)
        if key not in self._answers:
            rows, columns = self.frame.grid_size
            column, row = self.frame.to_grid(seed.x, seed.y)
            self._answers[key] = self.answer_cell(min(int(row), rows - 1), min(int(column), columns - 1))
            if len(self._answers) > CACHED_SEEDS:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key]

    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        self.check_seeds(seeds)
        return (float(np.mean([self.answer(s).score for s in seeds if s.positive])),)

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        return min(max(self.answer(first).tau, TAU_RANGE[0]), TAU_RANGE[1])

    def _largest(self, seeds: Sequence[Seed]) -> NDArray[np.float32]:
        return np.asarray(np.maximum.reduce([self.answer(s).similarity for s in seeds]), np.float32)

    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        self.check_seeds(seeds)
        wanted = clip_region(region, self.height, self.width)
        size = size or (wanted[3] - wanted[1], wanted[2] - wanted[0])
        positives = [s for s in seeds if s.positive]
        out = self.frame.resample(self._largest(positives), wanted, size, outside=0.0)
        mark_seeds(out, positives, wanted, 1.0)
        return out

    def claimed(self, seeds: Sequence[Seed], wanted: Region, size: tuple[int, ...]) -> NDArray[np.float32]:
        negatives = [s for s in seeds if not s.positive]
        out = self.frame.resample(self._largest(negatives), wanted, (size[0], size[1]), outside=0.0)
        mark_seeds(out, negatives, wanted, 2.0)
        mark_seeds(out, [s for s in seeds if s.positive], wanted, 0.0)
        return out

    def seed_of_cell(self, row: int, column: int) -> Seed:
        """The seed at a cell's centre, inside the encoded part."""
        return Seed(*self.frame.cell_center(row, column))

    def predict(self, found: FoundCells) -> Prediction:
        """The object at full resolution; its mask is exactly what `mask([seed], tau)` gives."""
        seed = self.seed_of_cell(found.row, found.column)
        tau = min(max(found.tau, TAU_RANGE[0]), TAU_RANGE[1])
        cells = self.answer(seed).similarity >= tau
        cells[found.row, found.column] = True
        region = self.frame.region_around(cells)
        mask = Mask(region[0], region[1], self.mask([seed], tau, None, region)).cropped()
        return Prediction(mask, found.label, found.score, found.mask_score, seed, tau)
