"""Features pooled over masks and over the rings around them."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F


def extents(maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of (..., h, w) masks or coverage maps, (...) float32 each: area, number of rows and of columns that are
    touched, and what lies along the border of the map, corners twice."""
    of_rows, of_columns = maps.sum(dim=-1, dtype=torch.float32), maps.sum(dim=-2, dtype=torch.float32)
    rows, columns = (of_rows > 0.0).sum(dim=-1), (of_columns > 0.0).sum(dim=-1)
    border = of_rows[..., 0] + of_rows[..., -1] + of_columns[..., 0] + of_columns[..., -1]
    return of_rows.sum(dim=-1), rows.float(), columns.float(), border


def quarters_of(cuts: Tensor) -> Tensor:
    """(..., h, w) bool -> (..., h/2, w/2) uint8: how many of each four cells are inside."""
    return summed_by_four(cuts.view(torch.uint8))


def pooled(weight: Tensor, features: Tensor) -> Tensor:
    """Mean of features (B, h w, C) weighted by (S, ..., h, w) maps, S / B of each picture: (S, ..., C)."""
    maps = weight.reshape(len(features), -1, features.shape[1])
    mean = (maps @ features) / (maps.sum(dim=-1, keepdim=True) + 1e-3)
    return mean.view(*weight.shape[:-2], features.shape[2])


def summed_by_four(maps: Tensor) -> Tensor:
    """(..., h, w) -> (..., ceil(h / 2), ceil(w / 2)), sums of 2 x 2 cells; an odd last row or column counts
    twice. On small integers many times quicker than a mean of floats."""
    for dim in (-2, -1):
        if maps.shape[dim] % 2:
            maps = torch.cat([maps, maps.narrow(dim, maps.shape[dim] - 1, 1)], dim=dim)
    maps = maps[..., 0::2, :] + maps[..., 1::2, :]
    return maps[..., 0::2] + maps[..., 1::2]


def halved(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(S, K, h, w) brought to `size`, (ceil(h / 2), ceil(w / 2)), bilinearly."""
    height, width = maps.shape[2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.avg_pool2d(maps, 2)  # the same; CUDA's `interpolate` is slow with many maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def ring_around(maps: Tensor, radius: int) -> Tensor:
    """What lies within so many cells, across, down or both, around the masks of (..., h, w) coverage maps."""
    wide = F.pad(maps, (radius, radius, radius, radius))
    for dim in (-1, -2):  # one direction after the other: many times quicker than pooling over squares
        length = maps.shape[dim]
        wide = reduce(torch.maximum, [wide.narrow(dim, at, length) for at in range(2 * radius + 1)])
    return wide - maps
