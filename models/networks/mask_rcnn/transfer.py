"""Mask^X R-CNN (Hu et al., "Learning to Segment Every Thing", arXiv 1711.10370).

Some classes have masks, some only boxes. The weights of the last mask layer are not learnt class by class
but computed from the class's box weights by a transfer function that all classes share:

    w_seg(c) = T(w_det(c))    w_det(c) = stop-gradient [class weights, box weights] of class c

so a class that was only ever boxed gets masks too. Beside it a class-agnostic layer sees the whole region
and adds its logits (section 3.4, "fused"): the transferred filters are local, this one knows the gist.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.mask_rcnn.network import (
    MASK_SIDE,
    BoxPredictor,
    MaskRCNN,
    MaskRCNNConfig,
)

LEAK = 0.1


@dataclass(frozen=True, slots=True)
class MaskXRCNNConfig(MaskRCNNConfig):
    """Sizes of Mask R-CNN, and:

    Attributes:
        transfer_hidden: of the transfer function (256 in the paper).
        gist_pooling: the class-agnostic layer sees the 28 x 28 features averaged over squares of so many
            cells. 1 is the paper's; 2 needs a quarter of what would be 160 million weights.
    """

    transfer_hidden: int = 256
    gist_pooling: int = 2


class WeightTransfer(nn.Module):
    """Box weights of a class -> its mask filter; two layers and a leaky ReLU (paper, table 1)."""

    def __init__(self, hidden: int, transfer_hidden: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5 * hidden, transfer_hidden)
        self.fc2 = nn.Linear(transfer_hidden, width)
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, a=LEAK)
            nn.init.zeros_(layer.bias)

    def forward(self, boxes: BoxPredictor) -> Tensor:
        """(classes, width); no gradient reaches the box predictor."""
        class_weight = boxes.cls_score.weight.detach()
        box_weight = boxes.bbox_pred.weight.detach().view(len(class_weight), -1)
        described = torch.cat([class_weight, box_weight], dim=1)  # classes x (hidden + 4 hidden)
        filters: Tensor = self.fc2(F.leaky_relu(self.fc1(described), LEAK))
        return filters


class GistMask(nn.Module):
    """One fully connected layer from the region's features to a mask of no particular class."""

    def __init__(self, width: int, pooling: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.fc = nn.Linear(width * (MASK_SIDE // pooling) ** 2, MASK_SIDE**2)
        nn.init.normal_(self.fc.weight, std=0.001)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(R, C, 28, 28) -> (R, 1, 28, 28)."""
        gist: Tensor = self.fc(F.avg_pool2d(features, self.pooling).flatten(1))
        return gist.view(-1, 1, MASK_SIDE, MASK_SIDE)


class TransferredMaskPredictor(nn.Module):
    """Mask R-CNN's mask predictor with transferred filters and the fused class-agnostic mask."""

    def __init__(self, config: MaskXRCNNConfig) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(config.width, config.width, 2, 2)
        nn.init.kaiming_normal_(self.conv5_mask.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.conv5_mask.bias)  # type: ignore[arg-type]
        self.transfer = WeightTransfer(config.hidden, config.transfer_hidden, config.width)
        self.gist = GistMask(config.width, config.gist_pooling)

    def forward(self, features: Tensor, boxes: BoxPredictor) -> Tensor:
        """(R, C, 14, 14) -> (R, classes + 1, 28, 28) logits."""
        features = F.relu(self.conv5_mask(features))
        filters = self.transfer(boxes)
        transferred = F.conv2d(features, filters.to(features.dtype)[:, :, None, None])
        fused: Tensor = transferred + self.gist(features)
        return fused


class MaskXRCNN(MaskRCNN):
    """Mask R-CNN that also segments classes annotated with boxes only."""

    def __init__(self, config: MaskXRCNNConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        config = config or MaskXRCNNConfig()
        predictor = TransferredMaskPredictor(config)
        super().__init__(config, pretrained_backbone=pretrained_backbone, mask_predictor=predictor)
