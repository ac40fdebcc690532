"""Which part of a network each term of its loss teaches, and which parts it must leave alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data.sample import Batch
from models.losses.detection_targets import object_targets
from models.networks.deep_metric_learning.loss import DeepMetricLoss, DeepMetricSettings
from models.networks.mask_rcnn.loss import region_loss, sample_masks, sample_regions
from tests.unit.models.data.crop_targets import coloured_batch, crop_target, rectangles
from tests.unit.models.networks.mask_rcnn_cases import small_batch, two_squares
from tests.unit.models.networks.small_networks import SMALL, shake, small_network
from tests.unit.models.training.test_batches import LOSSES, picture


def prepared(name: str, **changes: Any) -> tuple[Any, Any]:
    network, _ = small_network(name, **changes)
    shake(network)
    return network, SMALL[name][0].loss(network.config)


def taught_by(network: nn.Module, term: Tensor) -> set[str]:
    """First parts of the names of the parameters that a term sends a gradient to."""
    network.zero_grad(set_to_none=True)
    term.backward(retain_graph=True)
    heard = {n for n, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    return {".".join(n.split(".")[:2]) for n in heard}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name):
    """Also behind layers that begin at zero, once these have moved."""
    network, _ = small_network(name)
    shake(network)
    loss = LOSSES.get(name) or SMALL[name][0].loss(network.config)
    if isinstance(loss, DeepMetricLoss):
        loss.steps = 1  # at the first step lambda is 0
    stride = SMALL[name][0].mask_stride
    objects = ((6, 4, 34, 28), (32, 36, 56, 60)), ((1, 1, 63, 63),)  # the last one for the coarsest anchors
    masks = [F.avg_pool2d(rectangles(64, *boxes), stride) for boxes in objects]
    targets = crop_target(masks[0], [0, 1]), crop_target(masks[1], [2])
    batch = Batch(torch.stack([picture(1), picture(2)]), targets)
    loss(network, batch, generator())["loss"].backward()
    silent = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # No object of 64 pixels belongs to FCOS's levels P4 to P7, whose factors nothing else teaches.
    levels = {f"head.scales.{level}.factor" for level in range(1, 5)} if name == "embedmask" else set()
    assert silent == levels


def test_proposals_are_boxes_given_not_boxes_to_be_learnt():
    """Faster R-CNN, section 3.1: classes, boxes and masks of the regions do not move the proposals."""
    network, loss = prepared("mask-rcnn")
    terms = loss(network, small_batch(two_squares()), generator())
    for name in ("objectness", "proposal_boxes"):
        assert taught_by(network, terms[name]) == {"backbone.body", "backbone.fpn", "rpn.head"}
    boxes = {"roi_heads.box_head", "roi_heads.box_predictor", "backbone.fpn", "backbone.body"}
    assert taught_by(network, terms["classes"]) == boxes
    assert taught_by(network, terms["boxes"]) == boxes
    masks = {"roi_heads.mask_head", "roi_heads.mask_predictor", "backbone.fpn", "backbone.body"}
    assert taught_by(network, terms["masks"]) == masks


def test_regions_carry_no_gradient_even_where_the_proposals_do():
    network, loss = prepared("mask-rcnn")
    batch = small_batch(two_squares())
    targets = object_targets(batch, torch.device("cpu"))
    levels = network.levels(network.body_features(batch.images))
    proposals = network.rpn.propose(network.propose(levels, (64, 64)))
    sample = sample_regions(proposals, targets, loss.settings, generator())
    assert not sample.regions.boxes.requires_grad
    assert not sample.boxes.requires_grad
    classes, _ = region_loss(network, levels, sample)
    assert classes.requires_grad
    assert not sample_masks(network, levels, sample, targets, 2).wanted.requires_grad


def test_the_classes_of_grown_masks_are_targets_only():
    """Deep metric learning: the classification term does not move the embedding through its masks."""
    network, _ = prepared("deep-metric-learning")
    loss = DeepMetricLoss(DeepMetricSettings(ramp_steps=1))
    features = network(coloured_batch(64, 4, pictures=1).images)
    embedding, classification = loss._one_picture(
        features.embedding[0],
        features.classes[0],
        coloured_batch(64, 4, pictures=1).targets[0],
        network,
        generator(),
    )
    assert {n.split(".")[0] for n in taught_by(network, classification)} == {
        "backbone",
        "top_down",
        "classifier",
    }
    assert {n.split(".")[0] for n in taught_by(network, embedding)} == {"backbone", "top_down", "embedding"}


def test_the_seed_maps_learn_from_the_clusters_and_not_the_other_way_round():
    network, loss = prepared("spatial-embeddings")

    batch = coloured_batch(64, 1, pictures=1)
    features = network(batch.images)
    terms = loss._one_picture(features, 0, batch.targets[0], network.config)

    def parts(term: Tensor) -> set[str]:
        return {name.split(".")[0] for name in taught_by(network, term)}

    assert parts(terms.seed) == {"encoder", "seed_decoder"}
    assert parts(terms.instance) == parts(terms.variance) == {"encoder", "instance_decoder"}


@pytest.mark.parametrize("instance", ["mask-rcnn", "mask-scoring-rcnn"])
def test_things_and_pixels_share_the_backbone_and_nothing_else(instance):
    network, loss = prepared("panoptic", instance=instance)
    terms = loss(network, small_batch(two_squares()), generator())
    pixels = taught_by(network, terms["pixels"])
    assert {"semantic.score", "semantic.skips", "semantic.hidden", "instance.backbone"} <= pixels
    assert {n for n in pixels if n.startswith("instance.")} == {"instance.backbone"}
    things = torch.stack([v for k, v in terms.items() if k not in ("loss", "pixels")]).sum()
    taught = taught_by(network, things)
    assert {"instance.backbone", "instance.rpn", "instance.roi_heads"} <= taught
    assert not {n for n in taught if n.startswith("semantic.")}
    # Of the shared module the pixels teach the body alone: the pyramid belongs to the things.
    network.zero_grad(set_to_none=True)
    terms["pixels"].backward()
    pyramid = network.instance.backbone.fpn.parameters()
    assert all(p.grad is None or not p.grad.any() for p in pyramid)


def test_the_box_weights_of_mask_x_are_read_and_not_moved_by_masks():
    network, loss = prepared("mask-x-rcnn")
    terms = loss(network, small_batch(two_squares()), generator())
    taught = {n for n in taught_by(network, terms["masks"]) if n.startswith("roi_heads.")}
    assert taught == {"roi_heads.mask_head", "roi_heads.mask_predictor"}


def test_one_class_s_masks_change_those_of_a_class_that_has_none():
    """Mask^X: what the transfer function learns from one class, it says of every other."""
    network, loss = prepared("mask-x-rcnn")
    optimizer = torch.optim.SGD(network.roi_heads.mask_predictor.transfer.parameters(), 1.0)
    batch = small_batch(two_squares(has_mask=(True, False)))  # the second object, of class 1, is only boxed
    pooled = torch.rand(2, 16, 14, 14, generator=generator())

    def boxed_class() -> Tensor:
        with torch.no_grad():
            return network.roi_heads.mask_logits(pooled)[:, 2]

    before = boxed_class()
    loss(network, batch, generator())["masks"].backward()
    optimizer.step()
    assert not torch.allclose(before, boxed_class(), atol=1e-4)
    # Mask R-CNN's own predictor has a filter per class, and nothing to say of the other one.
    plain, plain_loss = prepared("mask-rcnn")
    plain_loss(plain, batch, generator())["masks"].backward()
    filters = plain.roi_heads.mask_predictor.mask_fcn_logits.weight.grad
    assert filters[1].any()
    assert not filters[2].any()
