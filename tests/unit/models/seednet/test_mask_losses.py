"""Losses between regions, against closed forms computed pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from models.seednet.training.mask_losses import MIN_AREA, area_bce, dice_loss, threshold_ious


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 3, 8, 9, generator=generator), torch.rand(2, 1, 8, 9, generator=generator)


def cross_entropy(logit: float, target: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -(target * math.log(p) + (1 - target) * math.log(1 - p))


def test_area_bce_counts_in_units_of_the_objects_area(pair):
    logits, target = pair
    total = sum(
        cross_entropy(float(logits[0, 1, r, c]), float(target[0, 0, r, c])) for r, c in np.ndindex(8, 9)
    )
    assert float(area_bce(logits, target)[0, 1]) == pytest.approx(
        0.5 * total / max(MIN_AREA, float(target[0, 0].sum())), rel=1e-4
    )


def test_area_bce_is_least_at_the_true_probability():
    target = torch.full((1, 1, 8, 8), 0.3)
    at = {
        p: float(area_bce(torch.full((1, 1, 8, 8), math.log(p / (1 - p))), target)) for p in (0.2, 0.3, 0.5)
    }
    assert min(at, key=at.get) == 0.3


def test_dice_is_zero_for_a_perfect_mask_and_one_for_a_disjoint_one():
    target = torch.zeros(1, 1, 20, 20)
    target[..., :10] = 1.0
    assert float(dice_loss((target - 0.5) * 200, target)) == pytest.approx(0.0, abs=1e-4)
    assert float(dice_loss((0.5 - target) * 200, target)) == pytest.approx(1.0, abs=0.01)


def test_threshold_ious_equal_counting(pair):
    logits, target = pair
    thresholds = (-1.0, 0.0, 1.5)
    ious = threshold_ious(logits, target, thresholds)
    assert ious.shape == (2, 3, 3)
    for b, k, t in np.ndindex(2, 3, 3):
        predicted = logits[b, k].numpy() > thresholds[t]
        true = target[b, 0].numpy() >= 0.5
        assert float(ious[b, k, t]) == pytest.approx((predicted & true).sum() / (predicted | true).sum())


def test_gradients_flow_to_the_logits_only(pair):
    logits, target = (t.clone().requires_grad_(True) for t in pair)
    (area_bce(logits, target.detach()) + dice_loss(logits, target.detach())).sum().backward()
    assert logits.grad.abs().min() > 0
