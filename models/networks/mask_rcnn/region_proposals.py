"""The region proposal network (Ren et al., Faster R-CNN, arXiv 1506.01497, section 3.1) on a pyramid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.anchors import pyramid_anchors
from models.layers.box_coding import BoxCoder
from models.layers.boxes import clip_boxes
from models.layers.nms import nms

if TYPE_CHECKING:
    from collections.abc import Sequence

ANCHOR_RATIOS = (0.5, 1.0, 2.0)
SMALLEST_PROPOSAL = 1e-3
NMS_IOU = 0.7


@dataclass(frozen=True, slots=True)
class ProposalMaps:
    """What the head says about the anchors of each level.

    Attributes:
        logits: per level (B, n), objectness.
        offsets: per level (B, n, 4).
        anchors: per level (n, 4) input pixels.
        image_size: (H, W) of the input.
    """

    logits: list[Tensor]
    offsets: list[Tensor]
    anchors: list[Tensor]
    image_size: tuple[int, int]


class ProposalHead(nn.Module):
    """A 3x3 convolution and two 1x1 siblings, shared by all levels."""

    def __init__(self, width: int, anchors: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.cls_logits = nn.Conv2d(width, anchors, 1)
        self.bbox_pred = nn.Conv2d(width, 4 * anchors, 1)
        for layer in (self.conv, self.cls_logits, self.bbox_pred):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> objectness (B, h*w*A) and offsets (B, h*w*A, 4), in the anchors' order."""
        hidden = F.relu(self.conv(level))
        logits = self.cls_logits(hidden).permute(0, 2, 3, 1).flatten(1)
        offsets = self.bbox_pred(hidden)
        batch, _, rows, columns = offsets.shape
        offsets = offsets.view(batch, -1, 4, rows, columns).permute(0, 3, 4, 1, 2).reshape(batch, -1, 4)
        return logits.float(), offsets.float()


class RegionProposalNetwork(nn.Module):
    """Boxes that may hold an object, of whatever class."""

    coder = BoxCoder()

    def __init__(self, width: int, anchor_sizes: Sequence[float], *, count: int) -> None:
        super().__init__()
        self.anchor_sizes, self.count = tuple(anchor_sizes), count
        self.head = ProposalHead(width, len(ANCHOR_RATIOS))

    def forward(self, levels: Sequence[Tensor], image_size: tuple[int, int]) -> ProposalMaps:
        """Levels (B, C, h_l, w_l) -> maps over all their anchors."""
        anchors = pyramid_anchors(
            [(f.shape[2], f.shape[3]) for f in levels],
            image_size,
            self.anchor_sizes,
            ANCHOR_RATIOS,
            device=levels[0].device,
        )
        answers = [self.head(level) for level in levels]
        return ProposalMaps([a[0] for a in answers], [a[1] for a in answers], anchors, image_size)

    @torch.no_grad()
    def propose(self, maps: ProposalMaps) -> list[Tensor]:
        """The best boxes of each picture, (n, 4) with n <= count, best first; no gradient."""
        return [self._propose_one(maps, index) for index in range(len(maps.logits[0]))]

    def _propose_one(self, maps: ProposalMaps, picture: int) -> Tensor:
        boxes, scores = [], []
        for logits, offsets, anchors in zip(maps.logits, maps.offsets, maps.anchors, strict=True):
            best, index = logits[picture].topk(min(self.count, len(anchors)))
            found = clip_boxes(self.coder.decode(offsets[picture, index], anchors[index]), *maps.image_size)
            large = (found[:, 2:] - found[:, :2]).amin(dim=1) >= SMALLEST_PROPOSAL
            found, best = found[large], best[large]
            kept = nms(found, best, NMS_IOU)
            boxes.append(found[kept])
            scores.append(best[kept])
        order = torch.cat(scores).argsort(descending=True, stable=True)[: self.count]
        return torch.cat(boxes)[order]
