"""YOLACT (Bolya et al., arXiv 1904.02689), and the mask rescoring of YOLACT++ (arXiv 1912.06218).

    prototypes = protonet(P3)                       k maps for the whole picture
    per anchor: class, box, k coefficients in (-1, 1)
    mask = sigmoid(prototypes . coefficients), cropped to the box
    score = class score x IoU that a small network predicts from the cropped mask

One pass over the picture: a mask costs k multiplications per pixel, not a pass of a mask head. The
deformable convolutions of YOLACT++ are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.choice import build_backbone
from models.layers.anchors import square_anchors
from models.layers.box_coding import BoxCoder
from models.layers.boxes import clip_boxes
from models.layers.convolution import HalvingConv2d
from models.layers.detections import CROP_PADDING, Detections, PrototypeMasks
from models.layers.nms import fast_nms

if TYPE_CHECKING:
    from collections.abc import Sequence

ANCHOR_RATIOS = (1.0, 0.5, 2.0)
PROTOTYPE_STRIDE = 4
MIN_SCORE = 0.02  # lower than the paper's 0.05: a click may ask for what the picture's list would not show
NMS_IOU = 0.5
MAX_PER_CLASS = 200
MAX_DETECTIONS = 100
RESCORING_CHANNELS = (8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class YolactConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        classes: categories without the background.
        backbone, resnet_width: see `build_backbone`.
        width: channels of the pyramid, the protonet and the head (256 in the paper).
        prototypes: k.
        anchor_sizes: of P3..P7, input pixels (the paper's, for its input of 550 pixels).
        rescoring: whether the mask IoU network of YOLACT++ takes part.
        long_side: of the picture as the network sees it, pixels.
    """

    classes: int = 1
    backbone: str = "efficientnet-lite0"
    resnet_width: int = 64
    width: int = 128
    prototypes: int = 32
    anchor_sizes: tuple[float, ...] = (24.0, 48.0, 96.0, 192.0, 384.0)
    rescoring: bool = True
    long_side: int = 544

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchor_sizes", tuple(self.anchor_sizes))  # a list in a weights header


@dataclass(frozen=True, slots=True)
class YolactMaps:
    """What one pass says about B pictures with A anchors each.

    Attributes:
        classes: (B, A, classes + 1) logits; class 0 is the background.
        offsets: (B, A, 4).
        coefficients: (B, A, k) in (-1, 1).
        prototypes: (B, k, H/4, W/4), not negative.
        semantic: (B, classes, H/8, W/8) logits, used in training only.
        anchors: (A, 4) input pixels.
        image_size: (H, W).
    """

    classes: Tensor
    offsets: Tensor
    coefficients: Tensor
    prototypes: Tensor
    semantic: Tensor
    anchors: Tensor
    image_size: tuple[int, int]


def _convolution(inputs: int, outputs: int, *, kernel: int = 3) -> nn.Conv2d:
    return _initialize(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))


def _initialize(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class YolactPyramid(nn.Module):
    """C3..C5 -> P3..P7; bilinear top-down path, P6 and P7 by strided convolutions."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList([_convolution(c, width, kernel=1) for c in channels])
        self.smooth = nn.ModuleList([_convolution(width, width) for _ in channels])
        self.downsample = nn.ModuleList([_initialize(HalvingConv2d(width, width)) for _ in range(2)])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        merged = [self.lateral[-1](features[-1])]
        for index in range(len(features) - 2, -1, -1):
            lateral = self.lateral[index](features[index])
            above = F.interpolate(merged[0], size=lateral.shape[2:], mode="bilinear", align_corners=False)
            merged.insert(0, lateral + above)
        out = [F.relu(smooth(level)) for smooth, level in zip(self.smooth, merged, strict=True)]
        for layer in self.downsample:
            out.append(F.relu(layer(out[-1])))
        return out


class Protonet(nn.Module):
    """P3 -> k prototypes at twice its resolution (paper, figure 3)."""

    def __init__(self, width: int, prototypes: int) -> None:
        super().__init__()
        self.before = nn.ModuleList([_convolution(width, width) for _ in range(3)])
        self.after = _convolution(width, width)
        self.prototypes = _convolution(width, prototypes, kernel=1)

    def forward(self, level: Tensor) -> Tensor:
        """(B, C, H/8, W/8) -> (B, k, H/4, W/4)."""
        for layer in self.before:
            level = F.relu(layer(level))
        level = F.interpolate(level, scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.relu(self.prototypes(F.relu(self.after(level))))


class PredictionHead(nn.Module):
    """Classes, boxes and coefficients of every anchor; one head for all levels (paper, figure 4)."""

    def __init__(self, width: int, classes: int, prototypes: int) -> None:
        super().__init__()
        anchors = len(ANCHOR_RATIOS)
        self.hidden = _convolution(width, width)
        self.box = _convolution(width, anchors * 4)
        self.classes = _convolution(width, anchors * (classes + 1))
        self.coefficients = _convolution(width, anchors * prototypes)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) -> (B, h*w*A, classes + 1), (B, h*w*A, 4), (B, h*w*A, k)."""
        hidden = F.relu(self.hidden(level))

        def per_anchor(maps: Tensor) -> Tensor:
            batch, channels = maps.shape[:2]
            values = channels // len(ANCHOR_RATIOS)
            return maps.permute(0, 2, 3, 1).reshape(batch, -1, values).float()

        coefficients = per_anchor(self.coefficients(hidden)).tanh()
        return per_anchor(self.classes(hidden)), per_anchor(self.box(hidden)), coefficients


class MaskRescoring(nn.Module):
    """A cropped soft mask -> the IoU that each class would expect of it (YOLACT++, section 3.4)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        channels = (1, *RESCORING_CHANNELS)
        self.convolutions = nn.ModuleList([_initialize(HalvingConv2d(a, b)) for a, b in pairwise(channels)])
        self.iou = _convolution(channels[-1], classes, kernel=1)

    def forward(self, masks: Tensor) -> Tensor:
        """(N, h, w) in [0, 1], zero outside the box -> (N, classes), not negative."""
        x = masks[:, None]
        for layer in self.convolutions:
            x = F.relu(layer(x))
        return F.relu(self.iou(x)).amax(dim=(2, 3)).float()


def assemble_logits(prototypes: Tensor, coefficients: Tensor) -> Tensor:
    """(k, h, w) and (N, k) -> (N, h, w): the linear combination, before the sigmoid."""
    return (coefficients @ prototypes.flatten(1)).view(-1, *prototypes.shape[1:])


def box_window(boxes: Tensor, height: int, width: int) -> Tensor:
    """(N, height, width) bool: which cells of the prototypes belong to each (N, 4) box, input pixels."""
    cells = boxes / PROTOTYPE_STRIDE
    ys = torch.arange(height, device=boxes.device) + 0.5
    xs = torch.arange(width, device=boxes.device) + 0.5
    low, high = cells[:, :2] - CROP_PADDING, cells[:, 2:] + CROP_PADDING
    across = (xs >= low[:, :1]) & (xs < high[:, :1])
    down = (ys >= low[:, 1:]) & (ys < high[:, 1:])
    return down[:, :, None] & across[:, None, :]


class Yolact(nn.Module):
    """The whole network."""

    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))  # SSD's variances 0.1 and 0.2

    def __init__(self, config: YolactConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        super().__init__()
        self.config = config = config or YolactConfig()
        self.backbone = build_backbone(
            config.backbone, pretrained=pretrained_backbone, resnet_width=config.resnet_width
        )
        self.pyramid = YolactPyramid(self.backbone.spec.channels[1:], config.width)
        self.protonet = Protonet(config.width, config.prototypes)
        self.head = PredictionHead(config.width, config.classes, config.prototypes)
        self.semantic = _convolution(config.width, config.classes, kernel=1)
        self.rescoring = MaskRescoring(config.classes) if config.rescoring else None

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Of C2..C5."""
        return self.backbone.spec.channels

    def body_features(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> C2..C5."""
        return self.backbone.pyramid(self.backbone.normalize(images))

    def maps(self, body_features: Sequence[Tensor], image_size: tuple[int, int]) -> YolactMaps:
        """C2..C5 -> everything the network says."""
        levels = self.pyramid(body_features[1:])
        answers = [self.head(level) for level in levels]
        anchors = square_anchors(
            [(f.shape[2], f.shape[3]) for f in levels],
            image_size,
            self.config.anchor_sizes,
            ANCHOR_RATIOS,
            device=levels[0].device,
        )
        classes, offsets, coefficients = (torch.cat(parts, dim=1) for parts in zip(*answers, strict=True))
        prototypes = self.protonet(levels[0]).float()
        semantic = self.semantic(levels[0]).float()
        return YolactMaps(classes, offsets, coefficients, prototypes, semantic, anchors, image_size)

    def detect(self, images: Tensor) -> list[Detections]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> the objects of each picture."""
        return self.detect_from(self.body_features(images), (images.shape[2], images.shape[3]))

    def detect_from(self, body_features: Sequence[Tensor], image_size: tuple[int, int]) -> list[Detections]:
        """The same, from C2..C5."""
        maps = self.maps(body_features, image_size)
        return [self._finish(maps, picture) for picture in range(len(maps.classes))]

    def _finish(self, maps: YolactMaps, picture: int) -> Detections:
        boxes = clip_boxes(self.coder.decode(maps.offsets[picture], maps.anchors), *maps.image_size)
        anchors, labels, scores = select_anchors(boxes, maps.classes[picture].softmax(dim=1)[:, 1:])
        boxes, coefficients = boxes[anchors], maps.coefficients[picture, anchors]
        prototypes = maps.prototypes[picture]
        quality = scores
        if self.rescoring is not None:
            quality = self.predict_iou(prototypes, coefficients, boxes, labels).clamp(0.0, 1.0)
            scores = scores * quality
        order = scores.argsort(descending=True, stable=True)
        masks = PrototypeMasks(prototypes, coefficients[order], PROTOTYPE_STRIDE)
        return Detections(boxes[order], labels[order], scores[order], quality[order], masks)

    def predict_iou(self, prototypes: Tensor, coefficients: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """(N,) predicted IoU of each mask, for its own class; only with rescoring."""
        assert self.rescoring is not None
        probability = assemble_logits(prototypes, coefficients).float().sigmoid()
        cropped = probability * box_window(boxes, *prototypes.shape[1:])
        every: Tensor = self.rescoring(cropped)
        return every.gather(1, labels[:, None]).squeeze(1)


def select_anchors(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fast NMS within each class, then the best of all classes.

    Args:
        boxes: (A, 4); scores: (A, classes).

    Returns:
        Anchor indices, labels and scores, (N,) each, best first, N at most MAX_DETECTIONS.
    """
    best, anchors = scores.T.topk(min(MAX_PER_CLASS, len(scores)), dim=1)
    kept = fast_nms(boxes[anchors], NMS_IOU) & (best > MIN_SCORE)
    labels = torch.arange(scores.shape[1], device=scores.device)[:, None].expand_as(anchors)
    found = best[kept]
    order = found.argsort(descending=True, stable=True)[:MAX_DETECTIONS]
    return anchors[kept][order], labels[kept][order], found[order]
