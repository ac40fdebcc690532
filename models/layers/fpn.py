"""The feature pyramid network of Lin et al. (arXiv 1612.03144), with torchvision's parameter names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence


class FeaturePyramid(nn.Module):
    """1x1 laterals, nearest-neighbour top-down path, 3x3 smoothing; one extra level by subsampling."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList([nn.Conv2d(c, width, 1) for c in channels])
        self.layer_blocks = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in channels])
        for block in (*self.inner_blocks, *self.layer_blocks):
            nn.init.kaiming_uniform_(block.weight, a=1)
            nn.init.zeros_(block.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """C2..C5, (B, C_i, H/s, W/s) -> P2..P6 of `width` channels; P6 has half the resolution of P5."""
        inner = self.inner_blocks[-1](features[-1])
        out = [self.layer_blocks[-1](inner)]
        for index in range(len(features) - 2, -1, -1):
            lateral = self.inner_blocks[index](features[index])
            inner = lateral + F.interpolate(inner, size=lateral.shape[2:], mode="nearest")
            out.insert(0, self.layer_blocks[index](inner))
        out.append(F.max_pool2d(out[-1], 1, stride=2))
        return out
