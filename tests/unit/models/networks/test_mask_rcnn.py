"""Mask R-CNN: torchvision's names, its losses against numpy, gradients, batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from models.data.sample import CropTarget
from models.errors import WeightsError
from models.layers.detections import BoxMasks
from models.losses.detection_targets import object_targets
from models.networks.loading import load_segmenter
from models.networks.mask_rcnn.loss import (
    MaskRCNNLoss,
    TwoStageSettings,
    mask_loss,
    proposal_loss,
    region_loss,
    sample_masks,
    sample_regions,
)
from models.networks.mask_rcnn.network import MaskRCNN, MaskRCNNConfig, Regions, select_detections
from models.networks.mask_rcnn.region_proposals import ProposalMaps
from models.networks.mask_rcnn.torchvision_names import COCO_CATEGORIES
from models.networks.recognition import recognize
from models.networks.registry import find_architecture
from models.store import ModelStore
from models.weights import load_into
from tests.unit.models.networks.mask_rcnn_cases import SMALL, no_objects, small_batch, two_squares

if TYPE_CHECKING:
    from pathlib import Path


def small_network(seed: int = 0) -> MaskRCNN:
    torch.manual_seed(seed)
    return MaskRCNN(SMALL, pretrained_backbone=False)


def torchvision_shapes(pyramid: int = 256, hidden: int = 1024) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published `maskrcnn_resnet50_fpn` state dict, written down by hand."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = shape
        if bias:
            shapes[f"{name}.bias"] = (shape[1] if name.endswith("conv5_mask") else shape[0],)

    def frozen_norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)

    body = "backbone.body"
    convolution(f"{body}.conv1", 64, 3, 7, 7, bias=False)
    frozen_norm(f"{body}.bn1", 64)
    inputs = 64
    for stage, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1):
        for block in range(blocks):
            name = f"{body}.layer{stage}.{block}"
            convolution(f"{name}.conv1", width, inputs, 1, 1, bias=False)
            convolution(f"{name}.conv2", width, width, 3, 3, bias=False)
            convolution(f"{name}.conv3", 4 * width, width, 1, 1, bias=False)
            for index, channels in ((1, width), (2, width), (3, 4 * width)):
                frozen_norm(f"{name}.bn{index}", channels)
            if block == 0:
                convolution(f"{name}.downsample.0", 4 * width, inputs, 1, 1, bias=False)
                frozen_norm(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    for index, channels in enumerate((256, 512, 1024, 2048)):
        convolution(f"backbone.fpn.inner_blocks.{index}", pyramid, channels, 1, 1)
        convolution(f"backbone.fpn.layer_blocks.{index}", pyramid, pyramid, 3, 3)
    convolution("rpn.head.conv", pyramid, pyramid, 3, 3)
    convolution("rpn.head.cls_logits", 3, pyramid, 1, 1)
    convolution("rpn.head.bbox_pred", 12, pyramid, 1, 1)
    convolution("roi_heads.box_head.fc6", hidden, pyramid * 7 * 7)
    convolution("roi_heads.box_head.fc7", hidden, hidden)
    convolution("roi_heads.box_predictor.cls_score", 91, hidden)
    convolution("roi_heads.box_predictor.bbox_pred", 364, hidden)
    for index in range(1, 5):
        convolution(f"roi_heads.mask_head.mask_fcn{index}", pyramid, pyramid, 3, 3)
    convolution("roi_heads.mask_predictor.conv5_mask", pyramid, pyramid, 2, 2)
    convolution("roi_heads.mask_predictor.mask_fcn_logits", 91, pyramid, 1, 1)
    return shapes


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    return {name: torch.zeros(1).expand(shape) for name, shape in torchvision_shapes().items()}


def newer_name(name: str) -> str:
    """The spelling that torchvision has used since 0.13."""
    for level in range(4):
        for blocks in ("inner_blocks", "layer_blocks"):
            name = name.replace(f"fpn.{blocks}.{level}.", f"fpn.{blocks}.{level}.0.")
    name = name.replace("rpn.head.conv.", "rpn.head.conv.0.0.")
    for index in range(4):
        name = name.replace(f"mask_head.mask_fcn{index + 1}.", f"mask_head.{index}.0.")
    return name


def test_the_published_state_dict_loads_without_a_change(published: dict[str, Tensor]) -> None:
    config = MaskRCNNConfig(classes=90, backbone="resnet-50", width=256)
    with torch.device("meta"):
        network = MaskRCNN(config, pretrained_backbone=False)
    own = {k: tuple(v.shape) for k, v in network.state_dict().items() if "num_batches" not in k}
    assert own == torchvision_shapes()


@pytest.mark.parametrize("newer", [False, True])
def test_a_published_checkpoint_is_recognised_by_names_and_shapes(
    published: dict[str, Tensor], newer: bool
) -> None:
    given = {newer_name(k): v for k, v in published.items()} if newer else published
    assert ("roi_heads.mask_head.3.0.bias" in given) == newer
    found = recognize(given, source="a file")
    info = found.info
    assert found.tensors.keys() == published.keys()
    assert (info.architecture, info.categories) == ("mask-rcnn", COCO_CATEGORIES)
    assert info.config == {
        **info.config,
        "classes": 90,
        "width": 256,
        "hidden": 1024,
        "backbone": "resnet-50",
        "batch_norm_eps": 0.0,
        "long_side": 1344,
    }
    assert (COCO_CATEGORIES[0], COCO_CATEGORIES[17], COCO_CATEGORIES[89]) == ("person", "dog", "toothbrush")


def test_importing_a_published_checkpoint_makes_a_model_of_it(tmp_path: Path) -> None:
    """With the heads made narrow, so that the file is half as large."""
    shapes = torchvision_shapes(pyramid=8, hidden=16)
    torch.save({k: torch.full(v, 0.01) for k, v in shapes.items()}, tmp_path / "coco.pth")
    store = ModelStore(tmp_path / "models")
    stored = store.import_weights(tmp_path / "coco.pth").model
    assert (stored.version, stored.architecture) == ("coco", "mask-rcnn")
    segmenter = load_segmenter("mask-rcnn", weights=stored.weights, device="cpu")
    assert segmenter.categories == COCO_CATEGORIES


def test_other_checkpoints_are_not_taken_for_it(published: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match="no network of SeedHue has such names"):
        recognize({"weight": torch.zeros(1)}, source="a file")
    without_layer = {k: v for k, v in published.items() if not k.startswith("backbone.body.layer3.5")}
    with pytest.raises(WeightsError, match="no ResNet here with 3, 4, 5, 3 blocks"):
        recognize(without_layer, source="a file")


def test_weights_saved_are_weights_loaded() -> None:
    network, other = small_network(0), small_network(1)
    load_into(other, network.state_dict(), source="test")
    images = small_batch(two_squares()).images
    network.eval(), other.eval()
    with torch.inference_mode():
        a, b = network.detect(images)[0], other.detect(images)[0]
    assert torch.equal(a.boxes, b.boxes)
    assert torch.equal(a.scores, b.scores)


def test_a_batch_is_answered_like_its_pictures_one_by_one() -> None:
    network = small_network().eval()
    images = small_batch(two_squares(), two_squares(), two_squares()).images
    with torch.inference_mode():
        together = network.detect(images)
        alone = [network.detect(image[None])[0] for image in images]
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a.boxes, b.boxes, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(a.scores, b.scores, atol=1e-5, rtol=1e-4)
        assert torch.equal(a.labels, b.labels)
        assert isinstance(a.masks, BoxMasks)
        assert isinstance(b.masks, BoxMasks)
        torch.testing.assert_close(a.masks.probability, b.masks.probability, atol=1e-4, rtol=1e-3)


def test_detections_are_suppressed_within_their_class_only() -> None:
    box = torch.tensor([10.0, 10, 30, 30])
    boxes = torch.stack([box, box + 1, box + 100])[:, None].expand(3, 2, 4)
    scores = torch.tensor([[0.9, 0.5], [0.8, 0.7], [0.01, 0.3]])
    kept, labels, best = select_detections(boxes, scores)
    assert best.tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert labels.tolist() == [0, 1, 1]
    assert kept[:, 0].tolist() == [10, 11, 110]


def test_the_proposal_loss_is_that_of_numpy() -> None:
    # Three anchors: one on the object, one elsewhere, one between the thresholds (ignored).
    anchors = torch.tensor([[4.0, 4, 34, 30], [40, 0, 60, 20], [6, 4, 34, 46]])
    logits, offsets = torch.tensor([[0.5, -1.0, 9.0]]), torch.full((1, 3, 4), 0.2)
    target = CropTarget(
        two_squares().masks[:1], torch.tensor([0]), True, torch.tensor([True]), torch.tensor([True])
    )
    targets = object_targets(small_batch(target), torch.device("cpu"))
    maps = ProposalMaps([logits], [offsets], [anchors], (64, 64))
    generator = torch.Generator().manual_seed(0)
    objectness, boxes = proposal_loss(maps, targets, TwoStageSettings(), generator)
    expected = (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(-1.0))) / 2
    assert objectness.item() == pytest.approx(expected, rel=1e-5)
    # The object's box is (6, 4, 34, 28); smooth L1 with beta 1/9.
    wanted = np.array([(20 - 19) / 30, (16 - 17) / 26, math.log(28 / 30), math.log(24 / 26)])
    difference = np.abs(0.2 - wanted)
    smooth = np.where(difference < 1 / 9, 4.5 * difference**2, difference - 1 / 18)
    assert boxes.item() == pytest.approx(smooth.sum() / 2, rel=1e-5)


def test_regions_are_drawn_with_the_objects_they_lie_on() -> None:
    target = two_squares()
    targets = object_targets(small_batch(target, target), torch.device("cpu"))
    proposals = [torch.tensor([[6.0, 4, 34, 30], [40.0, 0, 60, 20]]), torch.zeros((0, 4))]
    sample = sample_regions(proposals, targets, TwoStageSettings(), torch.Generator().manual_seed(0))
    assert sample.regions.pictures.tolist() == [0, 0, 0, 0, 1, 1]
    assert sorted(sample.labels[:4].tolist()) == [0, 1, 1, 2]
    positive = sample.positives()
    assert torch.equal(positive.boxes, torch.cat([t.boxes for t in targets])[_object_rows(positive)])


def _object_rows(positive: object) -> Tensor:
    return positive.owners + 2 * positive.regions.pictures  # type: ignore[attr-defined]


def test_class_and_box_terms_are_those_of_numpy() -> None:
    network = small_network()
    targets = object_targets(small_batch(two_squares()), torch.device("cpu"))
    levels = network.backbone(small_batch(two_squares()).images)
    sample = sample_regions(
        [torch.tensor([[8.0, 6, 36, 30], [40.0, 0, 60, 20]])],
        targets,
        TwoStageSettings(),
        torch.Generator().manual_seed(0),
    )
    classes, boxes = region_loss(network, levels, sample)
    scores, offsets = (t.detach().numpy() for t in network.roi_heads.classify(levels, sample.regions))
    labels = sample.labels.numpy()
    log_probability = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert classes.item() == pytest.approx(-log_probability[np.arange(4), labels].mean(), rel=1e-4)
    total = 0.0
    for r in np.flatnonzero(labels):
        (x0, y0, x1, y1), (a0, b0, a1, b1) = sample.regions.boxes[r].tolist(), sample.boxes[r].tolist()
        w, h = x1 - x0, y1 - y0
        wanted = np.array(
            [
                10 * ((a0 + a1) - (x0 + x1)) / 2 / w,
                10 * ((b0 + b1) - (y0 + y1)) / 2 / h,
                5 * math.log((a1 - a0) / w),
                5 * math.log((b1 - b0) / h),
            ]
        )
        difference = np.abs(offsets[r, labels[r]] - wanted)
        total += np.where(difference < 1 / 9, 4.5 * difference**2, difference - 1 / 18).sum()
    assert boxes.item() == pytest.approx(total / 4, rel=1e-4)


def test_the_mask_loss_sees_the_true_class_and_objects_with_masks_only() -> None:
    network = small_network()
    target = two_squares(has_mask=(True, False))
    batch = small_batch(target)
    targets = object_targets(batch, torch.device("cpu"))
    levels = network.backbone(batch.images)
    settings = TwoStageSettings()
    sample = sample_regions([torch.zeros((0, 4))], targets, settings, torch.Generator().manual_seed(0))
    masks = sample_masks(network, levels, sample, targets, 2)
    assert masks.labels.tolist() == [1]
    assert masks.share.tolist() == pytest.approx([1.0])
    assert (masks.wanted >= 0.5).all()
    wanted = masks.wanted[0].numpy()
    own = network.roi_heads.mask_logits(masks.pooled)[0, 1].detach().numpy()
    expected = (np.log1p(np.exp(own)) - own * wanted).mean()
    assert mask_loss(masks).item() == pytest.approx(expected, rel=1e-4)
    mask_loss(masks).backward()
    gradient = network.roi_heads.mask_predictor.mask_fcn_logits.weight.grad
    assert gradient is not None
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


def test_every_weight_learns() -> None:
    network = small_network().train()
    terms = MaskRCNNLoss()(
        network, small_batch(two_squares(), two_squares()), torch.Generator().manual_seed(0)
    )
    terms["loss"].backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # Each residual block begins as its shortcut: only its last BatchNorm can learn at the first step.
    assert not [n for n in silent if not n.startswith("backbone.body.layer")]


def test_pictures_without_objects_are_background() -> None:
    empty = no_objects()
    network = small_network()
    terms = MaskRCNNLoss()(network, small_batch(empty, two_squares()), torch.Generator().manual_seed(0))
    assert torch.isfinite(terms["loss"])
    alone = MaskRCNNLoss()(network, small_batch(empty), torch.Generator().manual_seed(0))
    assert alone["boxes"].item() == 0
    assert alone["masks"].item() == 0
    assert alone["classes"].item() > 0


def test_regions_keep_track_of_their_pictures() -> None:
    regions = Regions.of([torch.zeros((2, 4)), torch.zeros((0, 4)), torch.ones((1, 4))])
    assert regions.pictures.tolist() == [0, 0, 2]


def test_the_registry_knows_it() -> None:
    assert find_architecture("mask-rcnn").title == "Mask R-CNN"
