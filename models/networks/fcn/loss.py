"""Per-pixel classification (Long et al., arXiv 1411.4038, section 4.3), where the class is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data.label_map import instance_labels

if TYPE_CHECKING:
    from models.data.sample import Batch, CropTarget

UNKNOWN = -1


def class_labels(target: CropTarget) -> Tensor:
    """(h, w) int64: 0 background, category + 1, UNKNOWN where the annotation does not say."""
    owners = instance_labels(target)
    by_owner = torch.cat([torch.tensor([UNKNOWN, 0]), target.categories + 1])
    return by_owner[owners + 1]


def semantic_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the pixels whose class is known; 0 if none is.

    Args:
        logits: (B, classes + 1, H, W).
        labels: (B, h, w); where it is coarser than the logits, these are averaged over its cells.
    """
    cell = logits.shape[2] // labels.shape[1]
    if cell > 1:
        logits = F.avg_pool2d(logits, cell)
    loss = F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum")
    return loss / (labels != UNKNOWN).sum().clamp(min=1)


class SemanticLoss:
    """FCN's objective."""

    def __call__(self, network: nn.Module, batch: Batch, _generator: torch.Generator) -> dict[str, Tensor]:
        """The one term, "loss"."""
        device = next(network.parameters()).device
        labels = torch.stack([class_labels(t) for t in batch.targets]).to(device)
        return {"loss": semantic_cross_entropy(network(batch.images.to(device)), labels)}
