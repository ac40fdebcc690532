"""Mask R-CNN (He et al., arXiv 1703.06870) on a feature pyramid (arXiv 1612.03144).

    P2..P6 = pyramid(backbone(picture))
    proposals = region proposal network(P2..P6)
    class, box = box head(RoIAlign 7 x 7 of a proposal)
    mask of every class = mask head(RoIAlign 14 x 14 of the box), 28 x 28, sigmoid; the class found picks one

Module names and shapes are those of torchvision's published `maskrcnn_resnet50_fpn` checkpoint; built with
`MaskRCNNConfig(classes=90, backbone="resnet-50", width=256)` its state dict loads as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.with_pyramid import BackboneWithPyramid
from models.layers.box_coding import BoxCoder
from models.layers.boxes import clip_boxes
from models.layers.detections import BoxMasks, Detections
from models.layers.nms import grouped_nms
from models.networks.mask_rcnn.region_proposals import ProposalMaps, RegionProposalNetwork
from models.networks.mask_rcnn.roi_align import pyramid_level, roi_align

if TYPE_CHECKING:
    from collections.abc import Sequence

BOX_BINS, MASK_BINS = 7, 14
MASK_SIDE = 2 * MASK_BINS
ROI_STRIDES = (4, 8, 16, 32)  # of P2..P5; P6 only proposes
MIN_SCORE = 0.02  # lower than the paper's 0.05: a click may ask for what the picture's list would not show
NMS_IOU = 0.5
MAX_CANDIDATES = 1000
MAX_DETECTIONS = 100
SMALLEST_BOX = 1e-2


@dataclass(frozen=True, slots=True)
class MaskRCNNConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        classes: categories without the background.
        backbone, resnet_width: see `build_backbone`.
        width: channels of the pyramid and the mask head (256 in the paper).
        hidden: of the box head.
        proposals: kept per level before and in all after suppression (paper: 1000 to 2000).
        anchor_sizes: of P2..P6, input pixels.
        canonical_size: side of a box that is read from P4.
        batch_norm_eps: of the backbone, if another than its own (torchvision's checkpoint wants 0).
        long_side: of the picture as the network sees it, pixels.
    """

    classes: int = 1
    backbone: str = "efficientnet-lite0"
    resnet_width: int = 64
    width: int = 128
    hidden: int = 1024
    proposals: int = 1000
    anchor_sizes: tuple[float, ...] = (32.0, 64.0, 128.0, 256.0, 512.0)
    canonical_size: float = 224.0
    batch_norm_eps: float | None = None
    long_side: int = 768

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchor_sizes", tuple(self.anchor_sizes))  # a list in a weights header


@dataclass(frozen=True, slots=True)
class Regions:
    """R boxes of a batch, to be looked at closely.

    Attributes:
        boxes: (R, 4) input pixels.
        pictures: (R,) int64, index in the batch.
    """

    boxes: Tensor
    pictures: Tensor

    @classmethod
    def of(cls, boxes: Sequence[Tensor]) -> Regions:
        """From one (n, 4) tensor per picture."""
        pictures = [torch.full((len(b),), i, device=b.device) for i, b in enumerate(boxes)]
        return cls(torch.cat(list(boxes)), torch.cat(pictures))


class BoxHead(nn.Module):
    """Two fully connected layers on the pooled features."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(width * BOX_BINS**2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, C, 7, 7) -> (R, hidden)."""
        return F.relu(self.fc7(F.relu(self.fc6(pooled.flatten(1)))))


class BoxPredictor(nn.Module):
    """Class logits (class 0 is the background) and one refined box per class."""

    def __init__(self, hidden: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, classes)
        self.bbox_pred = nn.Linear(hidden, 4 * classes)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(R, hidden) -> (R, classes), (R, classes, 4)."""
        offsets = self.bbox_pred(hidden).float()
        return self.cls_score(hidden).float(), offsets.view(len(offsets), -1, 4)


class MaskHead(nn.Module):
    """Four 3x3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for index in range(1, 5):
            layer = nn.Conv2d(width, width, 3, padding=1)
            _initialize(layer)
            self.add_module(f"mask_fcn{index}", layer)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, C, 14, 14) -> the same shape."""
        for layer in self.children():
            pooled = F.relu(layer(pooled))
        return pooled


class MaskPredictor(nn.Module):
    """A transposed convolution that doubles the resolution, and one 1x1 filter per class."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(width, width, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(width, classes, 1)
        _initialize(self.conv5_mask)
        _initialize(self.mask_fcn_logits)

    def forward(self, features: Tensor, _boxes: BoxPredictor) -> Tensor:
        """(R, C, 14, 14) -> (R, classes, 28, 28) logits."""
        logits: Tensor = self.mask_fcn_logits(F.relu(self.conv5_mask(features)))
        return logits


def _initialize(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class RoIHeads(nn.Module):
    """What looks at single regions."""

    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))

    def __init__(self, config: MaskRCNNConfig, mask_predictor: nn.Module | None = None) -> None:
        super().__init__()
        self.canonical_size = config.canonical_size
        self.box_head = BoxHead(config.width, config.hidden)
        self.box_predictor = BoxPredictor(config.hidden, config.classes + 1)
        self.mask_head = MaskHead(config.width)
        self.mask_predictor = mask_predictor or MaskPredictor(config.width, config.classes + 1)

    def pool(self, levels: Sequence[Tensor], regions: Regions, bins: int) -> Tensor:
        """P2..P6 and R regions -> (R, C, bins, bins)."""
        used = levels[: len(ROI_STRIDES)]
        level = pyramid_level(regions.boxes, len(used), canonical_size=self.canonical_size)
        return roi_align(used, regions.boxes, regions.pictures, level, strides=ROI_STRIDES, size=bins)

    def classify(self, levels: Sequence[Tensor], regions: Regions) -> tuple[Tensor, Tensor]:
        """(R, classes + 1) logits and (R, classes + 1, 4) offsets."""
        scores, offsets = self.box_predictor(self.box_head(self.pool(levels, regions, BOX_BINS)))
        return scores, offsets

    def mask_logits(self, pooled: Tensor) -> Tensor:
        """(R, C, 14, 14) pooled features -> (R, classes + 1, 28, 28) float32."""
        logits: Tensor = self.mask_predictor(self.mask_head(pooled), self.box_predictor)
        return logits.float()


class MaskRCNN(nn.Module):
    """The whole network."""

    def __init__(
        self,
        config: MaskRCNNConfig | None = None,
        *,
        pretrained_backbone: bool = True,
        mask_predictor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.config = config = config or MaskRCNNConfig()
        self.backbone = BackboneWithPyramid(
            config.backbone,
            width=config.width,
            resnet_width=config.resnet_width,
            pretrained=pretrained_backbone,
        )
        self.rpn = RegionProposalNetwork(config.width, config.anchor_sizes, count=config.proposals)
        self.roi_heads = RoIHeads(config, mask_predictor)
        if config.batch_norm_eps is not None:
            for module in self.backbone.body.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = config.batch_norm_eps

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Of C2..C5."""
        return self.backbone.body.spec.channels

    def body_features(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> C2..C5."""
        return self.backbone.body_features(images)

    def levels(self, body_features: Sequence[Tensor]) -> list[Tensor]:
        """C2..C5 of the backbone -> P2..P6."""
        levels: list[Tensor] = self.backbone.fpn(body_features)
        return levels

    def propose(self, levels: Sequence[Tensor], image_size: tuple[int, int]) -> ProposalMaps:
        """P2..P6 -> what the region proposal network says."""
        maps: ProposalMaps = self.rpn(levels, image_size)
        return maps

    def detect(self, images: Tensor) -> list[Detections]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> the objects of each picture."""
        size = images.shape[2], images.shape[3]
        return self.detect_from(self.body_features(images), size)

    def detect_from(self, body_features: Sequence[Tensor], image_size: tuple[int, int]) -> list[Detections]:
        """The same, from C2..C5."""
        levels = self.levels(body_features)
        regions = Regions.of(self.rpn.propose(self.propose(levels, image_size)))
        scores, offsets = self.roi_heads.classify(levels, regions)
        scores = scores.softmax(dim=1)[:, 1:]
        boxes = self.roi_heads.coder.decode(offsets[:, 1:], regions.boxes[:, None])
        boxes = clip_boxes(boxes, *image_size)
        pictures = range(len(body_features[0]))
        return [self._finish(levels, i, boxes, scores, regions.pictures == i) for i in pictures]

    def _finish(
        self, levels: Sequence[Tensor], picture: int, boxes: Tensor, scores: Tensor, own: Tensor
    ) -> Detections:
        """The best of a picture's (R, classes) candidates, with their masks."""
        kept, labels, best = select_detections(boxes[own], scores[own])
        regions = Regions(kept, torch.full_like(labels, picture))
        pooled = self.roi_heads.pool(levels, regions, MASK_BINS)
        logits = self.roi_heads.mask_logits(pooled)
        own_logits = logits[torch.arange(len(labels), device=labels.device), labels + 1]
        mask_scores = self.score_masks(pooled, own_logits, labels)
        ranked = best if mask_scores is None else best * mask_scores
        order = ranked.argsort(descending=True, stable=True)
        quality = ranked if mask_scores is None else mask_scores
        masks = BoxMasks(own_logits.sigmoid()[order])
        return Detections(kept[order], labels[order], ranked[order], quality[order], masks)

    def score_masks(self, pooled: Tensor, logits: Tensor, labels: Tensor) -> Tensor | None:
        """Predicted IoU (R,) of each mask in [0, 1], or None from a network that predicts none.

        Args:
            pooled: (R, C, 14, 14); logits: (R, 28, 28) of the labels' class; labels: (R,) from 0.
        """
        return None


def select_detections(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Suppress within each class and keep the best.

    Args:
        boxes: (R, classes, 4); scores: (R, classes).

    Returns:
        Boxes (N, 4), labels (N,) and scores (N,), best first, N at most MAX_DETECTIONS.
    """
    large = (boxes[..., 2:] - boxes[..., :2]).amin(dim=2) >= SMALLEST_BOX
    flat = torch.where(large, scores, 0.0).flatten()
    best, index = flat.topk(min(MAX_CANDIDATES, len(flat)))
    index = index[best > MIN_SCORE]
    labels = index % scores.shape[1]
    boxes, best = boxes.reshape(-1, 4)[index], flat[index]
    kept = grouped_nms(boxes, best, labels, NMS_IOU)[:MAX_DETECTIONS]
    return boxes[kept], labels[kept], best[kept]
