"""The embedding networks learn: from random weights to finding unseen shapes, within five minutes."""

from __future__ import annotations

import pytest
import torch

from models.architectures.deep_metric_learning import DeepMetricConfig
from models.architectures.embedmask import EmbedMaskConfig
from models.architectures.spatial_embeddings import SpatialEmbeddingsConfig
from models.data.shapes import SHAPE_CATEGORIES
from models.inference.deep_metric_learning import DEEP_METRIC_LEARNING
from models.inference.embedmask import EMBEDMASK
from models.inference.spatial_embeddings import SPATIAL_EMBEDDINGS
from models.losses.deep_metric_learning import DeepMetricLoss, DeepMetricSettings
from tests.slow.shape_learning import learn_shapes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MINUTES = 4.5
WANTED_AP50 = 0.80
RESNET = {"backbone": "resnet-18", "resnet_width": 24}


def deep_metric_learning():
    config = DeepMetricConfig(**RESNET, width=48, embedding=16)
    model = DEEP_METRIC_LEARNING.trainable(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)
    assert isinstance(model.loss, DeepMetricLoss)
    model.loss.settings = DeepMetricSettings(ramp_steps=30)
    return model


def embedmask(config):
    return EMBEDMASK.trainable(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)


def spatial_embeddings(sigmas):
    config = SpatialEmbeddingsConfig(width=0.5, dropout=0.0, min_pixels=32, sigmas=sigmas)
    return SPATIAL_EMBEDDINGS.trainable(SHAPE_CATEGORIES, config=config)


NETWORKS = {
    "deep-metric-learning": deep_metric_learning,
    "embedmask-arxiv": lambda: embedmask(EmbedMaskConfig.arxiv(**RESNET, width=48, convolutions=2)),
    "embedmask-ijcai": lambda: embedmask(EmbedMaskConfig.ijcai(**RESNET, width=48, convolutions=2)),
    "spatial-embeddings-circular": lambda: spatial_embeddings(1),
    "spatial-embeddings-elliptical": lambda: spatial_embeddings(2),
}


# Offsets of one pixel are a thousandth of a unit, so the last layer must move in small steps.
RATES = {"spatial-embeddings-circular": 1e-3, "spatial-embeddings-elliptical": 1e-3}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_finds_unseen_shapes_after_five_minutes_from_scratch(name, tmp_path):
    torch.manual_seed(0)
    learned = learn_shapes(NETWORKS[name](), tmp_path, minutes=MINUTES, rate=RATES.get(name, 2e-3))
    report = learned.report
    print(
        f"\n{name}: {learned.steps} steps in {learned.seconds / 60.0:.1f} min "
        f"({learned.cpu_seconds / 60.0:.1f} min of one core), "
        f"AP {report.ap:.3f}, AP50 {report.ap50:.3f}, by class {report.per_category}"
    )
    assert report.ap50 >= WANTED_AP50
