"""Bilinear resizing of many maps, as SeedNet's mirror images and decoder want it."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from models.device.precision import full_precision


def resize_maps(maps: Tensor, size: tuple[int, int], *, antialias: bool = False) -> Tensor:
    """(N, C, h, w) float32 -> (N, C, *size), between the centres of cells.

    A graphics card's `interpolate` gives each place of the result to one thread, which goes through all maps
    one after the other; with hundreds of them, two products with the same weights are many times quicker.
    """
    if maps.device.type == "cpu":
        return _interpolated(maps, size, antialias)
    return resized_by_products(maps, size, antialias=antialias)


def resized_by_products(maps: Tensor, size: tuple[int, int], *, antialias: bool = False) -> Tensor:
    """`resize_maps` as a product with the weights of the rows, and one with those of the columns."""
    rows, columns = (
        _weights(before, after, antialias).to(maps.device)
        for before, after in zip(maps.shape[2:], size, strict=True)
    )
    with full_precision(maps.device):
        return rows @ (maps @ columns.T)


def _interpolated(maps: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", antialias=antialias, align_corners=False)


@lru_cache(maxsize=16)
def _weights(before: int, after: int, antialias: bool) -> Tensor:
    """(after, before): how much each place counts in each place of the result."""
    with torch.inference_mode(False):
        return _interpolated(torch.eye(before)[None, None], (after, before), antialias)[0, 0]
