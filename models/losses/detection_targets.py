"""The annotated objects of a crop as detectors want them: boxes, classes, masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.layers.boxes import masks_to_boxes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.data.sample import Batch


@dataclass(frozen=True, slots=True)
class ObjectTargets:
    """N objects of one picture.

    Attributes:
        boxes: (N, 4) input pixels.
        labels: (N,) int64, category indices from 0.
        masks: (N, h, w) float32 coverage.
        has_mask: (N,) bool; False for objects known by their box only.
        exhaustive: whether what is outside the objects is known to be background.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    has_mask: Tensor
    exhaustive: bool


def mask_stride(batch: Batch) -> int:
    """Input pixels per cell of the batch's masks."""
    sides = [t.masks.shape[2] for t in batch.targets]
    return int(batch.images.shape[3] // sides[0])


def object_targets(batch: Batch, device: torch.device) -> list[ObjectTargets]:
    """One entry per picture, on the device."""
    stride = mask_stride(batch)
    return [
        ObjectTargets(
            boxes=masks_to_boxes(target.masks >= 0.5, stride).to(device),
            labels=target.categories.to(device),
            masks=target.masks.to(device),
            has_mask=target.has_mask.to(device),
            exhaustive=target.exhaustive,
        )
        for target in batch.targets
    ]
