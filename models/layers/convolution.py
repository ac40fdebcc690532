"""Small convolution blocks that every decoder and head here is made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.depthwise import depthwise_conv2d

GROUPS = 8


class SeparableConv(nn.Module):
    """Depthwise k x k, pointwise 1 x 1, GroupNorm (Wu & He 2018), ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__()
        self.padding, self.dilation = dilation * (kernel // 2), dilation
        self.depthwise = nn.Conv2d(inputs, inputs, kernel, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = depthwise_conv2d(
            x, self.depthwise.weight, None, stride=1, padding=self.padding, dilation=self.dilation
        )
        return F.relu(self.norm(self.pointwise(x)))
