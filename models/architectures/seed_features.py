"""What SeedNet knows of a picture, what a seed reads of it and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.architectures.level_scorer import LevelScores, Surroundings


@dataclass(frozen=True, slots=True)
class SeedView:
    """What seeds read of B images, and what their queries are compared with.

    Attributes:
        pyramid: four (B, width, H/s, W/s) maps, s = 4, 8, 16, 32.
        pixels: (B, 2 D, h, w) float32, of `with_squares`, at stride 4, of the picture alone.
        extent: the picture's share of the pyramid's width and height; right of it and below is padding.
    """

    pyramid: tuple[Tensor, ...]
    pixels: Tensor
    extent: tuple[float, float] = (1.0, 1.0)

    @property
    def embedding(self) -> Tensor:
        """(B, D, h, w) float32; the first two dimensions carry coordinates."""
        return self.pixels[:, : self.pixels.shape[1] // 2]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.pyramid, self.pixels)

    def cropped(self, rows: int, columns: int) -> SeedView:
        """Without the padding beyond so many cells; the pyramid, read at points only, stays as it is."""
        height, width = self.pyramid[0].shape[2:]
        pixels = self.pixels[:, :, :rows, :columns].contiguous()
        return replace(self, pixels=pixels, extent=(columns / width, rows / height))

    def read(self, points: Tensor) -> Tensor:
        """What equally many seeds of each image read, image by image.

        Args:
            points: (S, 2) float32, x and y as shares of the picture's width and height.

        Returns:
            (S, 4 width + D) float32: the pyramid's levels and the embedding at the seeds.
        """
        pictures = torch.arange(len(self.pixels), device=points.device)
        pictures = pictures.repeat_interleave(len(points) // len(pictures))
        shares = points.new_tensor([*[self.extent] * len(self.pyramid), (1.0, 1.0)])
        return sample_at((*self.pyramid, self.embedding), pictures, points * shares[:, None])


@dataclass(frozen=True, slots=True)
class SeedFeatures:
    """What one pass over B pictures leaves behind: what seeds ask, and what judges the answers.

    Attributes:
        view: what seeds ask.
        appearance: (B, scorer_channels, H/8, W/8), pooled by the level scorer.
        global_appearance: (B, scorer_channels).
        backbone: (B, C, H/16, W/16), the backbone's own features there: what tells kinds of things apart.
        detail: (B, refiner, H/s, W/s) for s = 4, 8, 16, looked at by the mask refiner; empty without one.
    """

    view: SeedView
    appearance: Tensor
    global_appearance: Tensor
    backbone: Tensor
    detail: tuple[Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return *self.view.tensors, self.appearance, self.global_appearance, self.backbone, *self.detail

    def surroundings(self) -> Surroundings:
        """What the level scorer may look at."""
        return Surroundings.of(self.appearance, self.global_appearance, self.backbone)

    def cropped(self, rows: int, columns: int) -> SeedFeatures:
        """Without the padding beyond so many cells of stride 4."""

        def cut(maps: Tensor, step: int) -> Tensor:
            return maps[:, :, : -(-rows // step), : -(-columns // step)].contiguous()

        return replace(
            self,
            view=self.view.cropped(rows, columns),
            appearance=cut(self.appearance, 2),
            detail=tuple(cut(maps, 2**i) for i, maps in enumerate(self.detail)),
        )


@dataclass(frozen=True, slots=True)
class SeedQuery:
    """What S seeds ask for.

    Attributes:
        center: (S, K, D) seed embeddings.
        bandwidth: (S, K, D), positive.
        bias: (S, K).
        descriptor: (S, C), what the seed's surroundings look like, for the level scorer.
    """

    center: Tensor
    bandwidth: Tensor
    bias: Tensor
    descriptor: Tensor

    def take(self, seeds: Tensor | slice) -> SeedQuery:
        """Some of the seeds, by index."""
        return SeedQuery(self.center[seeds], self.bandwidth[seeds], self.bias[seeds], self.descriptor[seeds])

    @staticmethod
    def joined(queries: Sequence[SeedQuery]) -> SeedQuery:
        """The seeds of several queries."""
        return SeedQuery(
            torch.cat([q.center for q in queries]),
            torch.cat([q.bandwidth for q in queries]),
            torch.cat([q.bias for q in queries]),
            torch.cat([q.descriptor for q in queries]),
        )


@dataclass(frozen=True, slots=True)
class SeedMasks:
    """What S seeds are answered with.

    Attributes:
        logits: (S, K, h, w) float32, the levels' masks.
        scores: what the network thinks of them.
    """

    logits: Tensor
    scores: LevelScores


def sample_at(maps: Sequence[Tensor], pictures: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of several maps at once, by four reads each: no pass over a map.

    Args:
        maps: each (B, C_i, h_i, w_i).
        pictures: (S,) which of the B each point lies in.
        points: (S, 2) or (maps, S, 2), x and y in [0, 1] of the maps' width and height.

    Returns:
        (S, sum of C_i) float32; beyond the centres of the outermost cells the border value continues.
    """
    sizes = torch.tensor([[m.shape[3], m.shape[2]] for m in maps], device=points.device)[:, None]
    at = (points * sizes - 0.5).clamp(min=0.0).minimum(sizes - 1.0)
    low = at.long()
    part = at - low
    corners = torch.stack([low, (low + 1).minimum(sizes - 1)], dim=2)  # (maps, S, 2, x and y)
    share = torch.stack([1.0 - part, part], dim=2)
    columns, rows = corners[..., None, :, 0], corners[..., :, None, 1]  # all four, down x across
    weight = (share[..., None, :, 0] * share[..., :, None, 1])[..., None]
    picture = pictures[:, None, None]
    found = [
        (m.permute(0, 2, 3, 1)[picture, rows[i], columns[i]].float() * weight[i]).sum(dim=(1, 2))
        for i, m in enumerate(maps)
    ]
    return torch.cat(found, dim=1)
