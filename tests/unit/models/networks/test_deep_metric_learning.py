"""Deep metric learning: true classes of grown masks, greedy seeds, the ramp, and who gets gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.networks.deep_metric_learning.encoding import select_seeds
from models.networks.deep_metric_learning.loss import DeepMetricLoss, DeepMetricSettings, mask_classes
from models.networks.deep_metric_learning.network import (
    TAUS,
    DeepMetricConfig,
    DeepMetricNetwork,
    MetricFeatures,
)
from tests.unit.models.data.crop_targets import coloured_batch, crop_target

SMALL = DeepMetricConfig(backbone="resnet-18", resnet_width=8, width=16, embedding=8)


def small_network(classes=2):
    torch.manual_seed(0)
    return DeepMetricNetwork(classes, SMALL)


def classes_by_loops(embedding, drawn, labels, categories):
    """The definition, mask by mask."""
    out = []
    for p in drawn:
        row = []
        for tau in TAUS:
            mask = [
                2.0 / (1.0 + math.exp(float(np.sum((embedding[:, p] - embedding[:, q]) ** 2)))) >= tau
                and labels[q] >= 0
                for q in range(embedding.shape[1])
            ]
            ious = []
            for number in range(len(categories)):
                truth = labels == number + 1
                ious.append(np.sum(mask & truth) / max(1, np.sum(mask | truth)))
            best = int(np.argmax(ious))
            row.append(categories[best] + 1 if ious[best] > 0.5 else 0)
        out.append(row)
    return out


@pytest.mark.parametrize("seed", range(8))
def test_the_class_of_a_grown_mask_is_that_of_the_object_it_overlaps(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 4, 60)
    embedding = rng.normal(0, 0.25, (3, 60)) + np.asarray(labels)[None] * 0.7
    categories = np.array([2, 0, 1])
    drawn = rng.permutation(60)[:20]
    ours = mask_classes(
        torch.tensor(embedding, dtype=torch.float32),
        torch.tensor(drawn),
        torch.tensor(labels),
        torch.tensor(categories),
    )
    expected = np.array(classes_by_loops(embedding, drawn, labels, categories))
    assert (ours.numpy() == expected).mean() > 0.98, "up to rounding at a threshold"
    assert len(set(expected.ravel().tolist())) > 1


def test_without_objects_every_mask_is_background():
    ours = mask_classes(
        torch.randn(3, 9), torch.arange(4), torch.zeros(9, dtype=torch.int64), torch.tensor([])
    )
    assert not ours.any()


def seeds_by_loops(seediness, embedding, count, alpha):
    chosen = []
    for _ in range(count):
        scores = []
        for p in range(len(seediness)):
            score = math.log(seediness[p])
            if chosen:
                gaps = [float(np.sum((embedding[:, p] - embedding[:, q]) ** 2)) for q in chosen]
                unlike = min(1.0 - 2.0 / (1.0 + math.exp(min(g, 700.0))) for g in gaps)
                score += alpha * math.log(max(unlike, 1e-12))
            scores.append(-math.inf if p in chosen else score)
        chosen.append(int(np.argmax(scores)))
    return chosen


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_seeds_are_the_greedy_choice_of_the_paper(alpha):
    rng = np.random.default_rng(3)
    seediness, embedding = rng.uniform(0.05, 1.0, 40), rng.normal(0, 1, (4, 40))
    ours = select_seeds(
        torch.tensor(seediness, dtype=torch.float32),
        torch.tensor(embedding, dtype=torch.float32),
        count=12,
        diversity=alpha,
    )
    assert ours == seeds_by_loops(seediness, embedding, 12, alpha)


def test_diversity_spreads_the_seeds_and_the_minimum_ends_them():
    embedding = torch.tensor([[0.0, 0.1, 5.0, 9.0]])
    seediness = torch.tensor([0.9, 0.89, 0.6, 0.2])
    assert select_seeds(seediness, embedding, count=2, diversity=0.0) == [0, 1]
    assert select_seeds(seediness, embedding, count=2, diversity=0.3) == [0, 2]
    assert select_seeds(seediness, embedding, min_seediness=0.5, diversity=0.3) == [0, 2, 1]
    assert select_seeds(torch.zeros(4), embedding) == []


def test_seediness_is_the_best_foreground_probability_over_all_tau():
    logits = torch.randn(1, len(TAUS), 4, 2, 3)
    best, tau, category = MetricFeatures(torch.zeros(1, 2, 2, 3), logits).seediness()
    for row in range(2):
        for column in range(3):
            p = np.exp(logits[0, :, :, row, column].numpy())
            p = (p / p.sum(axis=1, keepdims=True))[:, 1:]
            assert float(best[0, row, column]) == pytest.approx(p.max(), rel=1e-5)
            where = np.unravel_index(p.argmax(), p.shape)
            assert (int(tau[0, row, column]), int(category[0, row, column])) == where


def test_lambda_grows_to_its_ceiling():
    loss = DeepMetricLoss(DeepMetricSettings(ramp_steps=4))
    weights = []
    for steps in (0, 1, 2, 4, 9):
        loss.steps = steps
        weights.append(loss.classification_weight)
    assert weights == pytest.approx([0.0, 0.05, 0.1, 0.2, 0.2])


def test_every_parameter_learns_and_at_lambda_zero_only_the_embedding_does():
    network = small_network()
    loss = DeepMetricLoss(DeepMetricSettings(ramp_steps=1))
    loss.steps = 1
    terms = loss(network, coloured_batch(64, 4), torch.Generator().manual_seed(0))
    terms["loss"].backward()
    terms = {name: float(term.detach()) for name, term in terms.items()}
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert [n for n in silent if not n.startswith("backbone.")] == []
    assert terms["loss"] == pytest.approx(terms["embedding"] + 0.2 * terms["classification"], rel=1e-5)
    # At lambda = 0 the classifier alone learns nothing: its only teacher is the classification term.
    network.zero_grad(set_to_none=True)
    loss.steps = 0
    loss(network, coloured_batch(64, 4), torch.Generator().manual_seed(0))["loss"].backward()
    assert not any(p.grad is not None and p.grad.any() for p in network.classifier.parameters())
    assert all(p.grad is not None and p.grad.any() for p in network.embedding.parameters())


def test_a_batch_gives_the_mean_of_its_pictures():
    network = small_network().eval()
    batch = coloured_batch(64, 4, pictures=2)
    with torch.no_grad():
        whole = network(batch.images)
        for index in range(2):
            one = network(batch.images[index : index + 1])
            torch.testing.assert_close(one.embedding[0], whole.embedding[index], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(one.classes[0], whole.classes[index], atol=1e-5, rtol=1e-4)


def test_a_picture_without_anything_known_costs_nothing_but_stays_differentiable():
    network = small_network()
    batch = coloured_batch(64, 4, pictures=1)
    empty = crop_target(torch.zeros(0, 16, 16), exhaustive=False)
    terms = DeepMetricLoss()(network, type(batch)(batch.images, (empty,)), torch.Generator())
    assert float(terms["loss"].detach()) == 0.0
    terms["loss"].backward()


def test_masks_of_another_stride_are_refused():
    with pytest.raises(ValueError, match="stride 4"):
        DeepMetricLoss()(small_network(), coloured_batch(64, 2), torch.Generator())


def test_one_batch_can_be_learnt_by_heart():
    network = small_network()
    loss, batch = DeepMetricLoss(DeepMetricSettings(ramp_steps=1)), coloured_batch(64, 4)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    history = []
    for _ in range(40):
        terms = loss(network, batch, generator)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        history.append(float(terms["embedding"]))
    assert np.mean(history[-5:]) < 0.25 * np.mean(history[:3])
