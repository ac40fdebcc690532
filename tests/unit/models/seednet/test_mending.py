"""Several clicks: every one ends on its own side, each in its own direction only."""

import numpy as np
import pytest

from models.seednet.click.mending import MARGIN, kernel, mend
from models.seednet.click.seed_answer import Hypothesis, SeedAnswer
from models.seednet.scores import THRESHOLDS


def given(kernels):
    return lambda clicks: [kernels[j] for j in clicks]


def bump(row, column, width, shape=(24, 30)):
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((ys - row) ** 2 + (xs - column) ** 2) / (2 * width**2)).astype(np.float32)


CELLS = [(6, 6), (8, 20), (18, 9), (17, 22)]


@pytest.mark.parametrize("seed", range(5))
def test_every_click_ends_on_its_side_of_the_border(seed):
    rng = np.random.default_rng(seed)
    field = rng.normal(0, 4, (24, 30)).astype(np.float32)
    kernels = [bump(*cell, rng.uniform(2, 8)) for cell in CELLS]
    positive = [True, *(bool(v) for v in rng.integers(0, 2, 3))]
    mended = mend(field, given(kernels), CELLS, positive)
    for cell, sign in zip(CELLS, np.where(positive, 1, -1), strict=True):
        assert sign * mended[cell] > 0.9 * MARGIN


def test_positive_clicks_only_add_and_negative_ones_only_take():
    field = np.zeros((24, 30), np.float32)
    kernels = [bump(*cell, 4) for cell in CELLS]
    assert (mend(field, given(kernels), CELLS, [True] * 4) >= field).all()
    assert (mend(field, given(kernels), CELLS, [False] * 4) <= field).all()


def test_clicks_that_are_right_change_nothing():
    field = np.full((24, 30), 3.0, np.float32)
    asked = []
    assert np.array_equal(mend(field, asked.extend, CELLS, [True] * 4), field)
    assert not asked


def test_kernels_are_asked_for_once_and_only_where_a_click_would_be_wrong():
    field = np.full((24, 30), 3.0, np.float32)
    asked = []

    def computed(clicks):
        asked.append(list(clicks))
        return [kernels[j] for j in clicks]

    # The second click takes something away; that makes the third wrong, its neighbour, and no other.
    cells, positive = [(6, 6), (8, 20), (8, 24), (20, 3)], [True, False, True, True]
    kernels = [bump(*cell, 3) for cell in cells]
    mended = mend(field, computed, cells, positive)
    assert asked == [[1], [2]]
    at = [sign * mended[cell] for cell, sign in zip(cells, np.where(positive, 1, -1), strict=True)]
    assert min(at) > 0.99 * MARGIN
    assert np.allclose(mended[:, :4], field[:, :4])


def test_a_kernel_fades_beyond_the_nearest_click_of_the_other_sign():
    field = np.full((24, 60), 3.0, np.float32)
    everywhere = np.ones((24, 60), np.float32)
    cells = [(12, 6), (12, 20), (12, 30)]

    def taken(*positive):
        made = given([everywhere] * len(positive))
        return field - mend(field, made, cells[: len(positive)], positive)

    assert np.allclose(taken(False), 5.0)  # nothing says how far it may go
    far = taken(True, False)
    assert far[12, 20] == pytest.approx(5.0)
    assert 2.0 < far[12, 36] < 4.5
    assert far[12, 58] < 0.5
    near = taken(True, False, True)
    assert near[12, 20] == pytest.approx(5.0)
    assert near[12, 26] < far[12, 26] - 0.5


def test_even_a_sure_network_can_be_turned():
    field = np.full((24, 30), 40.0, np.float32)
    mended = mend(field, given([bump(6, 6, 3)]), [(6, 6)], [False])
    assert mended[6, 6] < 0
    assert mended[20, 25] > 0


@pytest.fixture
def answer():
    logits = np.stack([10 * bump(6, 6, 2) - 4, 10 * bump(6, 6, 5) - 4, 10 * bump(6, 6, 9) - 4])
    ious = np.full((3, len(THRESHOLDS)), 0.3, np.float32)
    ious[1, 2] = 0.5
    return SeedAnswer(logits.astype(np.float32), ious, logits[:, 6, 6].astype(np.float32))


def test_a_kernel_is_one_at_its_click_and_a_third_at_the_border(answer):
    values = kernel(answer, Hypothesis(1, 0.0, 0.5), (6, 6))
    assert values[6, 6] == 1.0
    assert values.max() == 1.0
    border = np.abs(answer.logits[1]) < 0.2
    assert values[border] == pytest.approx(np.exp(-1.1), abs=0.02)


def test_the_best_hypothesis_is_the_best_predicted_pair(answer):
    best = max(answer.best_per_level(), key=lambda h: h.score)
    assert (best.level, best.score) == (1, pytest.approx(0.5))
    assert best.threshold == pytest.approx(THRESHOLDS[2], abs=0.05)


def test_other_clicks_choose_the_level_that_agrees_with_them(answer):
    near, far = (6, 10), (6, 17)
    with_far = answer.best_per_level(answer.disagreement([(True, far)]))
    assert max(with_far, key=lambda h: h.score).level == 2
    without_near = answer.best_per_level(answer.disagreement([(False, near)]))
    assert max(without_near, key=lambda h: h.score).level == 0


def test_no_hypothesis_is_believed_more_than_the_network_predicted(answer):
    best = [h.score for h in answer.best_per_level()]
    for doubt in (
        answer.disagreement([(True, (6, 10))]),
        answer.disagreement([(True, (6, 10)), (True, (6, 17)), (False, (20, 20))]),
    ):
        scores = [h.score for h in answer.best_per_level(doubt)]
        assert all(score <= own for score, own in zip(scores, best, strict=True))
    assert answer.best_per_level(answer.disagreement([(True, (6, 7))]))[2].score == pytest.approx(best[2])


def test_tau_and_similarity_agree_on_the_border(answer):
    for level in range(3):
        hypothesis = answer.best_per_level()[level]
        cut = answer.similarity(hypothesis) >= answer.tau(hypothesis)
        assert np.array_equal(cut, answer.logits[level] >= hypothesis.threshold)
        assert answer.similarity(hypothesis)[6, 6] == 1.0
