"""Losses between SeedNet's masks and the true coverage, one value per mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_AREA = 16.0  # cells; smaller objects weigh less, their border is a guess


def area_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy summed over all pixels, in units of the object's own area.

    Every pixel weighs the same, so the probability is not biased and logit 0 is the border, yet a small
    object counts as much as a large one.

    Args:
        logits: (..., h, w).
        target: coverage in [0, 1], broadcastable to it.

    Returns:
        (...), one value per mask.
    """
    target = target.expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return 0.5 * loss.sum(dim=(-2, -1)) / target.sum(dim=(-2, -1)).clamp(min=MIN_AREA)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice with squared denominators (Milletari et al., V-Net, eq. 3); shapes as in `area_bce`."""
    probability = logits.sigmoid()
    common = (probability * target).sum(dim=(-2, -1))
    total = probability.square().sum(dim=(-2, -1)) + target.square().sum(dim=(-2, -1))
    return 1.0 - (2.0 * common + 1.0) / (total + 1.0)


def threshold_ious(logits: Tensor, target: Tensor, thresholds: Sequence[float]) -> Tensor:
    """IoU of logits > t with coverage >= 0.5 for several t; no gradient.

    Returns:
        (..., T) for logits (..., h, w).
    """
    true = (target >= 0.5).expand_as(logits)
    logits = logits.detach()
    true_area = true.sum(dim=(-2, -1)).float()
    columns = []
    for threshold in thresholds:
        predicted = logits > threshold
        common = (predicted & true).sum(dim=(-2, -1)).float()
        either = predicted.sum(dim=(-2, -1)).float() + true_area - common
        columns.append(common / either.clamp(min=1.0))
    return torch.stack(columns, dim=-1)
