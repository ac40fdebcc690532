"""Mask^X R-CNN: a class that was only ever annotated with boxes gets masks, learnt from the others'."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.data.augment import ColorJitter
from models.data.crops import CropSettings
from models.data.dataset import load_dataset
from models.data.shapes import SHAPE_CATEGORIES, make_shapes
from models.networks.loading import load_segmenter
from models.networks.mask_rcnn.family import MASK_X_RCNN
from models.networks.mask_rcnn.loss import MaskRCNNLoss, TwoStageSettings
from models.networks.mask_rcnn.transfer import MaskXRCNNConfig
from models.training.request import TrainingRequest
from models.training.training import Training
from tests.unit.models.data.shape_folders import write_shape_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BOXED = "star"  # fills 0.4 of its box
SIZE = 64
STEPS = 1500
SIZES = {
    "backbone": "resnet-18",
    "resnet_width": 16,
    "width": 32,
    "hidden": 64,
    "transfer_hidden": 32,
    "proposals": 50,
    "anchor_sizes": (16, 24, 32, 48, 64),
    "canonical_size": 64.0,
    "long_side": SIZE,
}


def box_iou(a, b):
    common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return common / (sum(areas) - common)


def mask_iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_a_class_that_was_only_boxed_gets_masks(tmp_path):
    folder = write_shape_folder(
        tmp_path / "shapes", count=400, size=SIZE, categories=SHAPE_CATEGORIES, boxed=(BOXED,), seed=1
    )
    (dataset,) = load_dataset(folder)
    for picture in dataset.pictures:
        assert all(o.has_mask == (dataset.categories[o.category] != BOXED) for o in picture.objects)
    torch.manual_seed(0)
    model = MASK_X_RCNN.trainable(
        dataset.categories, pretrained_backbone=False, config=MaskXRCNNConfig(**SIZES)
    )
    request = TrainingRequest(
        (dataset,),
        tmp_path / "run",
        model.info,
        steps=STEPS,
        batch_size=8,
        crops=CropSettings(
            size=SIZE, long_side=(56, 76), mask_stride=2, cutout_probability=0.0, jitter=ColorJitter()
        ),
        rate=2e-3,
        backbone_rate=2e-3,
    )
    loss = MaskRCNNLoss(TwoStageSettings(anchors=64, regions=64))
    weights = Training(model.network, loss, request).run()
    segmenter = load_segmenter("mask-x-rcnn", weights=weights, device="cpu")

    unseen = make_shapes(
        tmp_path / "unseen", count=60, size=SIZE, objects=(3, 4), diameter=(0.3, 0.5), seed=2
    )
    own, of_box, missed = [], [], 0
    for picture in unseen.pictures:
        found = [p for p in segmenter.encode(picture.pixels()).instances(0.1) if p.label == BOXED]
        for item in picture.objects:
            if unseen.categories[item.category] != BOXED:
                continue
            near = [p for p in found if box_iou(p.mask.box, item.mask.box) > 0.5]
            if not near:
                missed += 1
                continue
            truth = item.mask.to_full(SIZE, SIZE)
            own.append(mask_iou(near[0].mask.to_full(SIZE, SIZE), truth))
            x0, y0, x1, y1 = item.mask.box
            box = np.zeros_like(truth)
            box[y0:y1, x0:x1] = True
            of_box.append(mask_iou(box, truth))
    print(
        f"\nmask-x-rcnn: of {len(own) + missed} stars {len(own)} found, mean IoU of their masks "
        f"{np.mean(own):.3f}, of their boxes {np.mean(of_box):.3f}"
    )
    assert len(own) > missed
    assert np.mean(own) > np.mean(of_box) + 0.15
