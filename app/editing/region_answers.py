"""Growing a region from seeds through an encoding: what the seed tool asks for off the GUI thread.

Qt-free. Positions and regions are pixels of the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from app.editing.limits import TAU
from app.process.cores import take_cores
from app.process.stopping import stop_if
from converters.annotation import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.process.stopping import ShouldStop
    from converters.annotation import Seed
    from models.segmenter import Encoding, Region


_COMPARED_SIDE = 256
"""Answers of two encodings are compared on so many samples a side."""
_SHARES = (1.0, 0.97, 0.9)
"""How much of a region the matching threshold may cover: just behind its last pixel a flat background
may begin, all of one similarity."""


@dataclass(frozen=True, slots=True)
class RegionRequest:
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
class RegionResult:
    """A region and the numbers that made it.

    Attributes:
        array: (rows, columns) bool over the request's region.
        tau, suggested_tau, level, level_scores: as `SeedState` tells them.
        version: of the model.
    """

    request: RegionRequest
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

    @property
    def is_cut(self) -> bool:
        """Whether the region reaches a border of what was encoded and may go on beyond it."""
        x0, y0, x1, y1 = self.encoding.region
        left, top, right, bottom = self.request.region
        return bool(
            (left == x0 > 0 and self.array[:, 0].any())
            or (top == y0 > 0 and self.array[0].any())
            or (right == x1 < self.encoding.width and self.array[:, -1].any())
            or (bottom == y1 < self.encoding.height and self.array[-1].any())
        )

    def mask(self) -> Mask:
        """The region as a mask of the picture; only a sharp one is exact."""
        return Mask(self.request.region[0], self.request.region[1], self.array).cropped()


def answer(encoding: Encoding, request: RegionRequest) -> RegionResult:
    """Answer a request.

    Raises:
        SegmenterError: a seed lies outside what was encoded.
    """
    return _outlined(encoding, request, _scores(encoding, request))


def answer_unless_stopped(
    encoding: Encoding, request: RegionRequest, should_stop: ShouldStop
) -> RegionResult:
    """`answer`, unless told to stop before the outline is drawn, which takes a third of the time.

    Raises:
        Stopped: `should_stop` said so.
    """
    stop_if(should_stop)
    scores = _scores(encoding, request)
    stop_if(should_stop)
    return _outlined(encoding, request, scores)


def _scores(encoding: Encoding, request: RegionRequest) -> tuple[float, ...]:
    """The levels' predicted IoUs; what the seeds mean is known to the encoding from then on."""
    take_cores()
    return tuple(encoding.level_scores(request.seeds))


def _outlined(encoding: Encoding, request: RegionRequest, scores: tuple[float, ...]) -> RegionResult:
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
    return RegionResult(request, encoding, array, tau, suggested, level, scores)


def answer_whole(encoding: Encoding, around: Encoding | None, request: RegionRequest) -> RegionResult:
    """Answer a request; an object that the border of an encoded part cuts is completed.

    Args:
        around: the encoding of the whole picture; None takes the answer as it is.
    """
    result = answer(encoding, request)
    if around is None or around is encoding or not (request.is_sharp and result.is_cut):
        return result
    return _completed(result, around)


def _completed(result: RegionResult, around: Encoding) -> RegionResult:
    """The region, going on outside the encoded part as the whole picture's encoding says.

    The two encodings measure similarity at different scales, so neither level nor threshold carries
    over: of the levels, each with thresholds that cover about as much of the part as the region does,
    the one is taken whose answer there is most like the region. Inside the part every pixel stays as
    it was; outside, only what hangs together with the region is added.
    """
    request, (x0, y0, x1, y1) = result.request, result.request.region
    step = max(1, round(max(result.array.shape) / _COMPARED_SIDE))
    size = -(-result.array.shape[0] // step), -(-result.array.shape[1] // step)
    inside = result.array[_centers(result.array.shape[0], size[0])][
        :, _centers(result.array.shape[1], size[1])
    ]
    best, tau, level = -1.0, result.tau, 0
    for tried in range(len(around.level_scores(request.seeds))):
        similarity = around.similarity(request.seeds, level=tried, region=request.region, size=size)
        for share in _SHARES:
            threshold = _covering(similarity, round(share * int(np.count_nonzero(inside))))
            found = similarity >= threshold
            shared, either = int(np.count_nonzero(found & inside)), int(np.count_nonzero(found | inside))
            if shared / max(1, either) > best:
                best, tau, level = shared / max(1, either), threshold, tried
    height, width = around.height, around.width
    full = around.mask(request.seeds, tau=tau, level=level, region=(0, 0, width, height)).astype(np.uint8)
    full[y0:y1, x0:x1] = result.array
    _, parts = cv2.connectedComponents(full, connectivity=4)
    kept = np.unique(parts[y0:y1, x0:x1][result.array])
    whole = np.isin(parts, kept[kept > 0])
    complete = replace(request, region=(0, 0, width, height), size=(height, width))
    return replace(result, request=complete, array=whole)


def _centers(length: int, samples: int) -> NDArray[np.intp]:
    """Which of `length` pixels lie under the centres of so many even samples."""
    return ((np.arange(samples) + 0.5) * length / samples).astype(np.intp)


def _covering(similarity: NDArray[np.float32], covered: int) -> float:
    """The threshold, inside the scale's ends, from which on so many values are found."""
    values = similarity.reshape(-1)
    rank = min(values.size - 1, max(0, values.size - covered))
    return TAU.clamped(float(np.partition(values, rank)[rank]))


def enter_level(result: RegionResult, level: int) -> float:
    """The threshold at which another level starts where this region ends.

    Scrolling on past the end of a level should go on growing (or shrinking), not jump: of the new
    level's similarities the threshold is taken that covers as much as the present region does.
    """
    request = result.request
    similarity = result.encoding.similarity(
        request.seeds,
        level=level,
        region=request.region,
        size=None if request.is_sharp else request.size,
    )
    return _covering(similarity, int(np.count_nonzero(result.array)))
