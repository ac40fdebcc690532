"""Fully convolutional networks for semantic segmentation (Long et al., arXiv 1411.4038).

    scores at stride 32, 16, 8 = 1x1 convolutions on C5, C4, C3
    FCN-32s = up32(s32)    FCN-16s = up16(up2(s32) + s16)    FCN-8s = up8(up2(up2(s32) + s16) + s8)

Every `up` is a transposed convolution that begins as bilinear interpolation; the skips' scores begin at
zero, so that a finer network begins as its coarser relative (section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.choice import build_backbone

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIANTS = (32, 16, 8)


@dataclass(frozen=True, slots=True)
class FCNConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        classes: categories without the background.
        backbone, resnet_width: see `build_backbone`.
        variant: 32, 16 or 8, the finest stride that has a say.
        hidden: channels of the layer before the coarsest scores (the paper's fc7).
        dropout: after that layer, in training.
        long_side: of the picture as the network sees it, pixels.
    """

    classes: int = 1
    backbone: str = "efficientnet-lite0"
    resnet_width: int = 64
    variant: int = 8
    hidden: int = 256
    dropout: float = 0.1
    long_side: int = 768

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise TypeError(f"there is no FCN-{self.variant}s; there are FCN-32s, FCN-16s and FCN-8s")


def bilinear_filter(stride: int) -> Tensor:
    """(2 stride, 2 stride): the transposed convolution that interpolates bilinearly by `stride`.

    Its columns sum to the share of the input that each output sample reads, 1 away from the border.
    """
    offsets = (torch.arange(2 * stride) + 0.5) / stride - 1.0
    weight = 1.0 - offsets.abs()
    return weight[:, None] * weight[None, :]


class BilinearUpsample(nn.ConvTranspose2d):
    """Learnable upsampling of each class by itself, begun as bilinear interpolation."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(
            channels, channels, 2 * stride, stride, padding=stride // 2, groups=channels, bias=False
        )
        with torch.no_grad():
            self.weight.copy_(bilinear_filter(stride).expand_as(self.weight))


class FCNHead(nn.Module):
    """C2..C5 of a backbone -> class scores at the input's resolution.

    Args:
        channels: of C2..C5.
        outputs: classes with the background, which is class 0.
    """

    def __init__(
        self, channels: Sequence[int], outputs: int, *, variant: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels[-1], hidden, 3, padding=1)
        self.dropout = nn.Dropout2d(dropout)
        self.score = nn.Conv2d(hidden, outputs, 1)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.score.weight, nonlinearity="linear")
        # Strides 16 and 8, as far as the variant goes.
        skips = {32: (), 16: (channels[-2],), 8: (channels[-2], channels[-3])}[variant]
        scores = [nn.Conv2d(c, outputs, 1) for c in skips]
        self.upsample = nn.ModuleList([BilinearUpsample(outputs, 2) for _ in skips])
        self.final = BilinearUpsample(outputs, variant)
        for layer in scores:
            nn.init.zeros_(layer.weight)
        for layer in (self.hidden, self.score, *scores):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.skips = nn.ModuleList(scores)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, C_i, H/s, W/s) at s = 4, 8, 16, 32 -> (B, outputs, H, W) float32 logits."""
        scores = self.score(self.dropout(F.relu(self.hidden(features[-1]))))
        for index, (skip, upsample) in enumerate(zip(self.skips, self.upsample, strict=True)):
            scores = upsample(scores) + skip(features[-2 - index])
        logits: Tensor = self.final(scores)
        return logits.float()


class FCN(nn.Module):
    """The whole network."""

    def __init__(self, config: FCNConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        super().__init__()
        self.config = config = config or FCNConfig()
        self.backbone = build_backbone(
            config.backbone, pretrained=pretrained_backbone, resnet_width=config.resnet_width
        )
        self.head = FCNHead(
            self.backbone.spec.channels,
            config.classes + 1,
            variant=config.variant,
            hidden=config.hidden,
            dropout=config.dropout,
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> (B, classes + 1, H, W) logits."""
        logits: Tensor = self.head(self.backbone.pyramid(self.backbone.normalize(images)))
        return logits
