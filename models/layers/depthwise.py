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

    The CPU's bfloat16 kernel for the gradient runs on one thread and takes three times as long as the
    float32 one, so under autocast with gradients the convolution alone stays in float32.
    """
    groups = x.shape[1]
    if x.device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            out = F.conv2d(x.float(), weight.float(), bias, stride, padding, dilation, groups)
        return out.to(torch.get_autocast_dtype("cpu"))
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
