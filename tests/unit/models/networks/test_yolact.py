"""YOLACT's parts, its terms against numpy and hand-made cases, stop-gradients, batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.layers.detections import PrototypeMasks
from models.losses.detection_targets import object_targets
from models.networks.yolact.loss import (
    YolactLoss,
    cropped_mask_losses,
    hard_negative_loss,
    resize_masks,
    semantic_loss,
    window_iou,
)
from models.networks.yolact.network import (
    Yolact,
    YolactConfig,
    assemble_logits,
    box_window,
    select_anchors,
)
from tests.unit.models.networks.mask_rcnn_cases import no_objects, small_batch, two_squares

SMALL = YolactConfig(
    classes=2,
    backbone="resnet-18",
    resnet_width=8,
    width=16,
    prototypes=8,
    anchor_sizes=(16, 24, 32, 48, 64),
    long_side=64,
)


def small_network() -> Yolact:
    torch.manual_seed(0)
    return Yolact(SMALL, pretrained_backbone=False)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_maps_cover_every_anchor() -> None:
    network = small_network().eval()
    with torch.inference_mode():
        maps = network.maps(network.body_features(small_batch(two_squares()).images), (64, 64))
    anchors = 3 * (64 + 16 + 4 + 1 + 1)
    assert maps.classes.shape == (1, anchors, 3)
    assert maps.offsets.shape == maps.anchors.expand(1, -1, -1).shape == (1, anchors, 4)
    assert maps.coefficients.shape == (1, anchors, 8)
    assert maps.coefficients.abs().max() <= 1
    assert maps.prototypes.shape == (1, 8, 16, 16)
    assert maps.prototypes.min() >= 0
    assert maps.semantic.shape == (1, 2, 8, 8)


def test_masks_are_linear_combinations_of_prototypes() -> None:
    rng = np.random.default_rng(0)
    prototypes, coefficients = rng.normal(size=(4, 3, 5)), rng.normal(size=(6, 4))
    expected = np.einsum("khw,nk->nhw", prototypes, coefficients)
    found = assemble_logits(torch.tensor(prototypes), torch.tensor(coefficients))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_crop_keeps_one_cell_around_the_box() -> None:
    window = box_window(torch.tensor([[8.0, 12.0, 16.0, 24.0]]), 8, 8)[0]
    expected = np.zeros((8, 8), np.bool_)
    expected[2:7, 1:5] = True  # cells 3..5 and 2..3 are the box itself
    assert window.numpy().tolist() == expected.tolist()


def test_hard_negatives_are_the_worst_three_per_positive() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2, 30, 3))
    labels = np.zeros((2, 30), np.int64)
    labels[0, :2], labels[0, 2:5], labels[1, 7] = (1, 2), -1, 1
    log_probability = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    expected = 0.0
    for b in range(2):
        positive = np.flatnonzero(labels[b] > 0)
        negative = np.flatnonzero(labels[b] == 0)
        losses = np.sort(-log_probability[b, negative, 0])[::-1]
        expected -= log_probability[b, positive, labels[b, positive]].sum()
        expected += losses[: 3 * len(positive)].sum()
    found = hard_negative_loss(torch.tensor(logits), torch.tensor(labels), 3)
    assert found.item() == pytest.approx(expected)


def test_the_mask_term_is_summed_in_the_crop_and_divided_by_the_box() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(1, 8, 8))
    wanted = (rng.random((1, 8, 8)) < 0.5).astype(float)
    box = torch.tensor([[8.0, 12.0, 16.0, 24.0]])
    loss = np.log1p(np.exp(logits)) - logits * wanted
    expected = loss[0, 2:7, 1:5].sum() / (2 * 3)
    found = cropped_mask_losses(torch.tensor(logits), torch.tensor(wanted), box.double())
    assert found.item() == pytest.approx(expected)


def test_the_semantic_term_knows_what_is_unknown() -> None:
    logits = torch.randn(1, 2, 16, 16, generator=generator())
    sure = object_targets(small_batch(two_squares()), torch.device("cpu"))
    masks = resize_masks(sure[0].masks, 16, 16) >= 0.5
    values = logits[0].double().numpy()
    loss = np.log1p(np.exp(values)) - values * masks.numpy()
    assert semantic_loss(logits, sure).item() == pytest.approx(loss.sum() / 256, rel=1e-5)
    partial = object_targets(
        small_batch(two_squares(exhaustive=False, has_mask=(True, False))), torch.device("cpu")
    )
    inside = masks[0].numpy()
    only_first = np.log1p(np.exp(values)) - values * np.stack([inside, np.zeros_like(inside)])
    assert semantic_loss(logits, partial).item() == pytest.approx((only_first * inside).sum() / 256, rel=1e-5)


def test_the_iou_target_is_that_of_the_cropped_mask() -> None:
    logits = torch.full((1, 8, 8), 1.0)
    wanted = torch.zeros((1, 8, 8))
    wanted[0, 3:6, 2:4] = 1.0
    box = torch.tensor([[8.0, 12.0, 16.0, 24.0]])
    assert window_iou(logits, wanted, box).item() == pytest.approx(6 / 20)


def test_anchors_are_chosen_by_fast_nms_within_a_class() -> None:
    box = torch.tensor([10.0, 10, 30, 30])
    boxes = torch.stack([box, box + 1, box + 100])
    scores = torch.tensor([[0.9, 0.5], [0.8, 0.7], [0.01, 0.3]])
    anchors, labels, best = select_anchors(boxes, scores)
    assert best.tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert anchors.tolist() == [0, 1, 2]
    assert labels.tolist() == [0, 1, 1]


def test_every_weight_learns() -> None:
    network = small_network().train()
    large = two_squares()
    large.masks[0] = 1.0  # an object for the coarsest anchors
    YolactLoss()(network, small_batch(two_squares(), large), generator())["loss"].backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not [n for n in silent if not n.startswith(("backbone.layer", "rescoring"))]
    assert all(p.grad is not None for p in network.rescoring.parameters())


def test_judging_masks_does_not_change_them() -> None:
    network = small_network().train()
    terms = YolactLoss()(network, small_batch(two_squares()), generator())
    terms["rescoring"].backward()
    heard = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert heard <= {"rescoring"}


def test_the_semantic_layer_learns_from_its_own_term_only() -> None:
    network = small_network().train()
    terms = YolactLoss()(network, small_batch(two_squares()), generator())
    sum(v for k, v in terms.items() if k not in ("loss", "semantic")).backward(retain_graph=True)
    assert network.semantic.weight.grad is None or not network.semantic.weight.grad.any()
    terms["semantic"].backward()
    assert network.semantic.weight.grad.any()


def test_objects_without_masks_teach_no_masks() -> None:
    network = small_network()
    terms = YolactLoss()(network, small_batch(two_squares(has_mask=(False, False))), generator())
    assert terms["masks"].item() == 0
    assert terms["boxes"].item() > 0


def test_pictures_without_objects_are_background() -> None:
    terms = YolactLoss()(small_network(), small_batch(no_objects()), generator())
    assert terms["boxes"].item() == 0
    assert terms["classes"].item() > 0
    assert torch.isfinite(terms["loss"])


def test_a_batch_is_answered_like_its_pictures_one_by_one() -> None:
    network = small_network().eval()
    images = small_batch(two_squares(), two_squares()).images
    with torch.inference_mode():
        together = network.detect(images)
        alone = [network.detect(image[None])[0] for image in images]
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a.boxes, b.boxes, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(a.scores, b.scores, atol=1e-5, rtol=1e-4)
        assert isinstance(a.masks, PrototypeMasks)
        assert isinstance(b.masks, PrototypeMasks)
        torch.testing.assert_close(a.masks.coefficients, b.masks.coefficients, atol=1e-5, rtol=1e-3)
