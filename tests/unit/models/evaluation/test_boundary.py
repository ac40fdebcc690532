"""Boundary F-score against cases counted by hand."""

import numpy as np
import pytest

from models.evaluation.boundary import boundary_f_score, outline


def square(top, left, side=10, shape=(40, 40)):
    mask = np.zeros(shape, np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def test_the_outline_of_a_square_is_its_ring():
    ring = outline(square(5, 5))
    assert np.count_nonzero(ring) == 36
    assert ring[5, 5]
    assert not ring[6, 6]


def test_the_pictures_border_is_no_outline():
    half = np.zeros((20, 20), np.bool_)
    half[:, :10] = True
    assert np.count_nonzero(outline(half)) == 20


def test_equal_masks_score_one_and_distant_ones_zero():
    assert boundary_f_score(square(5, 5), square(5, 5)) == 1.0
    assert boundary_f_score(square(2, 2), square(25, 25)) == 0.0
    nothing = np.zeros((40, 40), np.bool_)
    assert boundary_f_score(nothing, nothing) == 1.0
    assert boundary_f_score(nothing, square(5, 5)) == 0.0


@pytest.mark.parametrize(("shift", "same"), [(1, True), (2, True), (3, False)])
def test_the_tolerance_is_in_pixels(shift, same):
    # Both outlines move sideways: their upright sides lie `shift` apart, the others on each other.
    score = boundary_f_score(square(5, 5), square(5, 5 + shift))
    assert (score == 1.0) is same


def test_precision_and_recall_are_counted_as_defined():
    # The upper half of the square: its ring of 2 (10 + 5) - 4 = 26 pixels. Row 9 lies in the true square's
    # middle: its pixels at columns 8 to 11 are more than two away from the true ring of 36.
    predicted, truth = square(5, 5), square(5, 5)
    predicted[10:] = False
    precision = 22 / 26
    # Of the true ring the upper half (10 + 2 x 4 below) and two more rows to each side are within two.
    recall = (10 + 2 * 4 + 2 * 2) / 36
    expected = 2 * precision * recall / (precision + recall)
    assert boundary_f_score(predicted, truth) == pytest.approx(expected)
