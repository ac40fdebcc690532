"""FCN: interpolation, skips, the loss against numpy, and its answers to clicks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from converters.annotation import Mask, Seed
from models.data.dataset import AnnotatedObject, AnnotatedPicture
from models.data.sample import CropTarget
from models.evaluation.semantic import confusion_matrix, summarize_confusion, true_class_map
from models.grid.frame import GridFrame
from models.networks.fcn.encoding import FCNEncoding
from models.networks.fcn.family import FCN_FAMILY
from models.networks.fcn.loss import SemanticLoss, class_labels, semantic_cross_entropy
from models.networks.fcn.network import FCN, BilinearUpsample, FCNConfig, FCNHead, bilinear_filter
from tests.unit.models.networks.mask_rcnn_cases import small_batch, two_squares


def small_network(variant: int = 8) -> FCN:
    torch.manual_seed(0)
    return FCN(_sized(variant), pretrained_backbone=False)


def _sized(variant: int) -> FCNConfig:
    return FCNConfig(classes=2, backbone="resnet-18", resnet_width=8, hidden=16, variant=variant)


@pytest.mark.parametrize("stride", [2, 8, 16, 32])
def test_upsampling_begins_as_bilinear_interpolation(stride: int) -> None:
    x = torch.randn(2, 3, 5, 6)
    up = BilinearUpsample(3, stride)
    expected = F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)
    margin = stride // 2  # beyond the outermost centres one fades out, the other repeats the border
    inner = (slice(None), slice(None), slice(margin, -margin), slice(margin, -margin))
    torch.testing.assert_close(up(x)[inner], expected[inner], atol=1e-5, rtol=1e-4)
    assert up(x).shape == expected.shape


def test_the_filter_of_stride_two_is_the_known_one() -> None:
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    torch.testing.assert_close(bilinear_filter(2), line[:, None] * line)


def test_a_finer_network_begins_as_its_coarser_relative() -> None:
    torch.manual_seed(0)
    features = [torch.randn(1, c, 256 // s, 256 // s) for c, s in ((4, 4), (6, 8), (8, 16), (10, 32))]
    heads = {v: FCNHead((4, 6, 8, 10), 3, variant=v, hidden=7, dropout=0.0).eval() for v in (32, 16, 8)}
    for head in heads.values():
        head.hidden.load_state_dict(heads[32].hidden.state_dict())
        head.score.load_state_dict(heads[32].score.state_dict())
    inner = (slice(None), slice(None), slice(32, -32), slice(32, -32))  # where nothing fades out
    coarse = heads[32](features)
    assert coarse.shape == (1, 3, 256, 256)
    for finer in (16, 8):
        # Interpolating twice is not interpolating once, but nearly so.
        both = torch.stack([heads[finer](features)[inner].flatten(), coarse[inner].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.98
    altered = [torch.randn_like(features[0]), torch.randn_like(features[1]), *features[2:]]
    assert torch.equal(heads[8](altered), heads[8](features))


@pytest.mark.parametrize("variant", [32, 16, 8])
def test_every_variant_learns_in_every_weight(variant: int) -> None:
    network = small_network(variant).train()
    batch = small_batch(two_squares(), two_squares())
    SemanticLoss()(network, batch, torch.Generator())["loss"].backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # Blocks of the backbone begin as shortcuts; through skips that are zero nothing reaches it but from C5.
    assert not [n for n in silent if not n.startswith("backbone.layer")]
    assert len(network.head.skips) == {32: 0, 16: 1, 8: 2}[variant]


def test_a_batch_is_answered_like_its_pictures_one_by_one() -> None:
    network = small_network().eval()
    images = small_batch(two_squares(), two_squares()).images
    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert together.shape == (2, 3, 64, 64)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_the_loss_is_that_of_numpy_where_the_class_is_known() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 4, 6))
    labels = rng.integers(-1, 3, (2, 4, 6))
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    picked = [-log_probability[b, labels[b, y, x], y, x] for b, y, x in np.argwhere(labels >= 0)]
    loss = semantic_cross_entropy(torch.tensor(logits), torch.tensor(labels))
    assert loss.item() == pytest.approx(np.mean(picked))
    unknown = torch.full((2, 4, 6), -1)
    assert semantic_cross_entropy(torch.tensor(logits), unknown).item() == 0


def test_coarser_labels_are_compared_with_averaged_logits() -> None:
    logits = torch.randn(1, 3, 8, 8)
    labels = torch.randint(0, 3, (1, 4, 4))
    averaged = logits.view(1, 3, 4, 2, 4, 2).mean(dim=(3, 5))
    assert semantic_cross_entropy(logits, labels).item() == pytest.approx(
        F.cross_entropy(averaged, labels).item(), rel=1e-5
    )


def test_labels_leave_out_what_nobody_annotated() -> None:
    target = two_squares(exhaustive=False, has_mask=(True, False))
    labels = class_labels(target)
    assert labels[5, 5] == 1
    assert labels[20, 20] == -1  # known by its box only
    assert labels[31, 31] == -1
    assert class_labels(two_squares())[31, 31] == 0
    assert class_labels(two_squares())[20, 20] == 2


def encoding_of(probability: np.ndarray, categories: tuple[str, ...] = ("cup", "plate")) -> FCNEncoding:
    rows, columns = probability.shape[1] * 2, probability.shape[2] * 2
    frame = GridFrame((0, 0, columns, rows), rows, columns, rows, columns, 2)
    return FCNEncoding(probability.astype(np.float16), frame, (rows, columns), "fcn-test", categories)


@pytest.fixture
def two_cups() -> FCNEncoding:
    """A picture of 40 x 64: two cups that do not touch, and a plate that is not sure of itself."""
    probability = np.zeros((3, 20, 32), np.float32)
    probability[1, 4:12, 3:10] = 0.9
    probability[1, 4:12, 14:20] = 0.8
    probability[2, 14:19, 4:30] = 0.6
    probability[0] = 1.0 - probability.sum(axis=0)
    return encoding_of(probability)


def test_a_click_takes_the_connected_region_of_its_class(two_cups: FCNEncoding) -> None:
    mask = two_cups.mask([Seed(12.0, 16.0)])
    expected = np.zeros((40, 64), np.bool_)
    expected[8:24, 6:20] = True
    eroded = cv2.erode(expected.astype(np.uint8), np.ones((3, 3))).astype(bool)
    dilated = cv2.dilate(expected.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert (mask >= eroded).all()
    assert (mask <= dilated).all()
    similarity = two_cups.similarity([Seed(12.0, 16.0)])
    assert similarity[16, 12] == 1.0
    assert similarity[16, 34] == 0.0  # the other cup
    both = two_cups.mask([Seed(12.0, 16.0), Seed(34.0, 16.0)])
    assert both[16, 12]
    assert both[16, 34]


def test_objects_are_connected_regions_by_mean_probability(two_cups: FCNEncoding) -> None:
    found = two_cups.instances(min_score=0.3)
    assert [(p.label, round(p.score, 1)) for p in found] == [("cup", 0.9), ("cup", 0.8), ("plate", 0.6)]
    for prediction in found:
        again = two_cups.mask([prediction.seed], prediction.tau)
        assert Mask.from_full(again) == prediction.mask
    assert [p.label for p in two_cups.instances(min_score=0.7)] == ["cup", "cup"]


def test_the_class_map_names_the_most_probable_class(two_cups: FCNEncoding) -> None:
    classes = two_cups.class_map()
    assert classes.shape == (40, 64)
    assert (classes[16, 12], classes[32, 30], classes[2, 2]) == (1, 2, 0)


def test_mean_iou_of_a_hand_made_pair() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 2, -1, 1]], np.int32)
    found = np.array([[0, 1, 1, 1], [0, 0, 2, 1]], np.int32)
    counts = confusion_matrix(truth, found, 4)
    report = summarize_confusion(counts, ("background", "a", "b", "c"), 1)
    assert report.per_class == pytest.approx({"background": 2 / 4, "a": 3 / 4, "b": 0.0})
    assert report.mean_iou == pytest.approx((0.5 + 0.75) / 3)
    assert report.pixel_accuracy == pytest.approx(5 / 7)


def test_the_true_map_gives_overlaps_to_the_smaller_object(tmp_path) -> None:
    large = AnnotatedObject(Mask(0, 0, np.ones((6, 6), np.bool_)), 0)
    small = AnnotatedObject(Mask(2, 2, np.ones((2, 2), np.bool_)), 1)
    boxed = AnnotatedObject(Mask(4, 4, np.ones((4, 4), np.bool_)), 1, has_mask=False)
    picture = AnnotatedPicture(tmp_path / "a.png", 8, 8, (small, large, boxed), exhaustive=False)
    labels = true_class_map(picture)
    assert (labels[0, 0], labels[2, 2], labels[5, 5], labels[7, 7], labels[0, 7]) == (1, 2, 1, -1, -1)


def test_a_finer_variant_continues_from_a_coarser_one() -> None:
    coarse = FCN_FAMILY.trainable(("a", "b"), pretrained_backbone=False, config=_sized(32))
    start = coarse.info, coarse.network.state_dict()
    fine = FCN_FAMILY.trainable(("a", "b"), pretrained_backbone=False, start=start, config=_sized(16))
    state = fine.network.state_dict()
    assert torch.equal(state["head.score.weight"], start[1]["head.score.weight"])
    assert state["head.final.weight"].shape == (3, 1, 32, 32)


def test_targets_without_objects_teach_background() -> None:
    nothing = torch.zeros(0, dtype=torch.bool)
    target = CropTarget(torch.zeros((0, 8, 8)), torch.zeros(0, dtype=torch.int64), True, nothing, nothing)
    assert (class_labels(target) == 0).all()
