"""The objective of the panoptic network: the instance network's, over things, and the FCN's, over all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from models.data.sample import Batch, CropTarget
from models.networks.fcn.loss import class_labels, semantic_cross_entropy
from models.networks.mask_rcnn.loss import MaskRCNNLoss
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss
from models.networks.yolact.loss import YolactLoss

if TYPE_CHECKING:
    from models.networks.panoptic.network import PanopticNetwork

INSTANCE_LOSSES: dict[str, Any] = {
    "mask-rcnn": MaskRCNNLoss,
    "mask-scoring-rcnn": MaskScoringLoss,
    "mask-x-rcnn": MaskRCNNLoss,
    "yolact": YolactLoss,
}


def only_things(target: CropTarget, things: tuple[int, ...]) -> CropTarget:
    """The objects that are things, with categories counted among the things."""
    position = torch.full((max(things, default=0) + 2,), -1)
    position[list(things)] = torch.arange(len(things))
    among = position[target.categories.clamp(max=len(position) - 1)]
    keep = among >= 0
    return CropTarget(
        target.masks[keep], among[keep], target.exhaustive, target.whole[keep], target.has_mask[keep]
    )


class PanopticLoss:
    """Sum of both parts.

    Args:
        semantic: weight of the FCN's part.
    """

    def __init__(self, instance: str, *, semantic: float = 1.0, instance_loss: Any = None) -> None:
        self.semantic = semantic
        self.instance_loss = instance_loss or INSTANCE_LOSSES[instance]()

    def __call__(
        self, network: PanopticNetwork, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms, each a scalar; "loss" is their sum."""
        device = next(network.parameters()).device
        features = network.body_features(batch.images.to(device))
        labels = torch.stack([class_labels(t) for t in batch.targets]).to(device)
        semantic = self.semantic * semantic_cross_entropy(network.semantic_logits(features), labels)
        targets = tuple(only_things(t, network.config.things) for t in batch.targets)
        things = replace(batch, targets=targets)
        terms = self.instance_loss.from_features(network.instance, features, things, generator)
        return {**terms, "pixels": semantic, "loss": terms["loss"] + semantic}
