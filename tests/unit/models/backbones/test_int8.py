"""The backbone in integers of 8 bits says what it says in float32, within a few percent."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from converters.annotation import Seed
from converters.files.images import read_image
from models.backbones.activation_ranges import ActivationRanges
from models.backbones.batch_norm_folding import fuse_batch_norms
from models.backbones.efficientnet_lite import SameConv2d, efficientnet_lite, normalize_pixels
from models.backbones.int8 import ZERO, Int8Backbone, Int8Conv, can_compute_int8
from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.segmenter import SeedNetSegmenter

SAMPLES = Path(__file__).resolve().parents[4] / "resources" / "samples"
SMALL = SeedNetConfig(
    long_side=256, width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16
)

needs_vnni = pytest.mark.skipif(
    not can_compute_int8(), reason="this processor has no quick products of 8-bit integers"
)


def photograph(name: str, side: int = 192) -> torch.Tensor:
    pixels = np.ascontiguousarray(read_image(SAMPLES / name)[:side, :side])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def backbone():
    return fuse_batch_norms(nn.Sequential(efficientnet_lite().eval()))[0].requires_grad_(False)


@pytest.fixture(scope="module")
def ranges(backbone):
    found = ActivationRanges(backbone)
    for name in ("chelsea.jpg", "coffee.jpg"):
        for image in (photograph(name), photograph(name).flip(3)):
            found.widen(backbone, normalize_pixels(image))
    return found


def test_ranges_are_the_largest_values_seen_and_never_shrink(backbone, ranges):
    fresh = ActivationRanges(backbone)
    assert not fresh.measured
    images = normalize_pixels(photograph("coffee.jpg"))
    fresh.widen(backbone, images)
    last = len(backbone.blocks) - 1
    coarsest = backbone.pyramid(images)[-1]
    torch.testing.assert_close(fresh.of("left", last), coarsest.abs().amax(dim=(0, 2, 3)))
    assert fresh.measured
    assert float(fresh.of("expanded", 3).max()) <= 6.0
    before = {name: value.clone() for name, value in fresh.named_buffers()}
    fresh.widen(backbone, 0.1 * images)
    assert all((value >= before[name]).all() for name, value in fresh.named_buffers())
    wider = dict(ranges.named_buffers())
    assert all((wider[name] >= value - 1e-4).all() for name, value in before.items())


@needs_vnni
@pytest.mark.parametrize(("kernel", "stride", "groups"), [(1, 1, 1), (3, 1, 8), (3, 2, 8), (5, 2, 8)])
def test_a_convolution_of_integers_is_that_of_what_they_stand_for(kernel, stride, groups):
    torch.manual_seed(kernel + stride)
    convolution = SameConv2d(8, 8, kernel, stride, groups=groups).requires_grad_(False)
    given, zero = torch.rand(8) + 0.5, 128 if groups == 1 else 0
    integers = torch.randint(0, 256, (1, 8, 12, 16)).to(torch.uint8)
    x = (integers.float() - zero) * given[:, None, None] / 255.0
    expected = convolution(x)
    leaving = expected.abs().amax(dim=(0, 2, 3)) / 127.0
    integer_conv = Int8Conv(convolution, given / 255.0, leaving, (zero, ZERO))
    out = integer_conv(integers.contiguous(memory_format=torch.channels_last))
    assert out.dtype == torch.uint8
    assert out.shape == expected.shape
    error = (out.float() - ZERO) * leaving[:, None, None] - expected
    assert float((error.abs() / leaving[:, None, None]).max()) < 3.0  # of 255 steps
    doubled = integer_conv.added_to(out.clone(), integers.contiguous(memory_format=torch.channels_last))
    wanted = (2.0 * (out.float() - ZERO)).clamp(-ZERO, ZERO - 1) + ZERO
    assert float((doubled.float() - wanted).abs().max()) <= 1.0


@needs_vnni
@pytest.mark.parametrize("size", [(192, 192), (160, 96)])
def test_the_pyramid_is_close_to_that_of_float32(backbone, ranges, size):
    image = normalize_pixels(photograph("coffee.jpg"))[:, :, : size[0], : size[1]]
    expected = backbone.pyramid(image)
    known = copy.deepcopy(ranges)
    known.widen(backbone, image)
    found = Int8Backbone(copy.deepcopy(backbone), known).pyramid(image)
    for near, exact in zip(found, expected, strict=True):
        assert near.shape == exact.shape
        assert near.dtype == torch.float32
        error = float((near - exact).norm() / exact.norm())
        assert 0.0 < error < 0.15


@needs_vnni
def test_a_channel_that_gets_larger_than_ever_seen_is_clipped_not_wrapped(backbone, ranges):
    image = normalize_pixels(photograph("coffee.jpg"))
    narrow = copy.deepcopy(ranges)
    for value in narrow.buffers():
        value.mul_(0.5)
    found = Int8Backbone(copy.deepcopy(backbone), narrow).pyramid(image)
    largest = narrow.of("left", len(backbone.blocks) - 1)
    assert (found[-1].abs().amax(dim=(0, 2, 3)) <= largest * (128 / 127) + 1e-4).all()


def small_network(**changes) -> SeedNet:
    torch.manual_seed(0)
    return SeedNet(replace(SMALL, **changes)).eval()


def similarity_of(network: SeedNet) -> np.ndarray:
    segmenter = SeedNetSegmenter(network, version="small", device=torch.device("cpu"))
    encoding = segmenter.encode(np.ascontiguousarray(read_image(SAMPLES / "coffee.jpg")))
    return encoding.similarity([Seed(200.0, 150.0)], level=0)


@needs_vnni
def test_the_segmenter_computes_in_integers_once_ranges_are_known():
    network, plain = small_network(), small_network(ranges=False)
    plain.load_state_dict(network.state_dict(), strict=False)
    without_ranges = copy.deepcopy(network)
    network.widen_ranges(photograph("coffee.jpg"))
    exact, near = similarity_of(plain), similarity_of(network)
    np.testing.assert_array_equal(similarity_of(without_ranges), exact)
    assert 0.0 < float(np.abs(near - exact).mean()) < 0.05


def test_weights_that_say_nothing_of_ranges_have_none():
    assert SeedNetConfig.stored({}).ranges is False
    assert SeedNet(SeedNetConfig.stored({"width": 16}), pretrained_backbone=False).ranges is None
