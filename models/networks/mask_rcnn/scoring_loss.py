"""What Mask Scoring R-CNN's extra head learns (arXiv 1903.00241, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.networks.mask_rcnn.loss import MaskRCNNLoss, MaskSample
from models.networks.mask_rcnn.scoring import MaskScoringRCNN

if TYPE_CHECKING:
    from models.networks.mask_rcnn.network import MaskRCNN


@torch.no_grad()
def mask_iou_target(logits: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    """IoU of the predicted mask with the *whole* object, also the part outside the box.

    Args:
        logits: (R, m, m) of the object's class; predicted is logit > 0.
        wanted: (R, m, m) coverage of the object inside the box.
        share: (R,) area of the box over the area of the whole object.

    Returns:
        (R,) in [0, 1].
    """
    predicted, true = logits > 0, wanted >= 0.5
    common = (predicted & true).sum(dim=(1, 2)).float()
    inside = true.sum(dim=(1, 2)).float()
    # The whole object in cells of the box; not less than what was sampled of it inside.
    whole = torch.maximum(logits[0].numel() / share.clamp(min=1e-6), inside)
    either = predicted.sum(dim=(1, 2)).float() + whole - common
    return common / either.clamp(min=1.0)


class MaskScoringLoss(MaskRCNNLoss):
    """Mask R-CNN's terms and the squared error of the predicted IoU, of the true class only.

    The head learns to judge masks, it must not change them: the mask it sees carries no gradient.
    """

    def mask_terms(self, network: MaskRCNN, sample: MaskSample) -> dict[str, Tensor]:
        assert isinstance(network, MaskScoringRCNN)
        terms = super().mask_terms(network, sample)
        if len(sample.labels) == 0:
            return {**terms, "mask_iou": terms["masks"] * 0.0}
        target = mask_iou_target(sample.logits, sample.wanted, sample.share)
        predicted = network.predict_iou(sample.pooled, sample.logits.detach(), sample.labels - 1)
        return {**terms, "mask_iou": (predicted - target).square().mean()}
