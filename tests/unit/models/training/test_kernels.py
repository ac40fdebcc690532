"""Layers that choose another number format to train in: the same values and gradients as torch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.device.precision import has_fast_bfloat16
from models.layers.depthwise import depthwise_conv2d
from models.layers.normalization import GroupNorm

CPU = torch.device("cpu")
needs_bfloat16 = pytest.mark.skipif(not has_fast_bfloat16(CPU), reason="this processor has no bfloat16")


def gradients(function, *inputs):
    """Output and gradients, under autocast, for a fixed smooth upstream gradient."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    with torch.autocast("cpu", torch.bfloat16):
        out = function(*leaves)
    upstream = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, leaves, upstream)]


def close(got, wanted):
    """Within a hundredth of the largest value: bfloat16 has eight bits."""
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        assert (a.float() - b.float()).abs().max() <= 0.01 * b.float().abs().max()


@needs_bfloat16
def test_group_norm_under_autocast_gives_bfloat16_and_the_gradients_of_float32():
    torch.manual_seed(0)
    ours = GroupNorm(4, 16)
    x = torch.randn(3, 16, 9, 7).to(memory_format=torch.channels_last).bfloat16().float()
    scale, shift = torch.rand(16) + 0.5, torch.randn(16)

    def normalized(x, scale, shift):
        return torch.func.functional_call(ours, {"weight": scale, "bias": shift}, (x.bfloat16(),))

    got = gradients(normalized, x, scale, shift)
    assert got[0].dtype == torch.bfloat16
    leaves = [v.clone().requires_grad_() for v in (x, scale, shift)]
    exact = F.group_norm(leaves[0], 4, leaves[1], leaves[2])
    upstream = torch.linspace(-1, 1, exact.numel()).view(exact.shape)
    close(got, [exact.detach(), *torch.autograd.grad(exact, leaves, upstream)])


def test_group_norm_without_autocast_is_torchs():
    torch.manual_seed(0)
    ours, theirs = GroupNorm(4, 16), nn.GroupNorm(4, 16)
    x = torch.randn(2, 16, 5, 6)
    assert torch.equal(ours(x), theirs(x))
    assert ours.state_dict().keys() == theirs.state_dict().keys()


@needs_bfloat16
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_depthwise_convolution_under_autocast_has_the_gradients_of_float32(kernel, stride):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 13, 11).to(memory_format=torch.channels_last).bfloat16().float()
    weight = torch.randn(8, 1, kernel, kernel).bfloat16().float()

    def convolved(x, weight):
        return depthwise_conv2d(x.bfloat16(), weight, None, stride=stride, padding=kernel // 2)

    got = gradients(convolved, x, weight)
    assert got[0].dtype == torch.bfloat16
    leaves = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
    exact = F.conv2d(leaves[0], leaves[1], None, stride, kernel // 2, 1, 8)
    upstream = torch.linspace(-1, 1, exact.numel()).view(exact.shape)
    close(got, [exact.detach(), *torch.autograd.grad(exact, leaves, upstream)])
