"""YOLACT's row of the registry."""

from __future__ import annotations

from models.networks.proposals.family import proposal_family
from models.networks.yolact.loss import YolactLoss
from models.networks.yolact.network import ANCHOR_RATIOS, Yolact, YolactConfig
from models.weights_pattern import Shapes, Sizes, read_backbone


def read_yolact(shapes: Shapes) -> Sizes:
    classes = shapes.dimension("head.classes.weight", 0) // len(ANCHOR_RATIOS) - 1
    return {
        **read_backbone(shapes.below("backbone.")),
        "classes": classes,
        "width": shapes.dimension("head.hidden.weight", 0),
        "prototypes": shapes.dimension("protonet.prototypes.weight", 0),
        "rescoring": "rescoring.iou.weight" in shapes,
    }, classes


YOLACT = proposal_family(
    "yolact",
    YolactConfig,
    Yolact,
    YolactLoss,
    title="YOLACT",
    signs=("pyramid.lateral.", "protonet.", "head.coefficients.", "semantic."),
    read_sizes=read_yolact,
)
