"""A convolution of stride 2 that may see a single cell."""

from __future__ import annotations

import pytest
import torch

from models.layers.convolution import HalvingConv2d


@pytest.mark.parametrize("side", [1, 2, 5])
def test_gradients_in_bfloat16_are_those_of_float32(side):
    for seed in range(20):
        torch.manual_seed(seed)
        layer, x = HalvingConv2d(16, 8), torch.randn(2, 16, side, side)
        gradients = []
        for enabled in (True, False):
            layer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                out = layer(x)
            assert out.shape[2:] == (-(-side // 2),) * 2
            out.float().square().sum().backward()
            gradients.append(layer.weight.grad.clone())
        torch.testing.assert_close(*gradients, atol=0.3, rtol=0.1)
