"""FCN and the panoptic network learn: from random weights to unseen shapes, within five minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.architectures.fcn import FCNConfig
from models.architectures.panoptic import PanopticConfig
from models.data.shapes import SHAPE_CATEGORIES, make_shapes
from models.evaluation.panoptic import evaluate_panoptic
from models.evaluation.semantic import evaluate_semantic
from models.inference.fcn import FCN_FAMILY
from models.inference.panoptic import PANOPTIC
from models.losses.panoptic import PanopticLoss
from models.losses.two_stage import MaskRCNNLoss
from models.registry import load_segmenter
from tests.slow.shape_learning import SIZE, learn_shapes
from tests.slow.test_learning_proposals import MINUTES, SAMPLES, TWO_STAGE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WANTED_MEAN_IOU = 0.75
WANTED_PQ = 0.60


def unseen(tmp_path):
    return make_shapes(tmp_path / "unseen", count=60, size=SIZE, seed=2)


def test_fcn_names_the_pixels_of_unseen_shapes(tmp_path):
    torch.manual_seed(0)
    config = FCNConfig(backbone="resnet-18", resnet_width=24, hidden=64)
    model = FCN_FAMILY.trainable(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)
    learned = learn_shapes(model, tmp_path, minutes=MINUTES)
    segmenter = load_segmenter("fcn", weights=tmp_path / "out" / "weights.safetensors", device="cpu")
    report = evaluate_semantic(segmenter, unseen(tmp_path))
    print(
        f"\nfcn: {learned.steps} steps in {learned.seconds / 60.0:.1f} min, mean IoU {report.mean_iou:.3f}, "
        f"by class {report.per_class}; connected regions as objects: AP50 {learned.report.ap50:.3f}"
    )
    assert report.mean_iou >= WANTED_MEAN_IOU


def test_the_panoptic_network_parts_unseen_pictures_into_things_and_stuff(tmp_path):
    torch.manual_seed(0)
    # Rectangles play the stuff: all of a picture's count as one segment.
    config = PanopticConfig(
        classes=len(SHAPE_CATEGORIES),
        stuff=(SHAPE_CATEGORIES.index("rectangle"),),
        instance="mask-rcnn",
        instance_sizes=TWO_STAGE,
        hidden=64,
    )
    model = PANOPTIC.trainable(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)
    model = replace(model, loss=PanopticLoss("mask-rcnn", instance_loss=MaskRCNNLoss(SAMPLES)))
    learned = learn_shapes(model, tmp_path, minutes=MINUTES)
    segmenter = load_segmenter("panoptic", weights=tmp_path / "out" / "weights.safetensors", device="cpu")
    report = evaluate_panoptic(segmenter, unseen(tmp_path))
    print(
        f"\npanoptic: {learned.steps} steps in {learned.seconds / 60.0:.1f} min, all {report.all}, "
        f"things {report.things}, stuff {report.stuff}, by class {report.per_category}"
    )
    assert report.all.pq >= WANTED_PQ
