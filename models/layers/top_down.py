"""The top-down path of a feature pyramid (Lin et al., arXiv 1612.03144), made of separable convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.convolution import SeparableConv

if TYPE_CHECKING:
    from collections.abc import Sequence


class TopDownPath(nn.Module):
    """Brings backbone features to one width and lets coarse levels inform fine ones.

    The coarsest level also receives its own global average, so that every pixel knows the picture.
    """

    def __init__(self, channels: Sequence[int], width: int, *, convolutions: int = 2) -> None:
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, width, 1) for c in channels])
        self.context = nn.Linear(channels[-1], width)
        self.wide = nn.ModuleList([SeparableConv(width, width, dilation=d) for d in (2, 4)])
        self.smooth = nn.ModuleList(
            [nn.Sequential(*(SeparableConv(width, width) for _ in range(convolutions))) for _ in channels]
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features fine to coarse, (B, C_i, H/s_i, W/s_i) -> the same grids with `width` channels."""
        coarse = self.lateral[-1](features[-1])
        coarse = coarse + self.context(features[-1].mean(dim=(2, 3)))[:, :, None, None]
        for block in self.wide:
            coarse = coarse + block(coarse)
        out = [self.smooth[-1](coarse)]
        for index in range(len(features) - 2, -1, -1):
            lateral = self.lateral[index](features[index])
            above = F.interpolate(out[0], size=lateral.shape[2:], mode="bilinear", align_corners=False)
            out.insert(0, self.smooth[index](lateral + above))
        return out
