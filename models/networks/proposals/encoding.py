"""Networks that propose objects, behind the segmenter's face.

A click asks which proposals cover it. The best of them, nested small to large, are its levels; the soft
mask of a level is the similarity, and τ cuts it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from converters.annotation import Mask, Seed
from models.grid.disagreement import disagreement
from models.grid.frame import GridFrame, mark_seeds
from models.grid.segmenter import GridSegmenter
from models.layers.boxes import box_iou
from models.layers.detections import Detections
from models.networks.proposals.soft_masks import FloatArray, SoftMasks, soft_masks
from models.segmenter import Encoding, Prediction, Region, clip_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

LEVELS = 3
CUT = 0.5  # probability at which the networks themselves cut a mask
PEAK_CLEARANCE = 0.05  # a seed's own probability counts as at least so much above the cut
HOLLOW_CUT = 0.9  # share of the seed's probability that cuts a mask which does not quite cover the seed
SAME_BOX_IOU = 0.8  # proposals that overlap so far are one object under two names
TAU_RANGE = (0.02, 0.98)
CACHED_SEEDS = 64
INSTANCE_SEED_TRIALS = 12


@dataclass(frozen=True, slots=True)
class SeedLevels:
    """The proposals that answer one seed, small to large.

    Attributes:
        indices: at most LEVELS proposals; empty where nothing was proposed.
        scores: of each, corrected by the other clicks it covers.
    """

    indices: tuple[int, ...]
    scores: tuple[float, ...]

    def pick(self, level: int | None) -> int | None:
        """The proposal of a level (beyond the largest: the largest), by default the best one."""
        if not self.indices:
            return None
        if level is None:
            return self.indices[int(np.argmax(self.scores))]
        return self.indices[min(max(level, 0), len(self.indices) - 1)]


class ProposalEncoding(Encoding):
    """The proposals of one picture; see `Encoding` for the face."""

    def __init__(
        self,
        detections: Detections,
        frame: GridFrame,
        size: tuple[int, int],
        *,
        version: str,
        categories: tuple[str, ...],
    ) -> None:
        self.height, self.width = size
        self.region, self.input_side = frame.region, frame.input_side
        self.version = version
        self.level_count = LEVELS
        self._categories = categories
        self._masks: SoftMasks = soft_masks(detections, frame)
        self._labels = detections.labels.cpu().numpy()
        self._scores = detections.scores.float().cpu().numpy()
        self._mask_scores = detections.mask_scores.float().cpu().numpy()
        boxes = detections.boxes.float().cpu()
        self._area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).numpy()
        self._same = (box_iou(boxes, boxes) > SAME_BOX_IOU).numpy()
        self._covers: OrderedDict[tuple[float, float], FloatArray] = OrderedDict()

    @property
    def nbytes(self) -> int:
        return self._masks.nbytes + sum(c.nbytes for c in self._covers.values())

    def _cover(self, seed: Seed) -> FloatArray:
        """(N,) probability of each proposal at the seed, remembered."""
        key = (seed.x, seed.y)
        if key not in self._covers:
            self._covers[key] = self._masks.at(seed.x, seed.y)
            if len(self._covers) > CACHED_SEEDS:
                self._covers.popitem(last=False)
        self._covers.move_to_end(key)
        return self._covers[key]

    def covers(self, seed: Seed) -> bool:
        """Whether a proposal's mask lies under the seed."""
        return bool((self._cover(seed) >= CUT).any())

    def _levels(self, seed: Seed, seeds: Sequence[Seed]) -> SeedLevels:
        """The best different proposals under a seed, considering what they do at the other seeds."""
        own = self._cover(seed)
        others = [(s.positive == seed.positive, self._cover(s) >= CUT) for s in seeds if s != seed]
        scores = self._scores - disagreement(others)
        candidates = np.flatnonzero(own >= CUT)
        if candidates.size == 0:
            # A hole in a mask, or its rim: the proposal that comes nearest to covering the seed.
            candidates = np.flatnonzero(own > TAU_RANGE[0])
            candidates = candidates[np.argsort(-own[candidates], kind="stable")][:1]
        chosen: list[int] = []
        for index in candidates[np.argsort(-scores[candidates], kind="stable")]:
            if len(chosen) < LEVELS and not self._same[index, chosen].any():
                chosen.append(int(index))
        chosen.sort(key=lambda index: float(self._area[index]))
        return SeedLevels(tuple(chosen), tuple(float(scores[i]) for i in chosen))

    def _cut_and_peak(self, seed: Seed, proposal: int) -> tuple[float, float]:
        """The probability that cuts the mask, and the one that counts as similarity 1."""
        own = float(self._cover(seed)[proposal])
        if own < CUT:
            return HOLLOW_CUT * own, own
        return CUT, max(own, CUT + PEAK_CLEARANCE)

    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        scores = self._levels(first, seeds).scores
        padded = scores + (0.0,) * (LEVELS - len(scores))
        return tuple(float(v) for v in np.clip(padded, 0.0, 1.0))

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        proposal = self._levels(first, seeds).pick(level)
        if proposal is None:
            return CUT
        cut, peak = self._cut_and_peak(first, proposal)
        return min(max(cut / peak, TAU_RANGE[0]), TAU_RANGE[1])

    def _similarity(
        self,
        seeds: Sequence[Seed],
        all_seeds: Sequence[Seed],
        level: int | None,
        wanted: Region,
        size: tuple[int, int],
    ) -> FloatArray:
        """Largest similarity to any of `seeds`."""
        out = np.zeros(size, np.float32)
        done: set[int] = set()
        for seed in seeds:
            proposal = self._levels(seed, all_seeds).pick(level if seed.positive else None)
            if proposal is not None and proposal not in done:
                done.add(proposal)
                peak = np.float32(self._cut_and_peak(seed, proposal)[1])
                np.maximum(out, self._masks.render(proposal, wanted, size) / peak, out=out)
        return np.minimum(out, np.float32(1.0), out=out)

    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> FloatArray:
        self.check_seeds(seeds)
        wanted = clip_region(region, self.height, self.width)
        size = size or (wanted[3] - wanted[1], wanted[2] - wanted[0])
        positives = [s for s in seeds if s.positive]
        out = self._similarity(positives, seeds, level, wanted, size)
        mark_seeds(out, positives, wanted, 1.0)
        return out

    def claimed(self, seeds: Sequence[Seed], wanted: Region, size: tuple[int, ...]) -> FloatArray:
        negatives = [s for s in seeds if not s.positive]
        out = self._similarity(negatives, seeds, None, wanted, (size[0], size[1]))
        mark_seeds(out, negatives, wanted, 2.0)
        mark_seeds(out, [s for s in seeds if s.positive], wanted, 0.0)
        return out

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        found = (self._predict(i) for i in np.flatnonzero(self._scores >= min_score)[:max_count])
        return [prediction for prediction in found if prediction is not None]

    def _predict(self, index: int) -> Prediction | None:
        """The proposal at full resolution, and a seed that asks for it."""
        x0, y0, x1, y1 = self._masks.picture_box(index)
        box = int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        soft = self._masks.render(index, box, (box[3] - box[1], box[2] - box[0]))
        inside = soft >= CUT
        if not inside.any():
            return None
        seed, level = self._seed_of(index, inside, box)
        cut, peak = self._cut_and_peak(seed, index)
        tau = min(max(cut / peak, TAU_RANGE[0]), TAU_RANGE[1])
        label = self._categories[self._labels[index]] if self._categories else None
        score, mask_score = float(self._scores[index]), float(self._mask_scores[index])
        mask = Mask(box[0], box[1], inside).cropped()
        return Prediction(mask, label, score, mask_score, seed, tau, level)

    def _seed_of(self, index: int, inside: NDArray[np.bool_], box: Region) -> tuple[Seed, int | None]:
        """A deep point of the mask where the proposal is among the levels, and which level it is.

        Where better proposals hide it everywhere the deepest point is taken, and no level.
        """
        depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        deepest: Seed | None = None
        for _ in range(INSTANCE_SEED_TRIALS):
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            if depth[row, column] <= 0 and deepest is not None:
                break
            seed = Seed(box[0] + float(column) + 0.5, box[1] + float(row) + 0.5)
            deepest = deepest or seed
            levels = self._levels(seed, [seed]).indices
            if index in levels:
                return seed, levels.index(index)
            radius = max(1, int(depth[row, column]))
            depth[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = 0
        assert deepest is not None
        return deepest, None


class ProposalSegmenter(GridSegmenter[Detections]):
    """Any network with `detect(images) -> list[Detections]`."""

    def __init__(self, name: str, network: nn.Module, **facts: Any) -> None:
        self.name = name
        super().__init__(network, **facts)

    def run_network(self, pixels: Tensor) -> Detections:
        found: list[Detections] = self._network.detect(pixels)  # type: ignore[operator]
        return found[0]

    def make_encoding(self, features: Detections, frame: GridFrame, size: tuple[int, int]) -> Encoding:
        return ProposalEncoding(features, frame, size, version=self.version, categories=self.categories)
