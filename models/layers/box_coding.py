"""Boxes as offsets from reference boxes (Girshick et al., R-CNN, arXiv 1311.2524, appendix C).

dx = w_x (x* - x) / w    dw = w_w log(w* / w)    with (x, y) the centre; dy, dh alike
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# No box grows by more than this in one step (1000 pixels out of 16), whatever the network says.
LARGEST_LOG_SCALE = math.log(1000.0 / 16.0)
SMALLEST_SIDE = 1e-3


def _centers(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 4) -> centres (..., 2) and sizes (..., 2)."""
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * size, size


@dataclass(frozen=True, slots=True)
class BoxCoder:
    """Encodes and decodes with fixed weights (w_x, w_y, w_w, w_h), the inverse standard deviations."""

    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    def encode(self, boxes: Tensor, references: Tensor) -> Tensor:
        """Offsets (..., 4) that turn each reference into its box."""
        center, size = _centers(boxes)
        reference_center, reference_size = _centers(references)
        reference_size = reference_size.clamp(min=SMALLEST_SIDE)
        weights = boxes.new_tensor(self.weights)
        shift = (center - reference_center) / reference_size
        scale = (size.clamp(min=SMALLEST_SIDE) / reference_size).log()
        return torch.cat([shift, scale], dim=-1) * weights

    def decode(self, offsets: Tensor, references: Tensor) -> Tensor:
        """The inverse of `encode`; both (..., 4)."""
        offsets = offsets / offsets.new_tensor(self.weights)
        reference_center, reference_size = _centers(references)
        center = reference_center + offsets[..., :2] * reference_size
        half = 0.5 * reference_size * offsets[..., 2:].clamp(max=LARGEST_LOG_SCALE).exp()
        return torch.cat([center - half, center + half], dim=-1)
