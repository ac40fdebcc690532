"""Focal loss (Lin et al., arXiv 1708.02002, equation 5): cross-entropy that forgets the easy negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor


def sigmoid_focal_loss(logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """-alpha_t (1 - p_t)^gamma log p_t, element by element.

    Args:
        logits, target: of one shape; target of 0 and 1.
        alpha: weight of the positives; the negatives weigh 1 - alpha.
    """
    probability = logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = probability * target + (1.0 - probability) * (1.0 - target)
    weight = alpha * target + (1.0 - alpha) * (1.0 - target)
    return weight * (1.0 - right).pow(gamma) * cross_entropy
