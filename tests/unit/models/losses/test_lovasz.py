"""The Lovász hinge against the definition of a Lovász extension, evaluated set by set in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.losses.lovasz import jaccard_gradient, lovasz_hinge


def jaccard_loss(target: np.ndarray, wrong: set[int]) -> float:
    """1 - IoU of the prediction that differs from `target` at the pixels in `wrong`."""
    predicted = np.array([bool(t) != (i in wrong) for i, t in enumerate(target)])
    either = np.count_nonzero(predicted | (target > 0))
    return 1.0 - np.count_nonzero(predicted & (target > 0)) / either if either else 0.0


def hinge_by_sets(logits: np.ndarray, target: np.ndarray) -> float:
    errors = np.maximum(0.0, 1.0 - logits * (2.0 * target - 1.0))
    total, wrong = 0.0, set()
    for index in np.argsort(-errors, kind="stable"):
        before = jaccard_loss(target, wrong)
        wrong = wrong | {int(index)}
        total += errors[index] * (jaccard_loss(target, wrong) - before)
    return total


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_extension_computed_from_its_definition(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 14))
    logits, target = rng.normal(0.0, 2.0, size), rng.integers(0, 2, size).astype(float)
    ours = lovasz_hinge(torch.tensor(logits), torch.tensor(target))
    assert float(ours) == pytest.approx(hinge_by_sets(logits, target), abs=1e-5)


def test_rows_are_independent():
    rng = np.random.default_rng(1)
    logits, target = rng.normal(0, 2, (3, 4, 9)), rng.integers(0, 2, (3, 4, 9))
    ours = lovasz_hinge(torch.tensor(logits), torch.tensor(target))
    expected = [[hinge_by_sets(logits[i, j], target[i, j].astype(float)) for j in range(4)] for i in range(3)]
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)


def test_at_errors_of_zero_and_one_it_is_the_jaccard_loss():
    target = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    # Wrong: the third and the fourth, at a hinge error of one each: IoU 2 / 4.
    logits = torch.tensor([1.0, 1.0, 0.0, 0.0, -1.0])
    assert float(lovasz_hinge(logits, target)) == pytest.approx(0.5)
    assert float(lovasz_hinge(2.0 * target - 1.0, target)) == 0.0


def test_invalid_pixels_are_as_if_they_were_not_there():
    rng = np.random.default_rng(2)
    logits, target = torch.tensor(rng.normal(0, 3, 40)), torch.tensor(rng.integers(0, 2, 40))
    valid = torch.tensor(rng.random(40) < 0.5)
    whole = logits.clone().requires_grad_()
    part = logits[valid].clone().requires_grad_()
    with_mask, without = lovasz_hinge(whole, target, valid), lovasz_hinge(part, target[valid])
    assert float(with_mask.detach()) == pytest.approx(float(without.detach()), abs=1e-6)
    with_mask.backward()
    without.backward()
    torch.testing.assert_close(whole.grad[valid], part.grad)
    assert not whole.grad[~valid].any()


def test_the_gradient_sums_to_the_worst_loss():
    target = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert float(jaccard_gradient(target).sum()) == pytest.approx(1.0)


def test_half_precision_logits_are_summed_in_single():
    assert lovasz_hinge(torch.randn(5).bfloat16(), torch.ones(5)).dtype == torch.float32
