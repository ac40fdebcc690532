"""Objects without a click: whose answers are believed, and which of several that overlap."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.grid.frame import GridFrame
from models.grid.overlaps import Overlaps, suppress_duplicates
from models.seednet.automatic import USUAL_AGREEMENT, find_instances, rescored_by_overlaps

SIDE = 40  # cells; a picture's pixel is a cell here


def box(x0, y0, x1, y1):
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def ranked(masks, scores):
    return rescored_by_overlaps(scores, Overlaps.of(masks)).tolist()


def test_overlaps_are_counted_in_cells():
    overlaps = Overlaps.of([box(0, 0, 10, 10), box(5, 0, 15, 10), box(0, 0, 10, 5)])
    assert overlaps.area.tolist() == [100, 100, 50]
    assert overlaps.common[0].tolist() == [100, 50, 50]
    assert overlaps.iou[0].tolist() == pytest.approx([1.0, 50 / 150, 0.5])
    assert overlaps.inside[2].tolist() == pytest.approx([1.0, 0.5, 1.0])


def test_what_many_answer_with_is_believed_more():
    lonely, common = box(0, 0, 8, 8), [box(20, 20, 30 + n % 2, 30) for n in range(12)]
    scores = ranked([lonely, *common], [0.6] * 13)
    assert scores[0] < 0.6 < min(scores[1:])


def test_as_many_as_usual_change_nothing():
    scores = ranked([box(20, 20, 30, 30)] * int(USUAL_AGREEMENT), [0.6] * int(USUAL_AGREEMENT))
    assert scores == pytest.approx([0.6] * int(USUAL_AGREEMENT))


def test_a_part_of_something_believed_in_is_believed_less_and_the_whole_is_not():
    part, whole, elsewhere = box(2, 2, 8, 8), box(0, 0, 20, 20), box(25, 25, 31, 31)
    inside, around, alone = ranked([part, whole, elsewhere], [0.6, 0.7, 0.6])
    assert inside < alone
    assert around == pytest.approx(ranked([whole], [0.7])[0])
    doubted, _, _ = ranked([part, whole, elsewhere], [0.6, 0.2, 0.6])
    assert inside < doubted < alone


def test_lying_half_inside_does_not_count():
    half, whole = box(15, 0, 25, 10), box(0, 0, 20, 20)
    assert ranked([half, whole], [0.6, 0.7])[0] == pytest.approx(ranked([half], [0.6])[0])


def test_scores_stay_between_zero_and_one():
    scores = ranked([box(20, 20, 30, 30)] * 60 + [box(0, 0, 2, 2)], [1.0] * 60 + [0.0])
    assert 0.0 < min(scores) < max(scores) <= 1.0


def test_of_overlapping_masks_the_better_stays():
    masks = [box(0, 0, 10, 10), box(0, 0, 10, 9), box(2, 2, 6, 6), box(30, 30, 38, 38)]
    scores = [0.5, 0.8, 0.9, 0.1]
    assert suppress_duplicates(masks, scores) == [2, 3]
    assert suppress_duplicates(masks, scores, contained=None) == [2, 1, 3]
    assert suppress_duplicates(masks, scores, [0, 0, 1, 0]) == [2, 1, 3]
    assert suppress_duplicates([], []) == []


class _Boxes:
    """Answers every point with the same masks.

    Args:
        answers: mask and predicted IoU of every level.
        objectness: of every level; as predicted, if it is not given.
    """

    def __init__(self, answers, objectness=None):
        self.answers = answers
        self.objectness = objectness or [score for _, score in answers]

    def answer_points(self, points):
        answer = SimpleNamespace(
            best_per_level=lambda: [
                SimpleNamespace(score=score, level=level) for level, (_, score) in enumerate(self.answers)
            ],
            mask=lambda guess: self.answers[guess.level][0],
            objectness_of=lambda guess: self.objectness[guess.level],
        )
        return [answer] * len(points)

    def suggest_tau(self, seeds, level=None):
        return 0.5

    def reach(self, seed, tau, level):
        return 0, 0, SIDE, SIDE

    def mask(self, seeds, tau=None, level=None, region=None):
        return self.answers[level][0]


def instances(min_score, max_count=10, objectness=None):
    frame = GridFrame.fit((0, 0, SIDE, SIDE), long_side=SIDE, stride=1)
    seediness = np.zeros((SIDE, SIDE), np.float32)
    for row, column in ((4, 4), (24, 24), (4, 24)):
        seediness[row - 2 : row + 3, column - 2 : column + 3] = 1.0
    levels = [(box(2, 2, 8, 8), 0.6), (box(0, 0, 20, 20), 0.7), (box(30, 30, 33, 33), 0.3)]
    encoding = _Boxes(levels, objectness)
    return find_instances(encoding, frame, seediness, min_score=min_score, max_count=max_count)


def test_each_object_is_found_once_best_first():
    found = instances(0.05)
    assert [p.level for p in found] == [1, 0, 2]
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert [p.mask_score for p in found] == [0.7, 0.6, 0.3]
    assert [p.level for p in instances(0.05, max_count=1)] == [1]


def test_objects_are_ranked_by_how_far_they_are_believed_to_be_any_not_by_how_well_they_fit():
    found = instances(0.05, objectness=[0.5, 0.2, 0.9])
    assert [p.level for p in found] == [2, 0, 1]
    assert [p.mask_score for p in found] == [0.3, 0.6, 0.7]
    assert [p.level for p in instances(0.05, objectness=[0.5, 0.05, 0.9])] == [2, 0]  # nobody's object


def test_a_higher_threshold_leaves_out_the_worst_and_changes_no_score():
    everything = instances(0.05)
    least = everything[1].score
    assert [p.score for p in instances(least)] == [p.score for p in everything[:2]]
    assert instances(0.999) == []
