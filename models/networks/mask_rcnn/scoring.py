"""Mask Scoring R-CNN (Huang et al., arXiv 1903.00241): Mask R-CNN with a head that predicts mask IoU.

    mask IoU of every class = MaskIoU head(pooled features 14 x 14, mask 28 x 28 of the class found)
    score = class score x predicted IoU

A box may be sure of its class and sloppy at its border; the product ranks such a result where it belongs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.mask_rcnn.network import MASK_BINS, MaskRCNN, MaskRCNNConfig

HIDDEN = 1024


class MaskIoUHead(nn.Module):
    """Four 3x3 convolutions, the last with stride 2, and three fully connected layers (paper, figure 3)."""

    def __init__(self, width: int, classes: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        layers: list[nn.Conv2d] = []
        for index in range(4):
            inputs, stride = (width + 1 if index == 0 else width), (2 if index == 3 else 1)
            layers.append(nn.Conv2d(inputs, width, 3, stride, 1))
        self.convolutions = nn.ModuleList(layers)
        self.fc1 = nn.Linear(width * (MASK_BINS // 2) ** 2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.iou = nn.Linear(hidden, classes)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for linear in (self.fc1, self.fc2):
            nn.init.kaiming_uniform_(linear.weight, a=1)
            nn.init.zeros_(linear.bias)
        nn.init.normal_(self.iou.weight, std=0.01)
        nn.init.zeros_(self.iou.bias)

    def forward(self, pooled: Tensor, mask: Tensor) -> Tensor:
        """Features (R, C, 14, 14) and mask probability (R, 28, 28) -> IoU (R, classes), about in [0, 1]."""
        x = torch.cat([pooled, F.max_pool2d(mask[:, None], 2).to(pooled.dtype)], dim=1)
        for layer in self.convolutions:
            x = F.relu(layer(x))
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        iou: Tensor = self.iou(x)
        return iou.float()


class MaskScoringRCNN(MaskRCNN):
    """Mask R-CNN whose detections are ranked by class score times predicted mask IoU."""

    def __init__(self, config: MaskRCNNConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        super().__init__(config, pretrained_backbone=pretrained_backbone)
        self.mask_iou_head = MaskIoUHead(self.config.width, self.config.classes, self.config.hidden)

    def predict_iou(self, pooled: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """(R,) predicted IoU, not yet limited to [0, 1]; arguments as in `score_masks`."""
        every: Tensor = self.mask_iou_head(pooled, logits.sigmoid())
        return every.gather(1, labels[:, None]).squeeze(1)

    def score_masks(self, pooled: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        return self.predict_iou(pooled, logits, labels).clamp(0.0, 1.0)
