"""Focal loss against equation 5 of its paper, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.networks.embedmask.focal import sigmoid_focal_loss


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (0.75, 3.0)])
def test_equals_the_formula(alpha, gamma):
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 3, 50), rng.integers(0, 2, 50)
    p = 1 / (1 + np.exp(-x))
    expected = np.where(
        y == 1, -alpha * (1 - p) ** gamma * np.log(p), -(1 - alpha) * p**gamma * np.log(1 - p)
    )
    ours = sigmoid_focal_loss(torch.tensor(x), torch.tensor(y, dtype=torch.float64), alpha=alpha, gamma=gamma)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9)


def test_extreme_logits_stay_finite_with_finite_gradients():
    x = torch.tensor([-200.0, 200.0, 200.0, -200.0], requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    torch.testing.assert_close(loss.detach(), torch.tensor([50.0, 150.0, 0.0, 0.0]))
    loss.sum().backward()
    assert torch.isfinite(x.grad).all()
