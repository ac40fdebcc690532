"""The proposal networks learn: from random weights to finding unseen shapes, within five minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.architectures.mask_rcnn import MaskRCNNConfig
from models.architectures.mask_x_rcnn import MaskXRCNNConfig
from models.architectures.yolact import YolactConfig
from models.data.shapes import SHAPE_CATEGORIES
from models.inference.instance_networks import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN, YOLACT
from models.losses.mask_iou import MaskScoringLoss
from models.losses.two_stage import MaskRCNNLoss, TwoStageSettings
from tests.slow.shape_learning import learn_shapes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MINUTES = 4.5
WANTED_AP50 = 0.80
RESNET = {"backbone": "resnet-18", "resnet_width": 16, "width": 32}
TWO_STAGE = {
    **RESNET,
    "hidden": 128,
    "proposals": 100,
    "anchor_sizes": (16, 32, 48, 64, 96),
    "canonical_size": 112.0,
}
SAMPLES = TwoStageSettings(anchors=64, regions=64)
YOLACT_CONFIG = YolactConfig(**RESNET, prototypes=16, anchor_sizes=(24, 40, 64, 96, 128))

NETWORKS = {
    "mask-rcnn": (MASK_RCNN, MaskRCNNConfig(**TWO_STAGE), MaskRCNNLoss(SAMPLES)),
    "mask-scoring-rcnn": (MASK_SCORING_RCNN, MaskRCNNConfig(**TWO_STAGE), MaskScoringLoss(SAMPLES)),
    "mask-x-rcnn": (
        MASK_X_RCNN,
        MaskXRCNNConfig(**TWO_STAGE, transfer_hidden=64),
        MaskRCNNLoss(SAMPLES),
    ),
    "yolact": (YOLACT, YOLACT_CONFIG, None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_finds_unseen_shapes_after_five_minutes_from_scratch(name, tmp_path):
    torch.manual_seed(0)
    family, config, loss = NETWORKS[name]
    model = family.trainable(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)
    if loss is not None:
        model = replace(model, loss=loss)
    learned = learn_shapes(model, tmp_path, minutes=MINUTES)
    report = learned.report
    print(
        f"\n{name}: {learned.steps} steps in {learned.seconds / 60.0:.1f} min, "
        f"AP {report.ap:.3f}, AP50 {report.ap50:.3f}, by class {report.per_category}"
    )
    assert report.ap50 >= WANTED_AP50
