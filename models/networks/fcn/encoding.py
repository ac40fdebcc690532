"""FCN behind the segmenter's face: a click asks for the connected region of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from converters.annotation import Mask, Seed
from models.grid.encoding import FoundCells, GridAnswer, GridEncoding
from models.grid.segmenter import GridSegmenter
from models.segmenter import Prediction

if TYPE_CHECKING:
    from torch import Tensor

    from models.grid.frame import GridFrame

NAME = "fcn"
STRIDE = 2  # input pixels per cell that the encoding keeps; half the memory of every pixel, twice over
CUT = 0.5
HOLLOW_CUT = 0.9  # share of the seed's probability that cuts, where no class reaches CUT
PEAK_CLEARANCE = 0.05
REACH = 0.5  # a click's region ends where the probability falls below this share of the cut
MIN_CELLS = 12


class FCNEncoding(GridEncoding):
    """Class probabilities of one picture; see `Encoding` for the face.

    Args:
        probability: (classes + 1, h, w) float16; class 0 is the background.
    """

    def __init__(
        self,
        probability: NDArray[np.float16],
        frame: GridFrame,
        size: tuple[int, int],
        version: str,
        categories: tuple[str, ...],
    ) -> None:
        super().__init__(frame, size, version)
        rows, columns = frame.grid_size
        self._probability = np.ascontiguousarray(probability[:, :rows, :columns])
        self._categories = categories

    @property
    def feature_bytes(self) -> int:
        return self._probability.nbytes

    def answer_cell(self, row: int, column: int) -> GridAnswer:
        """Probability of the seed's class in the part of the picture that hangs together with it."""
        at_seed = self._probability[:, row, column]
        category = int(at_seed.argmax())
        own = float(at_seed[category])
        probability = self._probability[category].astype(np.float32)
        cut = min(CUT, HOLLOW_CUT * own)
        peak = max(own, cut + PEAK_CLEARANCE)
        near = (probability >= REACH * cut).astype(np.uint8)
        parts = cv2.connectedComponents(near, connectivity=4)[1]
        connected = parts == parts[row, column]
        similarity = np.where(connected, np.minimum(probability / peak, 1.0), 0.0).astype(np.float32)
        inside = connected & (probability >= cut)
        return GridAnswer(similarity, cut / peak, float(probability[inside].mean()))

    def class_map(self) -> NDArray[np.int32]:
        """(height, width) int32: the most probable class of each pixel, 0 the background or not encoded."""
        whole = 0, 0, self.width, self.height
        best = np.full((self.height, self.width), -1.0, np.float32)
        out = np.zeros((self.height, self.width), np.int32)
        for category, probability in enumerate(self._probability):
            grid = probability.astype(np.float32)
            own = self.frame.resample(grid, whole, (self.height, self.width), outside=-1.0)
            out[own > best] = category
            np.maximum(best, own, out=best)
        return out

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        """Connected regions of each class but the background, by mean probability."""
        classes = self._probability.argmax(axis=0)
        found: list[FoundCells] = []
        for category in np.unique(classes[classes > 0]):
            found += self._regions_of(int(category), classes == category)
        found = sorted((f for f in found if f.score >= min_score), key=lambda f: -f.score)
        return [self.predict(f) for f in found[:max_count]]

    def predict_part(self, mask: Mask, label: str) -> Prediction:
        """A region of one class, as found by other means, with a seed at its deepest point."""
        depth = cv2.distanceTransform(np.pad(mask.array.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        seed = Seed(mask.x0 + float(column) + 0.5, mask.y0 + float(row) + 0.5)
        answer = self.answer(seed)
        tau = self.suggest_tau([seed])
        return Prediction(mask, label, answer.score, answer.score, seed, tau)

    def _regions_of(self, category: int, cells: NDArray[np.bool_]) -> list[FoundCells]:
        count, parts, stats, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=4)
        sums = np.bincount(parts.ravel(), self._probability[category].ravel(), minlength=count)
        label = self._categories[category - 1] if self._categories else None
        found = []
        for part in range(1, count):
            x, y, width, height, area = (int(v) for v in stats[part])
            if area < MIN_CELLS:
                continue
            own = np.pad((parts[y : y + height, x : x + width] == part).astype(np.uint8), 1)
            depth = cv2.distanceTransform(own, cv2.DIST_L2, 3)[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            score = float(sums[part] / area)
            tau = self.answer_cell(y + int(row), x + int(column)).tau
            found.append(FoundCells(y + int(row), x + int(column), tau, label, score, score))
        return found


def pooled_probability(logits: Tensor) -> NDArray[np.float16]:
    """(1, classes + 1, H, W) logits -> (classes + 1, H / STRIDE, W / STRIDE) probabilities."""
    probability = F.avg_pool2d(logits.float(), STRIDE).softmax(dim=1)
    return np.asarray(probability[0].cpu().numpy(), np.float16)


class FCNSegmenter(GridSegmenter[NDArray[np.float16]]):
    """A loaded FCN."""

    name = NAME

    def run_network(self, pixels: Tensor) -> NDArray[np.float16]:
        return pooled_probability(self._network(pixels))

    def make_encoding(
        self, features: NDArray[np.float16], frame: GridFrame, size: tuple[int, int]
    ) -> FCNEncoding:
        return FCNEncoding(features, frame, size, self.version, self.categories)
