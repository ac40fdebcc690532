"""Spatial embeddings: the loss and the clustering against loops in numpy; circular and elliptical."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from converters.annotation import Seed
from models.backbones.erfnet import ErfNetDecoder, ErfNetEncoder
from models.grid.frame import GridFrame
from models.networks.spatial_embeddings.encoding import SpatialEncoding, cluster_sequentially
from models.networks.spatial_embeddings.loss import SpatialEmbeddingsLoss, spatial_terms
from models.networks.spatial_embeddings.network import (
    PIXELS_PER_UNIT,
    SpatialEmbeddings,
    SpatialEmbeddingsConfig,
    SpatialFeatures,
    bandwidth,
    cluster_probability,
    pixel_coordinates,
)
from tests.unit.models.data.crop_targets import coloured_batch
from tests.unit.models.losses.test_lovasz import hinge_by_sets


def small_network(**config):
    torch.manual_seed(0)
    return SpatialEmbeddings(2, SpatialEmbeddingsConfig(width=0.125, dropout=0.0, **config))


def test_erfnet_has_the_published_size():
    count = sum(p.numel() for m in (ErfNetEncoder(), ErfNetDecoder(3)) for p in m.parameters())
    assert count / 1e6 == pytest.approx(2.06, abs=0.005)
    assert ErfNetEncoder()(torch.zeros(2, 3, 64, 96)).shape == (2, 128, 8, 12)
    assert ErfNetDecoder(3)(torch.zeros(2, 128, 8, 12)).shape == (2, 3, 64, 96)


def test_a_fresh_network_points_nowhere_and_reaches_five_point_seven_pixels():
    network = small_network().eval()
    features = network(torch.randint(0, 256, (1, 3, 32, 48)))
    torch.testing.assert_close(features.embedding[0], pixel_coordinates(32, 48, torch.device("cpu")))
    torch.testing.assert_close(features.sigma, torch.ones(1, 1, 32, 48))
    radius = math.sqrt(math.log(2.0) / float(bandwidth(torch.tensor(1.0)))) * PIXELS_PER_UNIT
    assert radius == pytest.approx(5.7, abs=0.1)
    assert features.seeds.shape == (1, 2, 32, 48)


@pytest.mark.parametrize("sigmas", [1, 2])
def test_phi_is_the_gaussian_of_the_paper(sigmas):
    rng = np.random.default_rng(sigmas)
    centers, precision = rng.normal(0, 0.1, (3, 2)), rng.uniform(10, 300, (3, sigmas))
    points = rng.normal(0, 0.1, (2, 8))
    phi = cluster_probability(*(torch.tensor(v, dtype=torch.float32) for v in (centers, precision, points)))
    for n in range(3):
        s = np.broadcast_to(precision[n], 2)
        for p in range(8):
            expected = math.exp(-float(np.sum(s * (points[:, p] - centers[n]) ** 2)))
            assert float(phi[n, p]) == pytest.approx(expected, abs=1e-4)


def terms_by_loops(embedding, sigma, seeds, labels, categories, *, learned_center):
    height, width = labels.shape
    coordinates = np.stack(np.meshgrid(np.arange(width), np.arange(height))) / PIXELS_PER_UNIT
    known = labels >= 0
    instance, variance = [], []
    target, weight = np.zeros_like(seeds), np.broadcast_to(known, seeds.shape).astype(float).copy()
    for n, category in enumerate(categories):
        inside = labels == n + 1
        if not inside.any():
            continue
        mean_sigma = sigma[:, inside].mean(axis=1)
        center = (embedding if learned_center else coordinates)[:, inside].mean(axis=1)
        s = np.broadcast_to(np.exp(10.0 * mean_sigma), 2)
        phi = np.exp(-((embedding - center[:, None, None]) ** 2 * s[:, None, None]).sum(axis=0))
        instance.append(hinge_by_sets(2 * phi[known] - 1, inside[known].astype(float)))
        variance.append(np.mean((sigma[:, inside] - mean_sigma[:, None]) ** 2))
        target[category][inside] = phi[inside]
        weight[:, inside] = 10.0
    seed = ((seeds - target) ** 2 * weight).sum() / labels.size
    return np.mean(instance), np.mean(variance), seed


@pytest.mark.parametrize("learned_center", [True, False])
@pytest.mark.parametrize("sigmas", [1, 2])
def test_the_terms_are_those_of_the_paper_object_by_object(sigmas, learned_center):
    rng = np.random.default_rng(sigmas)
    labels = rng.integers(-1, 4, (9, 8))
    labels[labels == 2] = 0  # the second object is hidden
    embedding, sigma = rng.normal(0, 0.05, (2, 9, 8)), rng.normal(0.3, 0.1, (sigmas, 9, 8))
    seeds = rng.uniform(0, 1, (3, 9, 8))
    categories = np.array([2, 0, 1])
    ours = spatial_terms(
        *(torch.tensor(v, dtype=torch.float32) for v in (embedding, sigma, seeds)),
        torch.tensor(labels),
        torch.tensor(categories),
        learned_center=learned_center,
    )
    expected = terms_by_loops(embedding, sigma, seeds, labels, categories, learned_center=learned_center)
    got = [float(v) for v in (ours.instance, ours.variance, ours.seed)]
    assert got == pytest.approx(expected, rel=2e-3)


def test_a_pixel_of_unclear_class_belongs_to_none():
    """Two objects that look alike, one of each class: the best answer of a map is phi / 2, below the cut."""
    labels = torch.tensor([[1, 0, 0, 2]])
    value = torch.full((2,), 0.9, requires_grad=True)
    optimizer = torch.optim.SGD([value], 0.02)
    for _ in range(300):
        seeds = torch.zeros(2, 1, 4)
        seeds = torch.where(labels > 0, value[:, None, None], seeds)
        terms = spatial_terms(
            torch.zeros(2, 1, 4),
            torch.zeros(1, 1, 4),
            seeds,
            labels,
            torch.tensor([0, 1]),
            learned_center=True,
        )
        optimizer.zero_grad()
        terms.seed.backward()
        optimizer.step()
    torch.testing.assert_close(value.detach(), torch.tensor([0.5, 0.5]), atol=1e-3, rtol=0)


def test_who_gets_a_gradient_from_which_term():
    def gradients(term, **options):
        torch.manual_seed(1)
        labels = torch.zeros(8, 8, dtype=torch.int64)
        labels[2:6, 2:6] = 1
        leaves = [
            (torch.randn(2, 8, 8) * 0.01).requires_grad_(),
            (torch.randn(1, 8, 8) * 0.1).requires_grad_(),
            torch.rand(1, 8, 8).requires_grad_(),
        ]
        terms = spatial_terms(*leaves, labels, torch.tensor([0]), learned_center=True, **options)
        getattr(terms, term).backward()
        return [leaf.grad is not None and bool(leaf.grad.any()) for leaf in leaves]

    assert gradients("instance") == [True, True, False]
    assert gradients("variance") == [False, True, False]
    assert gradients("seed") == [False, False, True], "phi is only looked at"


def test_the_spread_pulls_pixels_and_not_their_mean():
    labels = torch.ones(1, 4, dtype=torch.int64)
    sigma = torch.tensor([[[0.0, 1.0, 2.0, 5.0]]], requires_grad=True)
    terms = spatial_terms(
        torch.zeros(2, 1, 4), sigma, torch.zeros(1, 1, 4), labels, torch.tensor([0]), learned_center=True
    )
    terms.variance.backward()
    torch.testing.assert_close(sigma.grad.flatten(), 2 * (sigma.detach().flatten() - 2.0) / 4)


@pytest.mark.parametrize("config", [{"sigmas": 1}, {"sigmas": 2}, {"learned_center": False}])
def test_every_parameter_learns(config):
    network = small_network(**config)
    loss = SpatialEmbeddingsLoss()
    batch = coloured_batch(64, 1)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    # The instance decoder's last weights are zero: only after one step does anything reach behind them.
    loss(network, batch, torch.Generator())["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()
    loss(network, batch, torch.Generator())["loss"].backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_batch_gives_the_same_as_its_pictures_one_by_one():
    network = small_network().eval()
    images = torch.cat([coloured_batch(64, 1, pictures=1, seed=s).images for s in range(2)])
    with torch.no_grad():
        whole = network(images)
        for index in range(2):
            one = network(images[index : index + 1])
            torch.testing.assert_close(one.embedding[0], whole.embedding[index], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(one.seeds[0], whole.seeds[index], atol=1e-5, rtol=1e-4)


def clusters_by_loops(embedding, sigma, seeds, min_pixels):
    """Section 3.3, pixel by pixel; the seeds and members of the accepted clusters."""
    foreground = [p for p in range(len(seeds)) if seeds[p] > 0.5]
    free = set(foreground)
    found = []
    while len(free) >= max(1, min_pixels):
        best = max(free, key=lambda p: (seeds[p], -p))
        s = np.broadcast_to(np.exp(10.0 * sigma[:, best]), 2)
        inside = {
            p
            for p in foreground
            if math.exp(-float(np.sum(s * (embedding[:, p] - embedding[:, best]) ** 2))) > 0.5
        } | {best}
        if len(inside) >= min_pixels and len(inside & free) > 0.5 * len(inside):
            found.append((best, inside & free))
        free -= inside
    return found


@pytest.mark.parametrize("sigmas", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_the_clusters_are_those_of_the_sequential_algorithm(seed, sigmas):
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0, 0.5, (6, 2))
    owner = rng.integers(0, 6, 150)
    embedding = middle[owner].T + rng.normal(0, 0.03, (2, 150))
    sigma, seeds = rng.normal(0.6, 0.05, (sigmas, 150)), rng.uniform(0.2, 1, 150)
    ours = cluster_sequentially(
        *(torch.tensor(v, dtype=torch.float32) for v in (embedding, sigma, seeds)), min_pixels=6
    )
    expected = clusters_by_loops(embedding, sigma, seeds, 6)
    assert [c.seed for c in ours] == [seed for seed, _ in expected]
    assert [set(np.flatnonzero(c.members).tolist()) for c in ours] == [members for _, members in expected]
    assert len(ours) >= 2


def test_nothing_in_the_foreground_is_no_cluster():
    nothing = torch.full((20,), 0.4)
    assert cluster_sequentially(torch.zeros(2, 20), torch.zeros(1, 20), nothing, min_pixels=1) == []


def test_masks_of_another_stride_are_refused():
    with pytest.raises(ValueError, match="stride 1"):
        SpatialEmbeddingsLoss()(small_network(), coloured_batch(64, 2), torch.Generator())


def test_one_batch_can_be_learnt_by_heart():
    network = small_network()
    loss, batch = SpatialEmbeddingsLoss(), coloured_batch(64, 1, pictures=2)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    history = []
    for _ in range(60):
        terms = loss(network, batch, torch.Generator())
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        history.append(float(terms["loss"].detach()))
    assert min(history[-5:]) < 0.5 * history[0]


def test_an_object_of_unclear_class_is_found_and_named_after_the_likelier_one():
    """Two squares; the maps agree on the first one's class and hardly on the second one's."""
    side = 40
    embedding = torch.full((1, 2, side, side), -1.0)
    seeds = torch.full((1, 2, side, side), 0.01)
    squares = {(5, 15): (0.05, 0.95), (22, 36): (0.5, 0.4)}
    for (start, stop), values in squares.items():
        inside = (0, slice(None), slice(start, stop), slice(start, stop))
        embedding[inside] = (start + stop) / 2.0 / PIXELS_PER_UNIT
        seeds[inside] = torch.tensor(values)[:, None, None]
    encoding = SpatialEncoding(
        SpatialFeatures(embedding, torch.ones(1, 1, side, side), seeds),
        GridFrame.fit((0, 0, side, side), long_side=side, stride=1, multiple=8),
        (side, side),
        "test",
        categories=("cat", "dog"),
        config=SpatialEmbeddingsConfig(min_pixels=16),
    )
    found = encoding.instances(min_score=0.1)
    assert [p.label for p in found] == ["dog", "cat"]
    assert [p.mask.box for p in found] == [(5, 5, 15, 15), (22, 22, 36, 36)]
    assert [p.score for p in found] == pytest.approx([1.0 * 0.95, 0.9 * 0.5 / 0.9], abs=1e-3)
    assert encoding.mask([Seed(30.0, 30.0)]).sum() == 14 * 14
