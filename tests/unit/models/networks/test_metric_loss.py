"""The metric loss against the closed form of the paper, pair by pair in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.layers.distance import squared_distances, weighted_squared_distances
from models.networks.deep_metric_learning.metric import (
    SMALLEST,
    draw_pixels,
    embedding_gap,
    log_dissimilarity,
    log_similarity,
    metric_loss,
    pair_weights,
    pixel_similarity,
)
from models.networks.deep_metric_learning.network import TAUS, tau_to_gap


def loss_by_pairs(embedding, labels, *, use_square):
    sizes = {label: int(np.sum(labels == label)) for label in set(labels.tolist())}
    total = weight_sum = 0.0
    for p, label_p in enumerate(labels):
        for q, label_q in enumerate(labels):
            gap = float(np.sum((embedding[p] - embedding[q]) ** 2))
            gap = gap if use_square else math.sqrt(gap)
            sigma = 2.0 / (1.0 + math.exp(gap))
            weight = 1.0 / (sizes[label_p] * sizes[label_q])
            term = math.log(sigma) if label_p == label_q else math.log(1.0 - sigma + SMALLEST)
            total += weight * term
            weight_sum += weight
    return -total / weight_sum


@pytest.mark.parametrize("use_square", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_the_loss_is_the_sum_over_all_pairs(seed, use_square):
    rng = np.random.default_rng(seed)
    embedding, labels = rng.normal(0.0, 0.8, (14, 5)), rng.integers(0, 4, 14)
    ours = metric_loss(
        torch.tensor(embedding, dtype=torch.float32), torch.tensor(labels), use_square=use_square
    )
    expected = loss_by_pairs(embedding, labels, use_square=use_square)
    assert float(ours) == pytest.approx(expected, rel=1e-4)


def test_distances_without_differences_are_the_distances():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (7, 6)) + 50.0, rng.normal(0, 1, (9, 6)) + 50.0
    brute = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    ours = squared_distances(torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32))
    np.testing.assert_allclose(ours.numpy(), brute, atol=1e-3)
    assert float(squared_distances(ours, ours).diagonal().max()) <= 1e-2


@pytest.mark.parametrize("columns", [1, 6])
def test_weighted_distances_are_the_weighted_distances(columns):
    rng = np.random.default_rng(1)
    centers, weights = rng.normal(0, 1, (4, 6)), rng.uniform(0.1, 3.0, (4, columns))
    points = rng.normal(0, 1, (6, 11)) + 5.0
    brute = (weights[:, :, None] * (points[None] - centers[:, :, None]) ** 2).sum(axis=1)
    ours = weighted_squared_distances(
        *(torch.tensor(v, dtype=torch.float32) for v in (centers, weights, points))
    )
    np.testing.assert_allclose(ours.numpy(), brute, rtol=1e-4, atol=1e-3)


def test_distances_stay_in_single_precision_under_autocast():
    a = torch.randn(30, 8) * 0.01 + 10.0
    with torch.autocast("cpu", torch.bfloat16):
        ours = squared_distances(a, a)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(
        ours, torch.cdist(a.double(), a.double()).square().float(), atol=1e-5, rtol=0.01
    )


def test_sigma_is_one_at_distance_zero_and_the_paper_s_limits_hold():
    assert float(pixel_similarity(torch.tensor(0.0))) == 1.0
    expected = {0.25: 1.9459, 0.5: 1.0986, 0.75: 0.5108, 0.9: 0.2007}
    for tau in TAUS:
        assert tau_to_gap(tau) == pytest.approx(expected[tau], abs=1e-4)
        assert float(pixel_similarity(torch.tensor(tau_to_gap(tau)))) == pytest.approx(tau, abs=1e-6)


def test_the_logarithms_are_stable_at_both_ends():
    gap = torch.tensor([0.0, 1e-12, 1e-3, 1.0, 50.0, 1e4], requires_grad=True)
    for log, direct in (
        (log_similarity, lambda s: np.log(s)),
        (log_dissimilarity, lambda s: np.log(1.0 - s + SMALLEST)),
    ):
        value = log(gap)
        value.sum().backward()
        assert torch.isfinite(value).all()
        assert torch.isfinite(gap.grad).all()
        sigma = 2.0 / (1.0 + np.exp(gap.detach().double().numpy()[:4]))
        np.testing.assert_allclose(value.detach()[:4].numpy(), direct(sigma), atol=2e-4)


def test_the_unsquared_gap_has_a_gradient_at_zero():
    squared = torch.zeros(3, requires_grad=True)
    embedding_gap(squared, use_square=False).sum().backward()
    assert torch.isfinite(squared.grad).all()


def test_pair_weights_sum_to_one_and_every_instance_weighs_the_same():
    labels = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    weights = pair_weights(labels)
    assert float(weights.sum()) == pytest.approx(1.0)
    for a in range(3):
        for b in range(3):
            share = weights[(labels == a)[:, None] & (labels == b)[None]].sum()
            assert float(share) == pytest.approx(1.0 / 9.0)


def test_pixels_are_drawn_from_every_instance_and_never_from_the_unknown():
    labels = torch.tensor([[0] * 20, [1] * 3 + [-1] * 17, [2] * 12 + [0] * 8])
    seen = set()
    for seed in range(20):
        drawn = draw_pixels(labels, 5, torch.Generator().manual_seed(seed))
        assert len(drawn.unique()) == len(drawn)
        counts = torch.bincount(labels.flatten()[drawn], minlength=3)
        assert counts.tolist() == [5, 3, 5]
        seen |= set(drawn.tolist())
    assert len(seen) > 35, "other generators draw other pixels"


def test_a_gradient_step_pulls_one_instance_together_and_pushes_two_apart():
    embedding = torch.tensor([[0.0, 0.3], [0.2, 0.0], [0.1, 0.1], [0.0, 0.0]], requires_grad=True)
    labels = torch.tensor([1, 1, 2, 2])

    def distances(e):
        d = torch.cdist(e, e)
        return float(d[0, 1] + d[2, 3]), float(d[:2, 2:].sum())

    metric_loss(embedding, labels).backward()
    before, after = distances(embedding.detach()), distances(embedding.detach() - 0.05 * embedding.grad)
    assert after[0] < before[0] or after[1] > before[1]
    assert after[1] - 2 * after[0] > before[1] - 2 * before[0]
