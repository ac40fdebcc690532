"""The proposal networks of the registry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from models.architectures.mask_rcnn import MaskRCNN, MaskRCNNConfig
from models.architectures.mask_scoring_rcnn import MaskScoringRCNN
from models.architectures.mask_x_rcnn import MaskXRCNN, MaskXRCNNConfig
from models.architectures.yolact import Yolact, YolactConfig
from models.inference.family import NetworkFamily
from models.inference.proposals import ProposalSegmenter
from models.losses.mask_iou import MaskScoringLoss
from models.losses.two_stage import MaskRCNNLoss
from models.losses.yolact import YolactLoss
from models.training.trainable import Loss

MASK_STRIDE = 2


def _family(
    name: str,
    config: Callable[..., Any],
    network: Callable[..., nn.Module],
    loss: Callable[[], Loss],
    *,
    relatives: tuple[str, ...] = (),
) -> NetworkFamily:
    return NetworkFamily(
        name=name,
        config=config,
        network=lambda sizes, _classes, pretrained: network(sizes, pretrained_backbone=pretrained),
        loss=lambda _sizes: loss(),
        segmenter=partial(ProposalSegmenter, name, stride=1),
        mask_stride=MASK_STRIDE,
        relatives=relatives,
    )


MASK_RCNN = _family("mask-rcnn", MaskRCNNConfig, MaskRCNN, MaskRCNNLoss)
MASK_SCORING_RCNN = _family(
    "mask-scoring-rcnn", MaskRCNNConfig, MaskScoringRCNN, MaskScoringLoss, relatives=("mask-rcnn",)
)
MASK_X_RCNN = _family("mask-x-rcnn", MaskXRCNNConfig, MaskXRCNN, MaskRCNNLoss, relatives=("mask-rcnn",))
YOLACT = _family("yolact", YolactConfig, Yolact, YolactLoss)
