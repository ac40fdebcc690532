"""FCN's row of the registry."""

from __future__ import annotations

from functools import partial
from typing import Any

from models.networks.family import NetworkFamily
from models.networks.fcn.encoding import NAME, STRIDE, FCNSegmenter
from models.networks.fcn.loss import SemanticLoss
from models.networks.fcn.network import FCN, VARIANTS, FCNConfig
from models.weights_pattern import Shapes, Sizes, read_backbone

MASK_STRIDE = 2


def read_fcn_head(head: Shapes) -> dict[str, Any]:
    """Sizes of the head by its own names; `classes` does not count the background."""
    skips = min(head.count("skips.{}.weight"), len(VARIANTS) - 1)
    return {
        "classes": head.dimension("score.weight", 0) - 1,
        "hidden": head.dimension("score.weight", 1),
        "variant": VARIANTS[skips],
    }


def read_fcn(shapes: Shapes) -> Sizes:
    head = read_fcn_head(shapes.below("head."))
    return {**read_backbone(shapes.below("backbone.")), **head}, head["classes"]


FCN_FAMILY = NetworkFamily(
    name=NAME,
    title="FCN",
    config=FCNConfig,
    network=lambda config, _classes, pretrained: FCN(config, pretrained_backbone=pretrained),
    loss=lambda _config: SemanticLoss(),
    segmenter=partial(FCNSegmenter, stride=STRIDE),
    mask_stride=MASK_STRIDE,
    signs=("head.hidden.", "head.score.", "head.final."),
    read_sizes=read_fcn,
)
