"""Deep metric learning behind the segmenter's face: a click grows the mask m(p, tau)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.grid.encoding import MIN_CELLS, FoundCells, GridAnswer, GridEncoding
from models.grid.overlaps import suppress_duplicates
from models.layers.distance import squared_distances
from models.networks.deep_metric_learning.metric import embedding_gap, pixel_similarity
from models.networks.deep_metric_learning.network import TAUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.grid.frame import GridFrame
    from models.networks.deep_metric_learning.network import DeepMetricConfig, MetricFeatures
    from models.segmenter import Prediction

DIVERSITY = 0.3  # alpha of equation 6
MAX_SEEDS = 100


def select_seeds(
    seediness: Tensor,
    embedding: Tensor,
    *,
    count: int = MAX_SEEDS,
    min_seediness: float = 0.0,
    diversity: float = DIVERSITY,
    use_square: bool = True,
) -> list[int]:
    """Greedy seeds: p* = argmax log S_p + alpha log D(p, chosen) (equation 6).

    D(p, chosen) is the smallest 1 - sigma(p, q) over the seeds q chosen so far; the first seed is simply
    the best. Every step looks at all pixels at once; the steps themselves depend on each other.

    Args:
        seediness: (P,) in [0, 1].
        embedding: (D, P).
        min_seediness: pixels below it are never chosen.

    Returns:
        Up to `count` pixel indices in the order of choice.
    """
    quality = seediness.clamp(min=1e-12).log().masked_fill(seediness < min_seediness, -torch.inf)
    quality = quality.masked_fill(seediness <= 0.0, -torch.inf)
    pixels = embedding.T
    unlike = torch.ones_like(seediness)
    chosen: list[int] = []
    for step in range(min(count, len(seediness))):
        score = quality + diversity * unlike.clamp(min=1e-12).log() if step else quality
        best = int(score.argmax())
        if not torch.isfinite(quality[best]):
            break
        chosen.append(best)
        quality[best] = -torch.inf
        gap = embedding_gap(squared_distances(pixels[best : best + 1], pixels)[0], use_square=use_square)
        unlike = torch.minimum(unlike, 1.0 - pixel_similarity(gap))
    return chosen


class DeepMetricEncoding(GridEncoding):
    """The embedding and the seediness of one picture."""

    def __init__(
        self,
        features: MetricFeatures,
        frame: GridFrame,
        size: tuple[int, int],
        version: str,
        *,
        categories: tuple[str, ...],
        config: DeepMetricConfig,
    ) -> None:
        super().__init__(frame, size, version)
        rows, columns = frame.grid_size
        self._categories, self._use_square = categories, config.squared
        self._embedding = features.embedding[0, :, :rows, :columns].flatten(1)
        best, tau, category = (t[0, :rows, :columns] for t in features.seediness())
        self._seediness = best
        self._tau = np.asarray(TAUS, np.float32)[tau.cpu().numpy()]
        self._category = category.cpu().numpy()

    @property
    def feature_bytes(self) -> int:
        maps = self._tau.nbytes + self._category.nbytes
        return int(self._embedding.nbytes + self._seediness.nbytes + maps)

    def _similar(self, pixels: Tensor) -> NDArray[np.float32]:
        """(S, h, w) similarity of flat grid indices to every cell."""
        embedding = self._embedding.T
        gap = embedding_gap(squared_distances(embedding[pixels], embedding), use_square=self._use_square)
        maps = pixel_similarity(gap).cpu().numpy()
        return np.asarray(maps.reshape(len(pixels), *self._seediness.shape), np.float32)

    def answer_cell(self, row: int, column: int) -> GridAnswer:
        index = torch.tensor([row * self._seediness.shape[1] + column], device=self._embedding.device)
        with torch.inference_mode():
            similarity = self._similar(index)[0]
        similarity[row, column] = 1.0
        score = float(self._seediness[row, column])
        return GridAnswer(similarity, float(self._tau[row, column]), score)

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        with torch.inference_mode():
            seeds = select_seeds(
                self._seediness.flatten(),
                self._embedding,
                min_seediness=max(min_score, 1e-3),
                use_square=self._use_square,
            )
            if not seeds:
                return []
            maps = self._similar(torch.tensor(seeds, device=self._embedding.device))
        rows, columns = np.divmod(np.asarray(seeds), self._seediness.shape[1])
        taus, classes = self._tau[rows, columns], self._category[rows, columns]
        scores = self._seediness.cpu().numpy()[rows, columns]
        masks = maps >= taus[:, None, None]
        large = np.flatnonzero(masks.sum(axis=(1, 2)) >= MIN_CELLS)
        kept = large[
            suppress_duplicates([masks[i] for i in large], scores[large].tolist(), classes[large].tolist())
        ]
        found = [
            FoundCells(
                row=int(rows[i]),
                column=int(columns[i]),
                tau=float(taus[i]),
                label=self._categories[int(classes[i])],
                score=float(scores[i]),
                mask_score=float(scores[i]),
            )
            for i in kept[:max_count]
        ]
        return [self.predict(f) for f in found]
