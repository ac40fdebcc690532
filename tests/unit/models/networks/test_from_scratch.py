"""What a training freezes: of a pretrained backbone the early part and the statistics, else nothing."""

from __future__ import annotations

import pytest
import torch

from models.data.crops import CropSettings
from models.data.shapes import SHAPE_CATEGORIES, make_shapes
from models.networks.deep_metric_learning.family import DEEP_METRIC_LEARNING
from models.networks.deep_metric_learning.network import DeepMetricConfig
from models.networks.embedmask.family import EMBEDMASK
from models.networks.fcn.family import FCN_FAMILY
from models.networks.mask_rcnn.family import MASK_RCNN
from models.networks.panoptic.family import PANOPTIC
from models.networks.spatial_embeddings.family import SPATIAL_EMBEDDINGS
from models.networks.spatial_embeddings.network import SpatialEmbeddingsConfig
from models.networks.yolact.family import YOLACT
from models.training.request import TrainingRequest
from models.training.training import Training

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
    Training(model.network, model.loss, request).run()
    after = model.network.state_dict()
    return {k for k in before if not torch.equal(before[k], after[k])}


TWO_STAGE = {**RESNET, "hidden": 16, "proposals": 20, "anchor_sizes": (16, 24, 32, 48, 64)}
SMALL = {
    "deep-metric-learning": (DEEP_METRIC_LEARNING, {**RESNET, "embedding": 8}, "backbone."),
    "embedmask": (EMBEDMASK, {**RESNET, "convolutions": 1}, "backbone."),
    "mask-rcnn": (MASK_RCNN, TWO_STAGE, "backbone.body."),
    "yolact": (YOLACT, {**RESNET, "prototypes": 4}, "backbone."),
    "fcn": (FCN_FAMILY, {**RESNET, "width": None, "hidden": 16}, "backbone."),
    "panoptic": (
        PANOPTIC,
        {"instance": "mask-rcnn", "instance_sizes": TWO_STAGE, "hidden": 16},
        "instance.backbone.body.",
    ),
}


def small_model(name, **options):
    family, sizes, prefix = SMALL[name]
    config = family.config(**{k: v for k, v in sizes.items() if v is not None})
    return family.trainable(SHAPE_CATEGORIES, config=config, **options), prefix


@pytest.mark.parametrize("name", SMALL)
def test_a_backbone_without_weights_learns_from_its_stem_to_its_statistics(name, tmp_path):
    """Also where pretrained weights were asked for: there are none for a ResNet."""
    torch.manual_seed(0)
    model, prefix = small_model(name)
    changed = changed_by_training(model, tmp_path)
    assert f"{prefix}conv1.weight" in changed
    assert f"{prefix}layer3.0.bn1.running_mean" in changed


@pytest.mark.parametrize("name", SMALL)
def test_loaded_weights_keep_their_stem_and_statistics(name, tmp_path):
    torch.manual_seed(0)
    first, prefix = small_model(name, pretrained_backbone=False)
    model, _ = small_model(name, start=(first.info, first.network.state_dict()))
    changed = changed_by_training(model, tmp_path)
    assert f"{prefix}conv1.weight" not in changed
    assert f"{prefix}layer1.1.conv2.weight" not in changed
    assert f"{prefix}layer3.0.bn1.running_mean" not in changed
    assert f"{prefix}layer4.1.conv2.weight" in changed


def test_imagenet_weights_keep_their_stem_and_statistics(tmp_path):
    model = DEEP_METRIC_LEARNING.trainable(SHAPE_CATEGORIES, config=DeepMetricConfig(width=16, embedding=8))
    changed = changed_by_training(model, tmp_path)
    assert not {k for k in changed if k.startswith(("backbone._conv_stem", "backbone._blocks.1."))}
    assert not {k for k in changed if "running" in k}
    assert {"backbone._blocks.15._project_conv.weight", "embedding.1.weight"} <= changed


def test_erfnet_learns_everything(tmp_path):
    torch.manual_seed(0)
    model = SPATIAL_EMBEDDINGS.trainable(SHAPE_CATEGORIES, config=SpatialEmbeddingsConfig(width=0.125))
    changed = changed_by_training(model, tmp_path)
    assert {"encoder.0.norm.running_mean", "encoder.0.convolution.weight"} <= changed
    assert set(model.network.state_dict()) - changed == set()
