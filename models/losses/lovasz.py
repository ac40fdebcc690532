"""The Lovász hinge (Berman, Rannen Triki & Blaschko, arXiv 1705.08790): a convex surrogate of 1 - IoU.

The loss of a set of mispredicted pixels is the Jaccard loss 1 - |intersection| / |union|; its Lovász
extension, evaluated at the pixels' hinge errors max(0, 1 - logit * sign), is piecewise linear in the
errors sorted in decreasing order (paper, equations 8 and 9).
"""

from __future__ import annotations

import torch
from torch import Tensor


def jaccard_gradient(sorted_target: Tensor) -> Tensor:
    """Gradient of the Lovász extension at errors in decreasing order (paper, algorithm 1).

    Args:
        sorted_target: (..., P) of 0 and 1, the true labels in the order of falling errors.

    Returns:
        (..., P): entry i is J_i - J_(i-1), where J_i is the Jaccard loss when exactly the first i pixels
        are mispredicted.
    """
    total = sorted_target.sum(dim=-1, keepdim=True)
    intersection = total - sorted_target.cumsum(dim=-1)
    union = total + (1.0 - sorted_target).cumsum(dim=-1)
    jaccard = 1.0 - intersection / union
    return torch.diff(jaccard, dim=-1, prepend=torch.zeros_like(jaccard[..., :1]))


def lovasz_hinge(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Binary Lovász hinge, one value per region.

    Args:
        logits: (..., P) real; positive means inside.
        target: (..., P) of 0 and 1.
        valid: (..., P) bool; pixels that are not valid do not take part, as if they were not there.

    Returns:
        (...): 0 where every pixel is right by a margin of 1; the Jaccard loss where all errors are 1.
    """
    logits, target = logits.float(), target.float()
    errors = 1.0 - logits * (2.0 * target - 1.0)
    if valid is not None:
        # An error below zero is clamped away, and a pixel that is last and not of the object changes
        # no other pixel's gradient.
        errors = errors.masked_fill(~valid, -torch.inf)
        target = target * valid
    ordered, order = errors.sort(dim=-1, descending=True)
    gradient = jaccard_gradient(target.gather(-1, order))
    return (ordered.clamp(min=0.0) * gradient).sum(dim=-1)
