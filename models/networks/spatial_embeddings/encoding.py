"""Spatial embeddings behind the segmenter's face: a click is a centre with its own bandwidth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.grid.encoding import FoundCells, GridAnswer, GridEncoding
from models.networks.spatial_embeddings.network import bandwidth, cluster_probability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.grid.frame import GridFrame
    from models.networks.spatial_embeddings.network import SpatialEmbeddingsConfig, SpatialFeatures
    from models.segmenter import Prediction

BORDER_PHI = 0.5
MIN_SEED = 0.5
FREE_SHARE = 0.5  # a cluster counts if more than this share of it is not taken yet
MAX_CLUSTERS = 300


@dataclass(frozen=True, slots=True)
class Cluster:
    """One accepted cluster: the flat index of its seed pixel, its members, the seed map's value there."""

    seed: int
    members: NDArray[np.bool_]
    score: float


def cluster_sequentially(
    embedding: Tensor,
    sigma: Tensor,
    seeds: Tensor,
    *,
    min_pixels: int,
    min_seed: float = MIN_SEED,
) -> list[Cluster]:
    """The sequential clustering of section 3.3, over the foreground pixels of a seed map.

    Again and again the free pixel with the highest seed value becomes a centre; the foreground pixels with
    phi > 1/2 are its cluster. A cluster is accepted if it is large enough and mostly free, and taken away
    whether or not. Each step looks at all pixels at once; the steps depend on each other.

    Args:
        embedding: (2, P).
        sigma: (S, P).
        seeds: (P,) in [0, 1].
        min_pixels: smallest cluster; the search ends when fewer pixels are free.
    """
    foreground = torch.nonzero(seeds > min_seed).flatten()
    vectors, sigmas, values = embedding[:, foreground], sigma[:, foreground], seeds[foreground]
    free = torch.ones(len(foreground), dtype=torch.bool, device=seeds.device)
    found: list[Cluster] = []
    for _ in range(MAX_CLUSTERS):
        if int(free.sum()) < max(1, min_pixels):
            break
        best = int(torch.where(free, values, -1.0).argmax())
        precision = bandwidth(sigmas[:, best])[None]
        inside = cluster_probability(vectors[:, best][None], precision, vectors)[0] > BORDER_PHI
        inside[best] = True
        size = int(inside.sum())
        if size >= min_pixels and int((inside & free).sum()) > FREE_SHARE * size:
            members = np.zeros(len(seeds), np.bool_)
            members[foreground[inside & free].cpu().numpy()] = True
            found.append(Cluster(int(foreground[best]), members, float(values[best])))
        free &= ~inside
    return found


class SpatialEncoding(GridEncoding):
    """Embedding, bandwidth and seed maps of one picture.

    A click on the foreground gathers only pixels of the foreground, as the clustering does; a click elsewhere
    gathers whatever points to the same centre.
    """

    def __init__(
        self,
        features: SpatialFeatures,
        frame: GridFrame,
        size: tuple[int, int],
        version: str,
        *,
        categories: tuple[str, ...],
        config: SpatialEmbeddingsConfig,
    ) -> None:
        super().__init__(frame, size, version)
        rows, columns = frame.grid_size
        self._categories, self._min_pixels = categories, config.min_pixels
        self._embedding = features.embedding[0, :, :rows, :columns]
        self._sigma = features.sigma[0, :, :rows, :columns]
        self._seeds = features.seeds[0, :, :rows, :columns]
        # A pixel has one class at most, so the sum is what a single map for all of them would be.
        self._anything = self._seeds.sum(dim=0).clamp(max=1.0)

    @property
    def feature_bytes(self) -> int:
        maps = (self._embedding, self._sigma, self._seeds, self._anything)
        return sum(m.nbytes for m in maps)

    def answer_cell(self, row: int, column: int) -> GridAnswer:
        with torch.inference_mode():
            center = self._embedding[:, row, column][None]
            precision = bandwidth(self._sigma[:, row, column])[None]
            phi = cluster_probability(center, precision, self._embedding.flatten(1))
            value = self._anything[row, column]
            phi = phi.view(self._embedding.shape[1:])
            if float(value) > MIN_SEED:
                phi = phi * (self._anything > MIN_SEED)
            similarity = phi.cpu().numpy()
        similarity[row, column] = 1.0
        return GridAnswer(similarity, BORDER_PHI, float(value))

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        """Clusters of the sum of all seed maps, each named after the class whose map is highest on it.

        So an object is found also where the maps cannot agree on what it is.
        """
        columns = self._embedding.shape[2]
        found: list[FoundCells] = []
        with torch.inference_mode():
            seeds = self._seeds.flatten(1)
            for cluster in cluster_sequentially(
                self._embedding.flatten(1),
                self._sigma.flatten(1),
                self._anything.flatten(),
                min_pixels=self._min_pixels,
            ):
                means = seeds[:, torch.from_numpy(cluster.members)].mean(dim=1)
                category = int(means.argmax())
                share = float(means[category] / means.sum())
                found.append(
                    FoundCells(
                        row=cluster.seed // columns,
                        column=cluster.seed % columns,
                        tau=BORDER_PHI,
                        label=self._categories[category],
                        score=cluster.score * share,
                        mask_score=float(means.sum().clamp(max=1.0)),
                    )
                )
        found.sort(key=lambda f: -f.score)
        return [self.predict(f) for f in found if f.score >= min_score][:max_count]
