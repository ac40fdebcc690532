"""Small convolution blocks that every decoder and head here is made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.depthwise import depthwise_conv2d
from models.layers.normalization import GroupNorm

GROUPS = 8


class HalvingConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2, for levels that may be as small as one cell.

    Over one cell eight of the nine weights read nothing but padding. The CPU's bfloat16 kernel leaves their
    gradient uninitialised (torch 2.13), so under autocast such a level stays in float32.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] == (1, 1) and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)


class SeparableConv(nn.Module):
    """Depthwise k x k, pointwise 1 x 1, GroupNorm (Wu & He 2018), ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__()
        self.padding, self.dilation = dilation * (kernel // 2), dilation
        self.depthwise = nn.Conv2d(inputs, inputs, kernel, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = depthwise_conv2d(
            x, self.depthwise.weight, None, stride=1, padding=self.padding, dilation=self.dilation
        )
        return F.relu(self.norm(self.pointwise(x)), inplace=True)
