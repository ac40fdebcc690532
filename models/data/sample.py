"""What a training sample is: one picture's pixels and masks as cut out for a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class CropTarget:
    """The annotated objects of one crop.

    Attributes:
        masks: (N, h, w) float32 coverage in [0, 1]; h and w are the crop's size over the mask stride.
        categories: (N,) int64, indices into the data mixture's category list.
        exhaustive: whether everything in the crop is annotated. If not, what is outside the objects is
            unknown and must not be taught as background.
        whole: (N,) bool, whether the crop shows the whole object.
        has_mask: (N,) bool, False for objects annotated with a box only.
    """

    masks: Tensor
    categories: Tensor
    exhaustive: bool
    whole: Tensor
    has_mask: Tensor

    def flipped(self) -> CropTarget:
        """The same crop seen in a mirror."""
        return CropTarget(self.masks.flip(2), self.categories, self.exhaustive, self.whole, self.has_mask)


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of one size for one training step.

    Attributes:
        images: (B, 3, H, W) uint8 RGB.
        targets: one per image.
    """

    images: Tensor
    targets: tuple[CropTarget, ...]


def collate(crops: list[tuple[Tensor, CropTarget]]) -> Batch:
    """Stack (3, H, W) uint8 crops of equal size into a batch."""
    return Batch(torch.stack([image for image, _ in crops]), tuple(target for _, target in crops))
