"""Every network learns: from random weights to finding and naming unseen shapes, in as many steps as two
cores of an AMD EPYC, in bfloat16, take in five minutes. The time is printed, not judged.

`make test-slow`, or one of them: `python -m pytest tests/slow/test_learning_shapes.py -m slow -s -k yolact`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from models.data.shapes import SHAPE_CATEGORIES
from models.evaluation.clicks import evaluate_clicks
from models.evaluation.coco import evaluate_coco
from models.evaluation.panoptic import evaluate_panoptic
from models.evaluation.semantic import evaluate_semantic
from models.networks.deep_metric_learning.family import DEEP_METRIC_LEARNING
from models.networks.deep_metric_learning.loss import DeepMetricLoss, DeepMetricSettings
from models.networks.embedmask.family import EMBEDMASK
from models.networks.fcn.family import FCN_FAMILY
from models.networks.mask_rcnn.family import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN
from models.networks.mask_rcnn.loss import MaskRCNNLoss, TwoStageSettings
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss
from models.networks.panoptic.family import PANOPTIC
from models.networks.panoptic.loss import PanopticLoss
from models.networks.spatial_embeddings.family import SPATIAL_EMBEDDINGS
from models.networks.spatial_embeddings.loss import SpatialEmbeddingsLoss, SpatialLossSettings
from models.networks.yolact.family import YOLACT
from tests.slow.shape_learning import learn_shapes

if TYPE_CHECKING:
    from models.data.dataset import Dataset
    from models.networks.family import NetworkFamily
    from models.training.trainable import Loss

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

WANTED_AP50 = 0.80
WANTED_MEAN_IOU = 0.75  # of FCN
WANTED_PQ = 0.60  # of the panoptic network

RESNET = {"backbone": "resnet-18", "resnet_width": 24}
NARROW = {"backbone": "resnet-18", "resnet_width": 16, "width": 32}
TWO_STAGE = {
    **NARROW,
    "hidden": 128,
    "proposals": 100,
    "anchor_sizes": (16, 32, 48, 64, 96),
    "canonical_size": 112.0,
}
SAMPLES = TwoStageSettings(anchors=64, regions=64)
# Rectangles play the stuff: all of a picture's count as one segment.
STUFF = SHAPE_CATEGORIES.index("rectangle")


@dataclass(frozen=True, slots=True)
class Trial:
    """One network at a size that five minutes suffice for on such a processor.

    Attributes:
        sizes: of its config.
        loss: instead of the one it has by default.
        steps: of eight crops; about 450 seconds of one core.
    """

    family: NetworkFamily
    sizes: dict[str, Any]
    steps: int
    loss: Loss | None = None
    rate: float = 2e-3


def deep_metric_loss() -> DeepMetricLoss:
    """Naming the shapes counts as much as telling them apart, and from the start: a class depends on the
    shape alone, which takes more learning than a colour's outline."""
    return DeepMetricLoss(DeepMetricSettings(pixels=20, classification=1.0, ramp_steps=100))


def spatial_loss() -> SpatialEmbeddingsLoss:
    """Seed maps count four times as much as published: to tell the classes takes longest to learn."""
    return SpatialEmbeddingsLoss(SpatialLossSettings(seed=4.0))


# Offsets of one pixel are a thousandth of a unit, so the last layer must move in small steps.
SPATIAL_RATE = 1e-3
EMBED = {**RESNET, "width": 48, "convolutions": 2}
ERFNET = {"width": 0.5, "dropout": 0.0, "min_pixels": 32}
TRIALS = {
    "deep-metric-learning": Trial(
        DEEP_METRIC_LEARNING, {**RESNET, "width": 48, "embedding": 16}, 4800, deep_metric_loss()
    ),
    "embedmask-arxiv": Trial(EMBEDMASK, EMBED, 3200),
    "embedmask-ijcai": Trial(
        EMBEDMASK,
        {
            **EMBED,
            "embedding": 16,
            "spatial": True,
            "margin_from_boxes": False,
            "mean_positives": False,
            "smooth_weight": 0.0,
            "box_padding": None,
            "mask_threshold": 0.53,
        },
        3200,
    ),
    "spatial-embeddings-circular": Trial(
        SPATIAL_EMBEDDINGS, {**ERFNET, "sigmas": 1}, 2500, spatial_loss(), rate=SPATIAL_RATE
    ),
    "spatial-embeddings-elliptical": Trial(
        SPATIAL_EMBEDDINGS, {**ERFNET, "sigmas": 2}, 2500, spatial_loss(), rate=SPATIAL_RATE
    ),
    "mask-rcnn": Trial(MASK_RCNN, TWO_STAGE, 3600, MaskRCNNLoss(SAMPLES)),
    "mask-scoring-rcnn": Trial(MASK_SCORING_RCNN, TWO_STAGE, 2800, MaskScoringLoss(SAMPLES)),
    "mask-x-rcnn": Trial(MASK_X_RCNN, {**TWO_STAGE, "transfer_hidden": 64}, 2600, MaskRCNNLoss(SAMPLES)),
    "yolact": Trial(YOLACT, {**NARROW, "prototypes": 16, "anchor_sizes": (24, 40, 64, 96, 128)}, 4000),
    "fcn": Trial(FCN_FAMILY, {**RESNET, "hidden": 64}, 8000),
    "panoptic": Trial(
        PANOPTIC,
        {
            "classes": len(SHAPE_CATEGORIES),
            "stuff": (STUFF,),
            "instance": "mask-rcnn",
            "instance_sizes": TWO_STAGE,
            "hidden": 64,
        },
        2600,
        PanopticLoss("mask-rcnn", instance_loss=MaskRCNNLoss(SAMPLES)),
    ),
}


def without_category(dataset: Dataset, category: int) -> Dataset:
    """The same pictures as if nobody had asked for that category."""
    names = tuple(name for i, name in enumerate(dataset.categories) if i != category)
    pictures = tuple(
        replace(
            picture,
            objects=tuple(
                replace(o, category=names.index(dataset.categories[o.category]))
                for o in picture.objects
                if o.category != category
            ),
        )
        for picture in dataset.pictures
    )
    return replace(dataset, pictures=pictures, categories=names)


@pytest.mark.parametrize("name", TRIALS)
def test_unseen_shapes_are_found_and_named_from_scratch(name, tmp_path):
    trial = TRIALS[name]
    torch.manual_seed(0)
    model = trial.family.trainable(
        SHAPE_CATEGORIES, pretrained_backbone=False, config=trial.family.config(**trial.sizes)
    )
    if trial.loss is not None:
        model = replace(model, loss=trial.loss)
    learned = learn_shapes(
        model,
        tmp_path,
        steps=trial.steps,
        rate=trial.rate,
        on_terms=lambda step, terms: step % 200 < 5 and print(step, terms, flush=True),
    )
    report, segmenter, unseen = learned.report, learned.segmenter, learned.unseen
    clicks, _ = evaluate_clicks(segmenter, unseen, count_clicks_needed=False)
    agnostic = evaluate_coco(segmenter, unseen, class_agnostic=True)
    print(
        f"\n{name}: {trial.steps} steps in {learned.seconds / 60.0:.1f} min "
        f"({learned.cpu_seconds / 60.0:.1f} min of one core), AP {report.ap:.3f}, AP50 {report.ap50:.3f}, "
        f"without classes {agnostic.ap50:.3f}, one click {clicks.iou:.3f}, "
        f"by class { ({k: round(v, 2) for k, v in report.per_category.items()}) }"
    )
    if name == "fcn":
        semantic = evaluate_semantic(segmenter, unseen)
        print(f"mean IoU {semantic.mean_iou:.3f}, by class {semantic.per_class}")
        assert semantic.mean_iou >= WANTED_MEAN_IOU
        assert report.ap50 >= WANTED_AP50
    elif name == "panoptic":
        panoptic = evaluate_panoptic(segmenter, unseen)
        things = evaluate_coco(segmenter, without_category(unseen, STUFF))
        print(f"all {panoptic.all}, things {panoptic.things}, stuff {panoptic.stuff}, AP50 {things.ap50:.3f}")
        assert panoptic.all.pq >= WANTED_PQ
        assert things.ap50 >= WANTED_AP50
    else:
        assert report.ap50 >= WANTED_AP50
