"""EmbedMask in both variants: its loss against loops, its stop-gradient, its smooth loss, its proposals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.layers.boxes import box_iou
from models.networks.embedmask.encoding import select_proposals
from models.networks.embedmask.fcos import dense_locations, sides_to_boxes
from models.networks.embedmask.fcos_loss import assign_locations
from models.networks.embedmask.loss import (
    EmbedMaskLoss,
    mask_logits,
    object_embeddings,
    padded_windows,
    select_locations,
)
from models.networks.embedmask.network import (
    EmbedMask,
    EmbedMaskConfig,
    EmbedMaskFeatures,
    embedding_distance,
)
from tests.unit.models.data.crop_targets import coloured_batch, crop_target

SIZES = {"backbone": "resnet-18", "resnet_width": 8, "width": 16, "convolutions": 1}
VARIANTS = {"arxiv": EmbedMaskConfig.arxiv(**SIZES), "ijcai": EmbedMaskConfig.ijcai(**SIZES)}


def small_network(variant="arxiv", classes=2):
    torch.manual_seed(0)
    return EmbedMask(classes, VARIANTS[variant])


def test_the_two_variants_are_the_published_ones():
    arxiv, ijcai = EmbedMaskConfig.arxiv(), EmbedMaskConfig.ijcai()
    assert (arxiv.embedding, arxiv.margin_size, arxiv.smooth_weight, arxiv.mask_threshold) == (
        32,
        1,
        0.1,
        0.5,
    )
    assert (ijcai.embedding, ijcai.margin_size, ijcai.smooth_weight, ijcai.mask_threshold) == (
        16,
        16,
        0.0,
        0.53,
    )
    assert (arxiv.box_padding, ijcai.box_padding) == (0.1, None)
    assert (arxiv.spatial, ijcai.spatial) == (False, True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_margins_begin_where_phi_is_a_half_at_distance_two(variant):
    features = small_network(variant).eval()(torch.zeros(1, 3, 64, 64))
    free = features.margins[..., 2:] if variant == "ijcai" else features.margins
    torch.testing.assert_close(free, torch.full_like(free, math.log(2.0) / 4.0), atol=0.03, rtol=0.1)


def test_phi_is_the_gaussian_of_the_paper():
    rng = np.random.default_rng(0)
    query, margin, pixels = rng.normal(0, 1, (3, 4)), rng.uniform(0.1, 1, (3, 1)), rng.normal(0, 1, (4, 7))
    phi = torch.exp(-embedding_distance(*(torch.tensor(v) for v in (query, margin, pixels))))
    for n in range(3):
        variance = 1.0 / (2.0 * margin[n, 0])
        for p in range(7):
            expected = math.exp(-np.sum((pixels[:, p] - query[n]) ** 2) / (2.0 * variance))
            assert float(phi[n, p]) == pytest.approx(expected, rel=1e-4)


def test_mask_logits_are_the_logit_of_phi_and_finite_at_both_ends():
    distance = torch.tensor([0.0, 1e-12, 0.1, math.log(2.0), 3.0, 200.0], requires_grad=True)
    logits = mask_logits(distance)
    phi = np.exp(-np.array([0.1, math.log(2.0), 3.0]))
    np.testing.assert_allclose(logits[2:5].detach().numpy(), np.log(phi / (1 - phi)), atol=1e-5)
    assert float(logits[3].detach()) == pytest.approx(0.0, abs=1e-6)
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(distance.grad).all()


@pytest.mark.parametrize("seed", range(5))
def test_chosen_locations_their_means_and_the_smooth_loss_by_loops(seed):
    rng = np.random.default_rng(seed)
    owner, iou = rng.integers(0, 4, 12), rng.uniform(0, 1, 12)
    owner[owner == 2] = 1  # object 2 has no location
    queries, margins = rng.normal(0, 1, (12, 5)), rng.uniform(0.1, 1, (12, 1))
    chosen = select_locations(torch.tensor(owner), torch.tensor(iou), 4, mean_positives=True)
    spoken = object_embeddings(chosen, *(torch.tensor(v, dtype=torch.float32) for v in (queries, margins)))
    spreads = []
    for n in range(4):
        mine = [p for p in range(12) if owner[p] == n]
        best = sorted(mine, key=lambda p: -iou[p])[:2]
        mine = [p for p in mine if iou[p] > 0.5 or p in best]
        assert sorted(mine) == torch.nonzero(chosen[n]).flatten().tolist()
        assert bool(spoken.has_location[n]) == bool(mine)
        if not mine:
            continue
        np.testing.assert_allclose(spoken.queries[n].numpy(), queries[mine].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(spoken.margins[n].numpy(), margins[mine].mean(axis=0), atol=1e-5)
        spreads.append(
            np.mean(
                [
                    np.sum((queries[p] - queries[mine].mean(axis=0)) ** 2)
                    + np.sum((margins[p] - margins[mine].mean(axis=0)) ** 2)
                    for p in mine
                ]
            )
        )
    assert float(spoken.smooth) == pytest.approx(np.mean(spreads), rel=1e-4)


def test_the_second_variant_listens_to_the_best_location_alone():
    owner, iou = torch.tensor([0, 0, 1, 0]), torch.tensor([0.6, 0.9, 0.1, 0.7])
    chosen = select_locations(owner, iou, 2, mean_positives=False)
    assert chosen.tolist() == [[False, True, False, False], [False, False, True, False]]


def test_windows_are_the_padded_boxes():
    windows = padded_windows(torch.tensor([[8.0, 4.0, 28.0, 24.0]]), 0.1, 8, 8, 4).view(8, 8)
    # RegionResult to x 6..30, y 2..26; centres at 2, 6, 10, ...
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[0:7, 1:8] = True
    assert windows.tolist() == expected.tolist()


def test_the_smooth_loss_is_measurably_not_zero_and_has_a_gradient():
    network = small_network("arxiv")
    loss, batch = EmbedMaskLoss(), coloured_batch(128, 2)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    for _ in range(3):
        terms = loss(network, batch, torch.Generator())
        assert float(terms["smooth"]) > 1e-4
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
    features = network(batch.images)
    spread = object_embeddings(
        torch.ones(1, 4).bool(), features.queries[0, :4], features.margins[0, :4]
    ).smooth
    gradient = torch.autograd.grad(spread, network.proposals.query.weight)[0]
    assert gradient.abs().sum() > 0


def test_the_loss_is_the_weighted_sum_of_its_terms():
    for variant, smooth in (("arxiv", 0.1), ("ijcai", 0.0)):
        terms = EmbedMaskLoss()(small_network(variant), coloured_batch(128, 2), torch.Generator())
        value = {name: float(term.detach()) for name, term in terms.items()}
        detection = value["classes"] + value["boxes"] + value["centerness"]
        assert value["loss"] == pytest.approx(
            detection + 0.5 * value["mask"] + smooth * value["smooth"], rel=1e-5
        )
        assert (value["smooth"] == 0.0) == (variant == "ijcai")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_head_learns(variant):
    network = small_network(variant)
    EmbedMaskLoss()(network, coloured_batch(128, 2), torch.Generator())["loss"].backward()
    silent = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    silent = {n for n in silent if not n.startswith("backbone.")}
    # No object of this batch is large enough for P4 to P7, so their own factors have nothing to learn.
    levels = ("head.scales.", "proposals.coordinate_scales.", "proposals.margin_scales.", "pyramid.")
    assert {n for n in silent if not n.startswith(levels)} == set()
    assert not {n for n in silent if ".0." in n and "scales" in n}


def test_the_first_variant_s_margin_sends_no_gradient_into_the_boxes():
    for variant, reaches_sides, reaches_tower in (("arxiv", False, False), ("ijcai", False, True)):
        network = small_network(variant)
        features = network(coloured_batch(64, 2).images)
        features.margins.sum().backward()
        assert network.proposals.margin.weight.grad.any()
        sides = network.head.sides.weight.grad
        assert (sides is not None and bool(sides.any())) is reaches_sides
        tower = network.head.box_tower[0].weight.grad
        assert (tower is not None and bool(tower.any())) is reaches_tower


def test_the_mask_loss_sends_no_gradient_into_the_predicted_boxes():
    network, batch = small_network("arxiv"), coloured_batch(128, 2)
    features = network(batch.images)
    wanted = assign_locations(batch.targets[0], features.locations, 2)
    mask, smooth = EmbedMaskLoss._one_picture(features, 0, wanted, batch.targets[0], network.config)
    (mask + smooth).backward()
    assert network.head.sides.weight.grad is None or not network.head.sides.weight.grad.any()
    assert network.pixels.embedding.weight.grad.any()
    assert network.proposals.query.weight.grad.any()


def test_objects_with_a_box_only_train_the_boxes_and_not_the_masks():
    network, batch = small_network(), coloured_batch(128, 2, pictures=1)
    target = crop_target(batch.targets[0].masks, [0, 1], has_mask=[False, False])
    terms = EmbedMaskLoss()(network, type(batch)(batch.images, (target,)), torch.Generator())
    assert float(terms["mask"]) == 0.0
    assert float(terms["boxes"]) > 0.0


def test_a_batch_gives_the_same_as_its_pictures_one_by_one():
    network = small_network("ijcai").eval()
    images = torch.cat([coloured_batch(64, 2, pictures=1, seed=s).images for s in range(2)])
    with torch.no_grad():
        whole = network(images)
        for index in range(2):
            one = network(images[index : index + 1])
            for name in ("pixels", "classes", "sides", "centerness", "queries", "margins"):
                torch.testing.assert_close(
                    getattr(one, name)[0], getattr(whole, name)[index], atol=1e-4, rtol=1e-3
                )


def proposals_by_loops(features, height, width):
    classes = features.classes[0].sigmoid().numpy()
    centerness = features.centerness[0].sigmoid().numpy()
    boxes = sides_to_boxes(features.locations.points, features.sides[0]).numpy()
    boxes[:, 0::2], boxes[:, 1::2] = boxes[:, 0::2].clip(0, width), boxes[:, 1::2].clip(0, height)
    candidates = [
        (classes[p, c] * centerness[p], p, c)
        for p in range(len(classes))
        for c in range(classes.shape[1])
        if classes[p, c] > 0.05
    ]
    kept = []
    for score, place, category in sorted(candidates, reverse=True)[:1000]:
        box = torch.tensor(boxes[place])[None]
        same = [k for k in kept if k[2] == category]
        if all(float(box_iou(box, torch.tensor(boxes[k[1]])[None])) <= 0.6 for k in same):
            kept.append((score, place, category))
    return kept[:100]


@pytest.mark.parametrize("seed", range(4))
def test_proposals_are_those_of_the_sequential_suppression(seed):
    generator = torch.Generator().manual_seed(seed)
    where = dense_locations(((8, 8), (4, 4), (2, 2), (1, 1), (1, 1)), torch.device("cpu"))
    count = len(where.points)
    features = EmbedMaskFeatures(
        pixels=torch.zeros(1, 4, 16, 16),
        classes=torch.randn(1, count, 2, generator=generator) * 2.0 - 1.0,
        sides=torch.rand(1, count, 4, generator=generator) * 20.0 + 8.0,
        centerness=torch.randn(1, count, generator=generator),
        queries=torch.arange(count).float().view(1, count, 1).expand(1, count, 4),
        margins=torch.ones(1, count, 1),
        locations=where,
        finest=(8, 8),
    )
    ours = select_proposals(features, 0, 60, 64)
    expected = proposals_by_loops(features, 60, 64)
    assert 5 < len(expected) <= 100
    assert ours.queries[:, 0].tolist() == [place for _, place, _ in expected]
    assert ours.classes.tolist() == [c for _, _, c in expected]
    np.testing.assert_allclose(ours.scores.numpy(), np.sqrt([s for s, _, _ in expected]), rtol=1e-4)
    assert float(ours.boxes[:, 3].max()) <= 60.0


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_batch_can_be_learnt_by_heart(variant):
    network = small_network(variant)
    loss, batch = EmbedMaskLoss(), coloured_batch(64, 2, pictures=1)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    history = []
    for _ in range(50):
        terms = loss(network, batch, torch.Generator())
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        history.append(float(terms["loss"].detach()))
    assert min(history[-5:]) < 0.6 * history[0]
