"""Growing a region from seeds through an encoding: what the seed tool asks for off the GUI thread.

Qt-free. Positions and regions are pixels of the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from converters.annotation import Seed
    from models.segmenter import Encoding, Region

TAU_MIN, TAU_MAX = 0.02, 0.98
"""Ends of a level: scrolling on leads to the next one."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A region wanted.

    Attributes:
        seeds: at least one positive.
        tau: threshold; None takes the suggested one.
        level: None takes the best predicted.
        region: the part of the picture wanted, half open.
        size: (rows, columns) of the answer, sampled evenly over `region`.
    """

    seeds: tuple[Seed, ...]
    tau: float | None
    level: int | None
    region: Region
    size: tuple[int, int]

    @property
    def is_sharp(self) -> bool:
        """Whether the answer has every pixel of its region."""
        x0, y0, x1, y1 = self.region
        return self.size == (y1 - y0, x1 - x0)


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A region and the numbers that made it.

    Attributes:
        array: (rows, columns) bool over the request's region.
        tau, suggested_tau, level, level_scores: as `SeedState` tells them.
        version: of the model.
    """

    request: Growth
    encoding: Encoding
    array: NDArray[np.bool_]
    tau: float
    suggested_tau: float
    level: int
    level_scores: tuple[float, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the region lies outside and no pixel was left out."""
        return self.request.is_sharp and self.request.region == tuple(self.encoding.region)

    def mask(self) -> Mask:
        """The region as a mask of the picture; only a sharp one is exact."""
        return Mask(self.request.region[0], self.request.region[1], self.array).cropped()


def grow(encoding: Encoding, request: Growth) -> Grown:
    """Answer a request.

    Raises:
        SegmenterError: a seed lies outside what was encoded.
    """
    scores = encoding.level_scores(request.seeds)
    level = request.level
    if level is None or level >= len(scores):
        level = int(np.argmax(scores)) if scores else 0
    suggested = encoding.suggest_tau(request.seeds, level)
    tau = suggested if request.tau is None else request.tau
    array = encoding.mask(
        request.seeds,
        tau=tau,
        level=level,
        region=request.region,
        size=None if request.is_sharp else request.size,
    )
    return Grown(request, encoding, array, tau, suggested, level, tuple(scores))


def enter_level(grown: Grown, level: int) -> float:
    """The threshold at which another level starts where this region ends.

    Scrolling on past the end of a level should go on growing (or shrinking), not jump: of the new
    level's similarities the threshold is taken that covers as much as the present region does.
    """
    request = grown.request
    similarity = grown.encoding.similarity(
        request.seeds,
        level=level,
        region=request.region,
        size=None if request.is_sharp else request.size,
    )
    values = similarity.reshape(-1)
    covered = int(np.count_nonzero(grown.array))
    rank = min(values.size - 1, max(0, values.size - covered))
    tau = float(np.partition(values, rank)[rank])
    return min(TAU_MAX, max(TAU_MIN, tau))
