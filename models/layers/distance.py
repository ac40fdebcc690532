"""Distances between embeddings, without a loop and without a tensor of differences."""

from __future__ import annotations

import torch
from torch import Tensor

from models.device.precision import full_precision


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """||a_i - b_j||² as A² + B² - 2AB (Fathi et al., arXiv 1703.10277, section 3.1): one product.

    Args:
        a, b: (N, D) and (M, D).

    Returns:
        (N, M) float32, never negative. The origin is moved to b's mean, which keeps the terms that cancel
        small.
    """
    with full_precision(a.device):
        a, b = a.float(), b.float()
        origin = b.detach().mean(dim=0)
        a, b = a - origin, b - origin
        squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)[None, :]
        return torch.addmm(squares, a, b.T, alpha=-2.0).clamp(min=0.0)


def weighted_squared_distances(centers: Tensor, weights: Tensor, points: Tensor) -> Tensor:
    """sum_d w_nd (x_dp - c_nd)² for N centres and P points, written out as two products.

    Args:
        centers: (N, D).
        weights: (N, D) or (N, 1), positive.
        points: (D, P).

    Returns:
        (N, P) float32, never negative.
    """
    with full_precision(points.device):
        centers, points = centers.float(), points.float()
        weights = weights.float().expand_as(centers)
        origin = centers.detach().mean(dim=0)
        centers, points = centers - origin, points - origin[:, None]
        constant = (weights * centers.square()).sum(dim=1, keepdim=True)
        cross = torch.addmm(constant.expand(-1, points.shape[1]), weights * centers, points, alpha=-2.0)
        return torch.addmm(cross, weights, points.square()).clamp(min=0.0)
