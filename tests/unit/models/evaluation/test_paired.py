"""How sure it is that one model is better than another."""

import numpy as np
import pytest

from models.evaluation.paired import paired_difference


def test_one_lucky_object_is_no_proof():
    before = [0.9] * 11 + [0.7]
    found = paired_difference(before, [0.9] * 11 + [0.724])
    assert found.mean == pytest.approx(0.002)
    assert found.verdict == "not worse"
    assert paired_difference([0.994], [0.996]).verdict == "too few"
    assert paired_difference([], []).verdict == "too few"
    assert paired_difference([0.5] * 9, [0.9] * 9).verdict == "too few"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([0.04, 0.06] * 10, "better"),
        ([-0.04, -0.06] * 10, "worse"),
        ([0.3, -0.28] * 10, "unclear"),
        ([0.0] * 20, "not worse"),
    ],
)
def test_the_interval_decides(changes, verdict):
    before = np.linspace(0.5, 0.9, 20)
    found = paired_difference(before.tolist(), (before + changes).tolist())
    assert found.low <= found.mean <= found.high
    assert found.verdict == verdict
    assert found == paired_difference(before.tolist(), (before + changes).tolist())


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    samples = rng.normal(0.02, 0.1, (200, 12))
    intervals = [paired_difference([0.0] * 12, sample.tolist()) for sample in samples]
    assert np.mean([one.low <= 0.02 <= one.high for one in intervals]) > 0.9


def test_measurements_belong_together():
    with pytest.raises(ValueError, match="cannot be compared"):
        paired_difference([0.1], [0.1, 0.2])
