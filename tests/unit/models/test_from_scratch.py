"""What a training freezes: of a pretrained backbone the early part and the statistics, else nothing."""

from __future__ import annotations

import pytest
import torch

from models.architectures.deep_metric_learning import DeepMetricConfig
from models.architectures.embedmask import EmbedMaskConfig
from models.architectures.spatial_embeddings import SpatialEmbeddingsConfig
from models.data.crops import CropSettings
from models.data.shapes import SHAPE_CATEGORIES, make_shapes
from models.inference.deep_metric_learning import trainable_deep_metric
from models.inference.embedmask import trainable_embedmask
from models.inference.spatial_embeddings import trainable_spatial_embeddings
from models.training.engine import TrainingRequest, run_training

RESNET = {"backbone": "resnet-18", "resnet_width": 8, "width": 16}


def changed_by_training(model, tmp_path):
    """Names of the tensors that two steps on shapes change."""
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    request = TrainingRequest(
        (make_shapes(tmp_path / "shapes", count=2, size=64),),
        tmp_path / "run",
        model.info,
        steps=2,
        batch_size=2,
        crops=CropSettings(size=64, long_side=(60, 70), mask_stride=model.crops.mask_stride),
        frozen_blocks=2,
    )
    run_training(model.network, model.loss, request)
    after = model.network.state_dict()
    return {k for k in before if not torch.equal(before[k], after[k])}


@pytest.mark.parametrize("pretrained", [True, False])
def test_only_a_pretrained_backbone_keeps_its_stem_and_statistics(pretrained, tmp_path):
    torch.manual_seed(0)
    config = DeepMetricConfig(**RESNET, embedding=8)
    model = trainable_deep_metric(SHAPE_CATEGORIES, pretrained_backbone=pretrained, config=config)
    changed = changed_by_training(model, tmp_path)
    assert ("backbone.conv1.weight" in changed) is not pretrained
    assert ("backbone.layer1.1.conv2.weight" in changed) is not pretrained
    assert ("backbone.layer3.0.bn1.running_mean" in changed) is not pretrained
    assert {"backbone.layer4.1.conv2.weight", "embedding.1.weight", "classifier.1.weight"} <= changed


def test_weights_to_start_from_count_as_pretrained():
    config = EmbedMaskConfig.arxiv(**RESNET, convolutions=1)
    first = trainable_embedmask(SHAPE_CATEGORIES, pretrained_backbone=False, config=config)
    assert first.network.backbone.from_scratch
    second = trainable_embedmask(
        SHAPE_CATEGORIES, pretrained_backbone=False, start=(first.info, first.network.state_dict())
    )
    assert not second.network.backbone.from_scratch


def test_erfnet_learns_everything(tmp_path):
    torch.manual_seed(0)
    model = trainable_spatial_embeddings(SHAPE_CATEGORIES, config=SpatialEmbeddingsConfig(width=0.125))
    changed = changed_by_training(model, tmp_path)
    assert {"encoder.0.norm.running_mean", "encoder.0.convolution.weight"} <= changed
    assert set(model.network.state_dict()) - changed == set()
