"""ResNet against what is published of torchvision's: parameter counts, names, shapes; and its strides."""

from __future__ import annotations

import pytest
import torch

from models.backbones.choice import BACKBONES, build_backbone
from models.backbones.resnet import ResNet

# As torchvision's documentation lists them for the ImageNet weights.
PARAMETERS = {18: 11_689_512, 50: 25_557_032, 101: 44_549_160}


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_parameter_count_is_the_published_one(depth):
    with torch.device("meta"):
        network = ResNet(depth)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[depth]


def test_names_and_shapes_are_torchvisions():
    with torch.device("meta"):
        state = {k: tuple(v.shape) for k, v in ResNet(50).state_dict().items()}
    expected = {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "layer1.0.conv3.weight": (256, 64, 1, 1),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.0.downsample.1.running_mean": (256,),
        "layer3.5.bn2.num_batches_tracked": (),
        "layer4.0.conv2.weight": (512, 512, 3, 3),
        "layer4.2.conv1.weight": (512, 2048, 1, 1),
        "fc.weight": (1000, 2048),
        "fc.bias": (1000,),
    }
    assert expected.items() <= state.items()
    assert len(state) == 320  # 53 convolutions, 53 norms of five tensors, the classifier's two
    with torch.device("meta"):
        small = ResNet(18).state_dict()
    assert len(small) == 122
    assert "layer2.0.downsample.0.weight" in small
    assert "layer1.0.downsample.0.weight" not in small


@pytest.mark.parametrize(("dilated", "strides"), [(False, (4, 8, 16, 32)), (True, (4, 8, 8, 8))])
@pytest.mark.parametrize("depth", [18, 50])
def test_the_pyramid_is_what_the_spec_says(depth, dilated, strides):
    network = ResNet(depth, width=8, dilated=dilated).eval()
    assert network.spec.strides == strides
    features = network.pyramid(torch.randn(2, 3, 64, 96))
    for feature, channels, stride in zip(features, network.spec.channels, strides, strict=True):
        assert feature.shape == (2, channels, 64 // stride, 96 // stride)


def test_frozen_blocks_get_no_gradient_and_the_rest_does():
    network = build_backbone("resnet-18", resnet_width=8)
    network.freeze_early_blocks(3)
    features = network.pyramid(network.normalize(torch.randint(0, 256, (1, 3, 64, 64))))
    features[-1].square().mean().backward()
    frozen = {name.split(".conv")[0] for name, p in network.named_parameters() if p.grad is None}
    assert {"layer1.0", "layer1.1", "layer2.0"} <= frozen
    assert not any(name.startswith(("layer2.1", "layer3", "layer4")) for name in frozen)


@pytest.mark.parametrize("name", BACKBONES[:2])
def test_every_backbone_has_one_face(name):
    network = build_backbone(name, pretrained=False, resnet_width=8).eval()
    features = network.pyramid(network.normalize(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    assert [f.shape[1] for f in features] == list(network.spec.channels)
    assert [64 // f.shape[2] for f in features] == list(network.spec.strides)


def test_an_unknown_backbone_is_named():
    with pytest.raises(ValueError, match="vgg"):
        build_backbone("vgg")
