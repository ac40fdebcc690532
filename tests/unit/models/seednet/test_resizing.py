"""Resizing by products, as accelerators do it, against torch's own."""

import pytest
import torch
from torch.nn import functional as F

from models.seednet.resizing import resize_maps, resized_by_products


@pytest.mark.parametrize("size", [(24, 20), (5, 7), (12, 10), (13, 30)])
@pytest.mark.parametrize("antialias", [False, True])
def test_the_numbers_are_torch_s_own(size, antialias):
    maps = torch.randn((3, 2, 12, 10), generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, size=size, mode="bilinear", antialias=antialias, align_corners=False)
    for resize in (resize_maps, resized_by_products):
        torch.testing.assert_close(resize(maps, size, antialias=antialias), expected, atol=1e-5, rtol=0)


def test_gradients_flow_also_after_a_use_without_them():
    with torch.inference_mode():
        resized_by_products(torch.zeros((1, 1, 6, 6)), (9, 9))
    maps = torch.randn((2, 3, 6, 6), requires_grad=True)
    resized_by_products(maps, (9, 9)).square().sum().backward()
    own = maps.grad.clone()
    maps.grad = None
    F.interpolate(maps, size=(9, 9), mode="bilinear", align_corners=False).square().sum().backward()
    torch.testing.assert_close(own, maps.grad, atol=1e-4, rtol=0)
