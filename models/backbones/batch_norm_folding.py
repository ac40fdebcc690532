"""Folds each BatchNorm of EfficientNet-Lite into the convolution before it: same answers, less work."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.backbones.efficientnet_lite import EfficientNetLite

PAIRS = (
    ("_conv_stem", "_bn0"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)

N = TypeVar("N", bound=nn.Module)


def fuse_batch_norms(network: N) -> N:
    """Fuse in place, for inference only; returns the network."""
    for backbone in network.modules():
        if isinstance(backbone, EfficientNetLite):
            for module in (backbone, *backbone.blocks):
                _fuse_module(module)
    return network


def _fuse_module(module: nn.Module) -> None:
    for convolution_name, norm_name in PAIRS:
        convolution = getattr(module, convolution_name, None)
        norm = getattr(module, norm_name, None)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, convolution_name, fuse_conv_bn_eval(convolution, norm))
            setattr(module, norm_name, nn.Identity())
