"""The proposal networks of the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from models.networks.family import NetworkFamily
from models.networks.mask_rcnn.loss import MaskRCNNLoss
from models.networks.mask_rcnn.network import MaskRCNN, MaskRCNNConfig
from models.networks.mask_rcnn.scoring import MaskScoringRCNN
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss
from models.networks.mask_rcnn.transfer import MaskXRCNN, MaskXRCNNConfig
from models.networks.proposals.encoding import ProposalSegmenter
from models.networks.yolact.loss import YolactLoss
from models.networks.yolact.network import Yolact, YolactConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

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
