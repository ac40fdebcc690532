"""What SeedNet knows of a picture, what a seed reads of it and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.seednet.scores import LevelScores, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence


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

    def copied(self) -> SeedView:
        """The same in memory of its own."""
        return replace(self, pyramid=_copies(self.pyramid), pixels=self.pixels.clone())


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

    def copied(self) -> SeedFeatures:
        """The same in memory of its own."""
        appearance, whole, backbone, *detail = _copies(self.tensors[len(self.view.tensors) :])
        return SeedFeatures(self.view.copied(), appearance, whole, backbone, tuple(detail))


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

    def split(self, count: int) -> list[SeedQuery]:
        """So many seeds at a time."""
        parts = (torch.split(t, count) for t in (self.center, self.bandwidth, self.bias, self.descriptor))
        return [SeedQuery(*part) for part in zip(*parts, strict=True)]

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


def _copies(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(tensor.clone() for tensor in tensors)


def read_views(views: Sequence[SeedView], points: Sequence[Tensor]) -> Tensor:
    """What equally many seeds of each picture read, in one or several views of the same pictures.

    Args:
        views: each of the same B pictures, perhaps mirrored or in another size.
        points: for each view (S, 2) float32, x and y as shares of its pictures' width and height, picture by
            picture.

    Returns:
        (V S, 4 width + D) float32, view by view: the pyramid's levels and the embedding at the seeds.
    """
    maps = [m for view in views for m in (*view.pyramid, view.embedding)]
    shares = [s for view in views for s in (*[view.extent] * len(view.pyramid), (1.0, 1.0))]
    per_map = torch.stack(list(points)).repeat_interleave(len(maps) // len(views), dim=0)
    pictures = torch.arange(len(maps[0]), device=per_map.device)
    pictures = pictures.repeat_interleave(per_map.shape[1] // len(pictures))
    read = sample_at(maps, pictures, per_map * per_map.new_tensor(shares)[:, None])
    return torch.cat(read.chunk(len(views), dim=1))


def sample_at(maps: Sequence[Tensor], pictures: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of several maps at once, by four reads each: no pass over a map.

    Args:
        maps: each (B, C_i, h_i, w_i).
        pictures: (S,) which of the B each point lies in.
        points: (S, 2) or (maps, S, 2), x and y in [0, 1] of the maps' width and height.

    Returns:
        (S, sum of C_i) float32; beyond the centres of the outermost cells the border value continues.
    """
    sizes = torch.tensor([[[m.shape[3], m.shape[2]]] for m in maps], device=points.device)
    at = (points * sizes - 0.5).clamp(min=0.0).minimum(sizes - 1.0)
    low = at.long()
    share = at - low
    columns, rows = torch.stack([low, (low + 1).minimum(sizes - 1)]).unbind(dim=3)  # (2, maps, S) each
    across, down = torch.stack([1.0 - share, share]).unbind(dim=3)
    weight = (across[None] * down[:, None]).permute(3, 0, 1, 2)  # (S, 2, 2, maps): all four, down x across
    found = [
        m.permute(0, 2, 3, 1)[pictures, row, column]
        for m, row, column in zip(maps, rows[:, None].unbind(dim=2), columns.unbind(dim=1), strict=True)
    ]
    widths = torch.tensor([m.shape[1] for m in maps], device=points.device)
    spread = weight.repeat_interleave(widths, dim=3, output_size=sum(m.shape[1] for m in maps))
    return (torch.cat(found, dim=3).float().permute(2, 0, 1, 3) * spread).sum(dim=(1, 2))
