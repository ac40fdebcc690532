"""Semantic instance segmentation via deep metric learning (Fathi et al. 2017, arXiv 1703.10277).

    sigma(p, q) = 2 / (1 + exp(||e_p - e_q||^2))              two pixels belong together   (equation 1)
    m(p, tau)   = {q : sigma(p, q) >= tau}                    the mask that seed p grows   (section 3.2)
    C_p(tau, c)                                               m(p, tau) is an object of class c
    S_p         = max over tau and c != background            how good a seed p is         (equation 5)

The embedding and the classification-and-seediness head read the same features: here a top-down path to
stride 4 over an ImageNet backbone, in place of the paper's DeepLab at stride 8 over an input pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.backbones.choice import build_backbone
from models.layers.convolution import SeparableConv
from models.layers.top_down import TopDownPath

STRIDE = 4
TAUS = (0.25, 0.5, 0.75, 0.9)  # the set T of section 3.2


@dataclass(frozen=True, slots=True)
class DeepMetricConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        squared: distance in sigma: squared, as in equation 1, or not.
        long_side: of the pictures given to the network, pixels.
    """

    backbone: str = "efficientnet-lite0"
    resnet_width: int = 64
    width: int = 96
    embedding: int = 64
    squared: bool = True
    long_side: int = 768


@dataclass(frozen=True, slots=True)
class MetricFeatures:
    """What one pass leaves behind.

    Attributes:
        embedding: (B, D, h, w) float32.
        classes: (B, T, C + 1, h, w) logits; of the masks m(p, tau), tau in TAUS; class 0 is background.
    """

    embedding: Tensor
    classes: Tensor

    def seediness(self) -> tuple[Tensor, Tensor, Tensor]:
        """S_p, and which tau and which class (from 0, without background) it comes from; (B, h, w) each."""
        foreground = self.classes.float().softmax(dim=2)[:, :, 1:]
        count = foreground.shape[2]
        best, index = foreground.flatten(1, 2).max(dim=1)
        return best, index // count, index % count


class DeepMetricNetwork(nn.Module):
    """Backbone, top-down path, embedding head, classification-and-seediness head."""

    def __init__(
        self, classes: int, config: DeepMetricConfig | None = None, *, pretrained_backbone: bool = True
    ) -> None:
        super().__init__()
        self.config = config or DeepMetricConfig()
        self.classes = classes
        width = self.config.width
        self.backbone = build_backbone(
            self.config.backbone, pretrained=pretrained_backbone, resnet_width=self.config.resnet_width
        )
        self.top_down = TopDownPath(self.backbone.spec.channels, width)
        self.embedding = nn.Sequential(
            SeparableConv(width, width), nn.Conv2d(width, self.config.embedding, 1)
        )
        self.classifier = nn.Sequential(
            SeparableConv(width, width), nn.Conv2d(width, len(TAUS) * (classes + 1), 1)
        )

    def forward(self, images: Tensor) -> MetricFeatures:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> features at stride 4."""
        pyramid = self.top_down(self.backbone.pyramid(self.backbone.normalize(images)))
        classes = self.classifier(pyramid[0])
        return MetricFeatures(
            embedding=self.embedding(pyramid[0]).float(),
            classes=classes.float().unflatten(1, (len(TAUS), self.classes + 1)),
        )


def tau_to_gap(tau: float) -> float:
    """The d at which sigma(d) is tau: ln(2 / tau - 1)."""
    return float(torch.tensor(2.0 / tau - 1.0, dtype=torch.float64).log())
