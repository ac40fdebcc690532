"""Depthwise convolution that trains fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def depthwise_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: int,
    padding: int | tuple[int, int],
    dilation: int = 1,
) -> Tensor:
    """`conv2d` with one filter per channel, (B, C, H, W) -> (B, C, H', W').

    Of the CPU's bfloat16 gradient kernels the one for 3 x 3 filters of stride 1 is four times as fast as
    float32, the others are two to three times as slow. These stay in float32 under autocast.
    """
    groups = x.shape[1]
    quick = weight.shape[2:] == (3, 3) and stride == 1
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if x.device.type == "cpu" and learns and not quick and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            out = F.conv2d(x.float(), weight.float(), bias, stride, padding, dilation, groups)
        return out.to(torch.get_autocast_dtype("cpu"))
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
