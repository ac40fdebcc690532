"""One label per pixel from a crop's overlapping coverage masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from models.data.sample import CropTarget

UNKNOWN = -1
BACKGROUND = 0


def instance_labels(target: CropTarget) -> Tensor:
    """(h, w) int64: 0 background, i + 1 object i, -1 where the annotation does not say.

    Where objects overlap, the smaller one has the pixel. Objects annotated with a box only are unknown
    inside the box; outside of all objects everything is unknown unless the crop is annotated exhaustively.
    """
    covered = target.masks >= 0.5
    labels = torch.full(target.masks.shape[1:], BACKGROUND if target.exhaustive else UNKNOWN)
    if len(covered) == 0:
        return labels
    # Box-only objects count as larger than every outlined one.
    size = covered.sum(dim=(1, 2)) + (~target.has_mask) * labels.numel()
    values = torch.arange(1, len(covered) + 1).masked_fill(~target.has_mask, UNKNOWN)
    order = size.argsort(stable=True)
    ordered = covered[order]
    first = ordered.to(torch.uint8).argmax(dim=0)
    return torch.where(ordered.any(dim=0), values[order][first], labels)
