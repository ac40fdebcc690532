"""Any backbone with a feature pyramid on top, named as torchvision names them: `body` and `fpn`."""

from __future__ import annotations

from torch import Tensor, nn

from models.backbones.choice import build_backbone
from models.layers.fpn import FeaturePyramid


class BackboneWithPyramid(nn.Module):
    """C2..C5 of a backbone (strides 4, 8, 16, 32) and P2..P6 of its pyramid."""

    def __init__(self, name: str, *, width: int, resnet_width: int = 64, pretrained: bool = True) -> None:
        super().__init__()
        self.body = build_backbone(name, pretrained=pretrained, resnet_width=resnet_width)
        self.fpn = FeaturePyramid(self.body.spec.channels, width)

    def body_features(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> C2..C5."""
        return self.body.pyramid(self.body.normalize(images))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 255] -> P2..P6."""
        levels: list[Tensor] = self.fpn(self.body_features(images))
        return levels

    @property
    def from_scratch(self) -> bool:
        """Whether the backbone begins with random weights."""
        return self.body.from_scratch

    def freeze_early_blocks(self, count: int) -> None:
        """Keep the stem and the first `count` blocks at their loaded weights."""
        self.body.freeze_early_blocks(count)
