"""The registry's rows of Mask R-CNN and the two networks that grew out of it."""

from __future__ import annotations

import math

from models.networks.mask_rcnn.loss import MaskRCNNLoss
from models.networks.mask_rcnn.network import MASK_SIDE, MaskRCNN, MaskRCNNConfig
from models.networks.mask_rcnn.scoring import MaskScoringRCNN
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss
from models.networks.mask_rcnn.transfer import MaskXRCNN, MaskXRCNNConfig
from models.networks.proposals.family import proposal_family
from models.weights_pattern import Shapes, Sizes, read_backbone

STEPS = "num_batches_tracked"
TORCHVISION_LONG_SIDE = 1344  # torchvision resizes to at most 1333; the next multiple of 32
TWO_STAGES = ("backbone.fpn.", "rpn.head.", "roi_heads.box_predictor.")
OWN_MASKS = "roi_heads.mask_predictor.mask_fcn_logits."


def read_mask_rcnn(shapes: Shapes) -> Sizes:
    """A ResNet without step counters is torchvision's, whose frozen BatchNorm has no epsilon."""
    body = shapes.below("backbone.body.")
    classes = shapes.dimension("roi_heads.box_predictor.cls_score.weight", 0) - 1
    sizes = {
        **read_backbone(body),
        "classes": classes,
        "width": shapes.dimension("rpn.head.conv.weight", 0),
        "hidden": shapes.dimension("roi_heads.box_predictor.cls_score.weight", 1),
    }
    if sizes["backbone"].startswith("resnet") and not body.any_ends_with(STEPS):
        sizes |= {"batch_norm_eps": 0.0, "long_side": TORCHVISION_LONG_SIDE}
    return sizes, classes


def read_mask_x_rcnn(shapes: Shapes) -> Sizes:
    sizes, classes = read_mask_rcnn(shapes)
    predictor = shapes.below("roi_heads.mask_predictor.")
    cells = predictor.dimension("gist.fc.weight", 1) / sizes["width"]
    transfer = {
        "transfer_hidden": predictor.dimension("transfer.fc1.weight", 0),
        "gist_pooling": max(1, round(MASK_SIDE / math.sqrt(max(1.0, cells)))),
    }
    return {**sizes, **transfer}, classes


MASK_RCNN = proposal_family(
    "mask-rcnn",
    MaskRCNNConfig,
    MaskRCNN,
    MaskRCNNLoss,
    title="Mask R-CNN",
    signs=(*TWO_STAGES, OWN_MASKS),
    read_sizes=read_mask_rcnn,
)
MASK_SCORING_RCNN = proposal_family(
    "mask-scoring-rcnn",
    MaskRCNNConfig,
    MaskScoringRCNN,
    MaskScoringLoss,
    title="Mask Scoring R-CNN",
    relatives=("mask-rcnn",),
    signs=(*TWO_STAGES, OWN_MASKS, "mask_iou_head."),
    read_sizes=read_mask_rcnn,
)
MASK_X_RCNN = proposal_family(
    "mask-x-rcnn",
    MaskXRCNNConfig,
    MaskXRCNN,
    MaskRCNNLoss,
    title="Mask^X R-CNN",
    relatives=("mask-rcnn",),
    signs=(*TWO_STAGES, "roi_heads.mask_predictor.transfer.", "roi_heads.mask_predictor.gist."),
    read_sizes=read_mask_x_rcnn,
)
