"""Select similar: the objects of a picture that look like given ones.

Clicks are asked all over the picture: at the peaks of the seediness map, between them where something may
lie, and wherever a cell looks like the objects in question. Every level of every answer is a candidate. A
mask is described by the mean of the backbone's features inside it (stride 16); two descriptions are compared
by their cosine:

    similarity = logistic(a cos(r, c) + b log(IoU) + d log(seediness) + e)

r and c describe the reference and the candidate, IoU is what the network predicts for the candidate's mask,
seediness its value at the candidate's seed. Where candidates overlap, the better mask wins: there the
cosine weighs less. The weights gave the best average precision on training pictures, and the best F1 there
lies at a similarity of 0.5 (docs/experiments/similar.md).

In another picture than that of the objects in question there may be none like them. There r and c are taken
without what each one's picture has in common (the mean of its features), and a and b are those of a logistic
regression on pairs of objects from different pictures, d is 0, and e was lowered until a similarity of 0.5
meant a precision of at least 0.8 in every folder of the fit (docs/experiments/similar-elsewhere.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from models.grid.encoding import MIN_CELLS
from models.grid.overlaps import suppress_duplicates
from models.grid.peaks import seed_peaks
from models.seednet.automatic import CHUNK, ClickableEncoding, predict_point
from models.segmenter import MOSTLY, SAME_OBJECT_IOU, Appearance, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converters.annotation import Mask
    from models.grid.frame import GridFrame
    from models.seednet.click.seed_answer import Grid

BoolGrid = NDArray[np.bool_]
N = TypeVar("N", bound=np.generic)

STRIDE = 16  # of the features that describe
GRID_STEP = 12  # cells of the fine grid between clicks that fill the gaps
GAP = 9  # cells without a peak on any side make a gap
MAYBE_SEEDINESS = 0.08
LOOK_ALIKE_SEEDS = 48
LOOK_ALIKE_COSINE = 0.4
RANKED = 400  # candidates that are compared with each other
HERE = (3.0, 3.0, 0.5, -0.5)  # of the cosine, the IoU, the seediness; and what is added
# The same in other pictures, fitted by docs/experiments/similar_elsewhere.py.
ELSEWHERE = (4.5, 2.5, 0.0, -3.4)
OVERLAP_COSINE, OVERLAP_IOU, OVERLAP_SEEDINESS = 1.0, 2.0, 0.5
CONTAINED = 0.95  # share of a candidate inside a better one from which it is left out
LEAST = 0.02  # of predicted IoU and seediness, before the logarithm


@dataclass(frozen=True, slots=True)
class Candidates:
    """Masks that clicks answered with.

    Attributes:
        packed: (N, bytes) uint8, the (h, w) masks on the fine grid as bits.
        shape: (h, w).
        points: (N, 2), the clicks in picture coordinates.
        levels: (N,) of the answers.
        ious: (N,) predicted IoU.
        seediness: (N,) at the clicks.
        vectors: (N, C) float32 descriptions.
    """

    packed: NDArray[np.uint8]
    shape: tuple[int, int]
    points: NDArray[np.float64]
    levels: NDArray[np.intp]
    ious: Grid
    seediness: Grid
    vectors: Grid

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + self.vectors.nbytes

    def masks(self, chosen: NDArray[np.intp]) -> BoolGrid:
        """(M, h, w) bool."""
        rows, columns = self.shape
        bits = np.unpackbits(self.packed[chosen], axis=1, count=rows * columns)
        return np.asarray(bits.reshape(-1, rows, columns).view(np.bool_))

    def with_others(self, others: Candidates) -> Candidates:
        """These and others of the same picture."""
        pairs = ((getattr(self, n), getattr(others, n)) for n in _COLUMNS)
        joined = dict(zip(_COLUMNS, (np.concatenate(pair) for pair in pairs), strict=True))
        return Candidates(shape=self.shape, **joined)


_COLUMNS = ("packed", "points", "levels", "ious", "seediness", "vectors")


class AppearanceMap:
    """The features of one picture that describe its objects.

    Args:
        features: (C, H / 16, W / 16) float32 over the padded input.
    """

    def __init__(self, features: Grid, frame: GridFrame) -> None:
        self.features = features
        self.frame = frame

    @property
    def background(self) -> Grid:
        """(C,) what all of the picture has in common."""
        return np.asarray(self.features.mean(axis=(1, 2)), np.float32)

    def pool(self, masks: BoolGrid) -> Grid:
        """Mean features inside (N, h, w) masks of the fine grid: (N, C)."""
        fine = STRIDE // self.frame.stride
        rows, columns = (side * fine for side in self.features.shape[1:])
        padded = np.zeros((len(masks), rows, columns), np.float32)
        padded[:, : masks.shape[1], : masks.shape[2]] = masks
        shares = padded.reshape(len(masks), rows // fine, fine, columns // fine, fine).mean(axis=(2, 4))
        weights = _flat(shares)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
        return np.asarray(weights @ self.features.reshape(len(self.features), -1).T, np.float32)

    def cells_of(self, mask: Mask, height: int, width: int) -> BoolGrid:
        """(h, w) the cells of the fine grid that a mask of the picture covers by half, at least one."""
        x0, y0, x1, y1 = self.frame.region
        part = mask.clipped(height, width).window((x0, y0, x1, y1))
        rows, columns = self.frame.grid_size
        size = self.frame.input_width, self.frame.input_height
        stride = self.frame.stride
        shares = np.zeros((rows * stride, columns * stride), np.float32)
        shares[: size[1], : size[0]] = cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        shares = shares.reshape(rows, stride, columns, stride).mean(axis=(1, 3))
        return np.asarray((shares >= min(0.5, float(shares.max()))) & (shares > 0))


def cosines(references: Grid, vectors: Grid) -> Grid:
    """(N,) the largest cosine of each of (N, C) vectors with any of (M, C) references."""
    return np.asarray((_unit(vectors) @ _unit(references).T).max(axis=1), np.float32)


def _flat(maps: NDArray[N]) -> NDArray[N]:
    """(N, h, w) maps as (N, h * w) rows, also when there is none: `reshape(N, -1)` cannot tell then."""
    return maps.reshape(len(maps), maps.shape[1] * maps.shape[2])


def _unit(vectors: Grid) -> Grid:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6))


def similarity_scores(cosine: Grid, ious: Grid, seediness: Grid, *, elsewhere: bool = False) -> Grid:
    """The formula above: (N,) in (0, 1)."""
    of_cosine, of_iou, of_seediness, offset = ELSEWHERE if elsewhere else HERE
    logit = of_cosine * cosine + of_iou * _log(ious) + of_seediness * _log(seediness) + offset
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), np.float32)


def overlap_scores(cosine: Grid, ious: Grid, seediness: Grid) -> Grid:
    """(N,) which of two overlapping candidates goes first."""
    score = OVERLAP_COSINE * cosine + OVERLAP_IOU * _log(ious) + OVERLAP_SEEDINESS * _log(seediness)
    return np.asarray(score, np.float32)


def _log(share: Grid) -> Grid:
    return np.asarray(np.log(np.maximum(share, LEAST)), np.float32)


class SimilarEncoding(ClickableEncoding, Protocol):
    """The part of an encoding used here."""

    height: int
    width: int
    version: str


class SimilarityFinder:
    """Searches one picture; the candidates that every search shares are made once.

    The encoding owns it and is handed to every search: holding it here would be a circle that keeps both
    in memory.

    Args:
        seediness: (h, w) in [0, 1] on the fine grid.
    """

    def __init__(self, appearance: AppearanceMap, seediness: Grid) -> None:
        self._map = appearance
        self._seediness = seediness
        self._candidates: Candidates | None = None

    @property
    def nbytes(self) -> int:
        candidates = self._candidates.nbytes if self._candidates is not None else 0
        return self._map.features.nbytes + candidates

    def describe(self, encoding: SimilarEncoding, objects: Sequence[Mask]) -> Appearance:
        """See `Encoding.appearance`."""
        cells = [self._cells(encoding, mask) for mask in objects]
        seen = np.array([c for c in cells if c.any()], np.bool_)
        vectors = self._map.pool(seen) if len(seen) else np.zeros((0, len(self._map.features)), np.float32)
        return Appearance(encoding.version, frozenset({None}), vectors, self._map.background)

    def find(
        self,
        encoding: SimilarEncoding,
        reference: Appearance,
        *,
        known: Sequence[Mask],
        elsewhere: bool,
        min_similarity: float,
        max_count: int,
    ) -> list[Prediction]:
        """See `Encoding.find_similar`."""
        if not len(reference.vectors):
            return []
        candidates, cosine = self.compared(encoding, reference, elsewhere=elsewhere)
        facts = candidates.ious, candidates.seediness
        scores = similarity_scores(cosine, *facts, elsewhere=elsewhere)
        order = overlap_scores(cosine, *facts)
        ranked = np.argsort(-scores, kind="stable")[:RANKED]
        ranked = ranked[scores[ranked] >= min_similarity]
        masks = candidates.masks(ranked)
        new = _not_known(masks, [self._cells(encoding, mask) for mask in known])
        ranked, masks = ranked[new], masks[new]
        kept = suppress_duplicates(list(masks), order[ranked].tolist(), contained=CONTAINED)
        kept.sort()  # by similarity again
        found = []
        for place in kept[:max_count]:
            index = ranked[place]
            x, y = candidates.points[index].tolist()
            numbers = float(scores[index]), float(candidates.ious[index])
            level = int(candidates.levels[index])
            found.append(predict_point(encoding, *numbers, (x, y), level))
        return [prediction for prediction in found if not prediction.mask.is_empty]

    def compared(
        self, encoding: SimilarEncoding, reference: Appearance, *, elsewhere: bool
    ) -> tuple[Candidates, Grid]:
        """What clicks answer here, and how much each is like the described objects: (N,) cosines."""
        candidates = self._everywhere(encoding).with_others(self._look_alikes(encoding, reference))
        if not elsewhere or not len(reference.background):
            return candidates, cosines(reference.vectors, candidates.vectors)
        alone = reference.vectors - reference.background, candidates.vectors - self._map.background
        return candidates, cosines(*alone)

    def _cells(self, encoding: SimilarEncoding, mask: Mask) -> BoolGrid:
        return self._map.cells_of(mask, encoding.height, encoding.width)

    def _everywhere(self, encoding: SimilarEncoding) -> Candidates:
        """What clicks answer at the peaks of the seediness map and in its gaps, remembered."""
        if self._candidates is None:
            peaks = seed_peaks(self._seediness)
            self._candidates = self._ask(encoding, [*peaks, *gap_places(self._seediness, peaks)])
        return self._candidates

    def _look_alikes(self, encoding: SimilarEncoding, reference: Appearance) -> Candidates:
        """What clicks answer at the places that look most like the reference."""
        channels, height, width = self._map.features.shape
        cells = self._map.features.reshape(channels, -1).T
        alike = cosines(reference.vectors, cells).reshape(height, width)
        fine = STRIDE // self._map.frame.stride
        rows, columns = self._seediness.shape
        places = ((r * fine + fine // 2, c * fine + fine // 2) for r, c in look_alike_peaks(alike))
        return self._ask(encoding, [(r, c) for r, c in places if r < rows and c < columns])

    def _ask(self, encoding: SimilarEncoding, places: Sequence[tuple[int, int]]) -> Candidates:
        """Every level of the answers to clicks in (row, column) cells."""
        frame = self._map.frame
        points = [frame.cell_center(row, column) for row, column in places]
        masks: list[BoolGrid] = []
        facts: list[tuple[float, float, int, float, float]] = []
        for start in range(0, len(points), CHUNK):
            answers = encoding.answer_points(points[start : start + CHUNK])
            for number, answer in enumerate(answers, start):
                for hypothesis in answer.best_per_level():
                    inside = answer.mask(hypothesis)
                    if np.count_nonzero(inside) >= MIN_CELLS:
                        masks.append(inside)
                        seediness = float(self._seediness[places[number]])
                        facts.append((*points[number], hypothesis.level, hypothesis.score, seediness))
        shape = self._seediness.shape
        stacked = np.stack(masks) if masks else np.zeros((0, *shape), np.bool_)
        table = np.array(facts, np.float64).reshape(-1, 5)
        return Candidates(
            packed=np.packbits(_flat(stacked), axis=1),
            shape=(shape[0], shape[1]),
            points=table[:, :2],
            levels=table[:, 2].astype(np.intp),
            ious=table[:, 3].astype(np.float32),
            seediness=table[:, 4].astype(np.float32),
            vectors=self._map.pool(stacked),
        )


def gap_places(seediness: Grid, peaks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(row, column) of a coarse grid over an (h, w) map, where it is not quite flat and no peak is near."""
    near = np.zeros(seediness.shape, np.bool_)
    for row, column in peaks:
        near[max(0, row - GAP) : row + GAP + 1, max(0, column - GAP) : column + GAP + 1] = True
    half = GRID_STEP // 2
    maybe = (seediness >= MAYBE_SEEDINESS) & ~near
    rows, columns = np.nonzero(maybe[half::GRID_STEP, half::GRID_STEP])
    return [
        (int(r) * GRID_STEP + half, int(c) * GRID_STEP + half) for r, c in zip(rows, columns, strict=True)
    ]


def look_alike_peaks(alike: Grid) -> list[tuple[int, int]]:
    """(row, column) of local maxima of an (h, w) map of cosines, best first."""
    highest = cv2.dilate(alike, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((alike >= highest) & (alike >= LOOK_ALIKE_COSINE))
    order = np.argsort(-alike[rows, columns], kind="stable")[:LOOK_ALIKE_SEEDS]
    return [(int(rows[i]), int(columns[i])) for i in order]


def _not_known(masks: BoolGrid, known: Sequence[BoolGrid]) -> NDArray[np.bool_]:
    """(N,): whether (N, h, w) masks show something else than the known (h, w) ones; as `overlaps`."""
    flat = _flat(masks).astype(np.float32)
    area = flat.sum(axis=1)
    new = np.ones(len(masks), np.bool_)
    for cells in known:
        shared = flat @ cells.ravel().astype(np.float32)
        either, smaller = area + cells.sum() - shared, np.minimum(area, cells.sum())
        new &= (shared < SAME_OBJECT_IOU * either) & (shared < MOSTLY * np.maximum(smaller, 1.0))
    return new
