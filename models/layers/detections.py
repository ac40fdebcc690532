"""What a detecting network finds in one picture, before it meets the picture's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CROP_PADDING = 1  # cells of the prototypes around a box that still belong to its mask


@dataclass(frozen=True, slots=True)
class BoxMasks:
    """Soft masks that each fill their own box.

    Attributes:
        probability: (N, m, m) in [0, 1].
    """

    probability: Tensor


@dataclass(frozen=True, slots=True)
class PrototypeMasks:
    """Soft masks as sigmoid(prototypes . coefficients), to be cropped to their boxes.

    Attributes:
        prototypes: (k, h, w).
        coefficients: (N, k).
        stride: input pixels per cell of the prototypes.
    """

    prototypes: Tensor
    coefficients: Tensor
    stride: int


@dataclass(frozen=True, slots=True)
class Detections:
    """N objects, best first.

    Attributes:
        boxes: (N, 4) in pixels of the network's input.
        labels: (N,) int64, category indices from 0.
        scores: (N,) what ranks them, in [0, 1].
        mask_scores: (N,) predicted IoU of the mask; equal to `scores` from networks that predict none.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    mask_scores: Tensor
    masks: BoxMasks | PrototypeMasks
