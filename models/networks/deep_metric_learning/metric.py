"""The embedding loss of deep metric learning (Fathi et al., arXiv 1703.10277, section 3.1).

Two pixels belong together with probability sigma = 2 / (1 + exp(d)), where d is the squared distance of
their embeddings (or, by option of the callers, the distance itself).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.distance import squared_distances

SMALLEST = 1e-4  # keeps log(1 - sigma) and its gradient finite for equal embeddings


def embedding_gap(squared: Tensor, *, use_square: bool = True) -> Tensor:
    """The d of sigma(d): the squared distance, or its root with a finite gradient at 0."""
    return squared if use_square else (squared + 1e-12).sqrt()


def pixel_similarity(gap: Tensor) -> Tensor:
    """sigma(d) = 2 / (1 + exp(d)), in (0, 1] for d >= 0 (equation 1)."""
    return 2.0 * torch.sigmoid(-gap)


def log_similarity(gap: Tensor) -> Tensor:
    """log sigma(d) = ln 2 - softplus(d), stable for large d."""
    return math.log(2.0) - F.softplus(gap)


def log_dissimilarity(gap: Tensor) -> Tensor:
    """log(1 - sigma(d)): since 1 - sigma = (e^d - 1) / (e^d + 1) = tanh(d / 2), stable for small d."""
    return torch.log(torch.tanh(0.5 * gap) + SMALLEST)


def pair_weights(labels: Tensor) -> Tensor:
    """(P, P) weights, inverse to the sizes of both pixels' instances, with sum 1.

    Args:
        labels: (P,) int64; the background is an instance like the others.
    """
    same = (labels[:, None] == labels[None, :]).float()
    weight = 1.0 / same.sum(dim=1)
    weight = weight / weight.sum()
    return weight[:, None] * weight[None, :]


def metric_loss(embedding: Tensor, labels: Tensor, *, use_square: bool = True) -> Tensor:
    """-sum over pairs of w_pq [same: log sigma, different: log(1 - sigma)] (equation 2).

    Args:
        embedding: (P, D) of the drawn pixels.
        labels: (P,) their instances.
    """
    gap = embedding_gap(squared_distances(embedding, embedding), use_square=use_square)
    same = labels[:, None] == labels[None, :]
    terms = torch.where(same, log_similarity(gap), log_dissimilarity(gap))
    return -(pair_weights(labels) * terms).sum()


def draw_pixels(labels: Tensor, per_instance: int, generator: torch.Generator) -> Tensor:
    """Indices into the flat label map: up to `per_instance` random pixels of every label but -1.

    Args:
        labels: (h, w) int64 of `instance_labels`, on the CPU.
    """
    flat = labels.flatten()
    shuffled = torch.randperm(flat.numel(), generator=generator)
    order = shuffled[flat[shuffled].argsort(stable=True)]
    ordered = flat[order]
    rank = torch.arange(len(ordered)) - torch.searchsorted(ordered, ordered)
    return order[(rank < per_instance) & (ordered >= 0)]
