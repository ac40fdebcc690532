"""The backbones by name. All have `spec`, `normalize`, `pyramid` and `freeze_early_blocks`."""

from __future__ import annotations

from typing import TypeAlias

from models.backbones.efficientnet_lite import EfficientNetLite0, efficientnet_lite0
from models.backbones.resnet import ResNet

Backbone: TypeAlias = EfficientNetLite0 | ResNet

BACKBONES = ("efficientnet-lite0", "resnet-18", "resnet-50", "resnet-101")
# Beginnings of the names that a published checkpoint has beside the backbone's own.
CLASSIFIER = ("fc.", "_fc.", "_conv_head.", "_bn1.")


def build_backbone(
    name: str = "efficientnet-lite0", *, pretrained: bool = True, resnet_width: int = 64
) -> Backbone:
    """A backbone without its classifier.

    Args:
        pretrained: with ImageNet weights, for the backbone that has them installed (EfficientNet-Lite0);
            the others begin at random (`from_scratch`) and take a published checkpoint by
            `load_state_dict`.
        resnet_width: channels of a ResNet's stem.

    Raises:
        ValueError: there is no such backbone.
    """
    if name not in BACKBONES:
        raise ValueError(f'there is no backbone called "{name}"; there are: {", ".join(BACKBONES)}.')
    if name == "efficientnet-lite0":
        network = efficientnet_lite0(pretrained=pretrained)
        network.from_scratch = not pretrained
        del network._conv_head, network._bn1, network._fc
        return network
    residual = ResNet(int(name.removeprefix("resnet-")), width=resnet_width)
    residual.from_scratch = True
    del residual.fc
    return residual
