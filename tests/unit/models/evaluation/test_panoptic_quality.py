"""PQ, SQ and RQ against cases worked out by hand and against sets of pixels, with void ground and crowds.

The rules are those of Kirillov et al. (arXiv 1801.00868, sections 4.1 and 4.2): segments match above an
IoU of 0.5, unknown ground is taken out of every union, and what lies mostly on it, or in a crowd of its
category, is no false positive.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from converters.annotation import Mask, Seed
from converters.files.images import write_image
from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset
from models.errors import SegmenterError
from models.evaluation.coco import judge_predictions
from models.evaluation.panoptic import (
    PanopticCounts,
    evaluate_panoptic,
    summarize_panoptic,
    true_panoptic_map,
)
from models.networks.panoptic.fusion import UNKNOWN, PanopticMap
from models.segmenter import Prediction

NAMES = ("cat", "dog", "sky")


def rows(*values: str) -> np.ndarray:
    """One character per pixel: "." background, "?" unknown, digits are segments."""
    table = {".": 0, "?": UNKNOWN}
    return np.array([[table[c] if c in table else int(c) for c in row] for row in values], np.int32)


def report(*pairs: tuple[PanopticMap, PanopticMap]):
    counts = PanopticCounts.empty(len(NAMES))
    for truth, found in pairs:
        counts.add(truth, found)
    return counts, summarize_panoptic(counts, NAMES, ("sky",), len(pairs))


def test_an_iou_just_above_one_half_matches_and_one_half_does_not():
    truth = PanopticMap(rows("1111111"), (0,))
    four = PanopticMap(rows("1111..."), (0,))
    counts, figures = report((truth, four))
    assert (counts.hits[0], counts.missed[0], counts.surplus[0]) == (1, 0, 0)
    assert (figures.all.pq, figures.all.sq, figures.all.rq) == pytest.approx((4 / 7, 4 / 7, 1.0))
    counts, _ = report((PanopticMap(rows("11.."), (0,)), PanopticMap(rows("1111"), (0,))))
    assert (counts.hits[0], counts.missed[0], counts.surplus[0]) == (0, 1, 1)


def test_unknown_ground_is_taken_out_of_the_union():
    """3 of the found segment's 7 pixels are on unknown ground: IoU = 3 / (4 + (7 - 3) - 3) = 3/5."""
    truth = PanopticMap(rows("1111", "...?", "..??"), (0,))
    found = PanopticMap(rows("111.", "...1", "1.11"), (0,))
    counts, figures = report((truth, found))
    assert counts.hits[0] == 1
    assert figures.all.pq == pytest.approx(3 / 5)


@pytest.mark.parametrize(("unknown", "surplus"), [("1??.", 1), ("1???", 0), ("1...", 1)])
def test_a_segment_mostly_on_unknown_ground_is_no_false_positive(unknown, surplus):
    """The found segment has four pixels below the object; up to two of them unknown, it counts."""
    truth = PanopticMap(rows("1111", unknown.replace("1", ".")), (0,))
    found = PanopticMap(rows("1111", "2222"), (0, 0))
    counts, _ = report((truth, found))
    assert (counts.hits[0], counts.surplus[0]) == (1, surplus)


def test_a_crowd_is_neither_to_be_found_nor_held_against_its_own_category():
    """Segment 2 of the truth is a crowd of cats: the cats found in it are no false positives, a dog is."""
    truth = PanopticMap(rows("11....", "222222", "222222"), (0, 0), frozenset({1}))
    found = PanopticMap(rows("11....", "223344", "223344"), (0, 0, 1, 0))
    counts, figures = report((truth, found))
    assert counts.hits.tolist() == [1, 0, 0]
    assert counts.missed.tolist() == [0, 0, 0]
    assert counts.surplus.tolist() == [0, 1, 0]
    assert figures.per_category == pytest.approx({"cat": 1.0, "dog": 0.0})
    assert figures.things.pq == pytest.approx(0.5)
    # Even a segment that covers the whole crowd is no hit.
    whole = PanopticMap(rows("11....", "222222", "222222"), (0, 0))
    counts, _ = report((truth, whole))
    assert (counts.hits[0], counts.surplus[0], counts.missed[0]) == (1, 0, 0)


def test_half_in_a_crowd_counts_and_more_than_half_does_not():
    truth = PanopticMap(rows("11....", "11...."), (0,), frozenset({0}))
    for found, surplus in (("1111", 1), ("111.", 0), ("11", 0)):
        segment = PanopticMap(rows(found.ljust(6, "."), "......"), (0,))
        counts, _ = report((truth, segment))
        assert counts.surplus[0] == surplus, found


def test_the_figures_over_two_pictures_by_hand():
    """Cats: IoU 4/5 and 3/4 matched, one missed, one too many; sky: IoU 9/10; dogs: one too many."""
    first = (
        PanopticMap(rows("11111.", "222222", "333333"), (0, 0, 2)),
        PanopticMap(rows("1111..", "......", "333333"), (0, 1, 2)),
    )
    second = (
        PanopticMap(rows("1111..", "......"), (0,)),
        PanopticMap(rows("111...", "22.333"), (0, 0, 1)),
    )
    counts, figures = report(first, second)
    assert counts.iou[0] == pytest.approx(4 / 5 + 3 / 4)
    assert [int(v[0]) for v in (counts.hits, counts.surplus, counts.missed)] == [2, 1, 1]
    cat_sq, cat_rq = (4 / 5 + 3 / 4) / 2, 2 / (2 + 0.5 + 0.5)
    assert figures.per_category["cat"] == pytest.approx(cat_sq * cat_rq)
    assert figures.per_category["dog"] == 0.0
    assert figures.per_category["sky"] == pytest.approx(1.0)
    assert figures.things.sq == pytest.approx(cat_sq / 2)
    assert figures.things.rq == pytest.approx(cat_rq / 2)
    assert figures.stuff.pq == pytest.approx(1.0)
    assert figures.all.pq == pytest.approx((cat_sq * cat_rq + 0.0 + 1.0) / 3)


def by_sets(truth: PanopticMap, found: PanopticMap, category: int) -> tuple[Fraction, int, int, int]:
    """The definition, with sets of pixels and exact fractions: sum of IoU, TP, FP, FN."""

    def segments(segmentation: PanopticMap) -> dict[int, set[int]]:
        flat = segmentation.ids.ravel()
        return {
            place: set(np.flatnonzero(flat == place + 1).tolist())
            for place, own in enumerate(segmentation.categories)
            if own == category
        }

    unknown = set(np.flatnonzero(truth.ids.ravel() == UNKNOWN).tolist())
    true_segments, found_segments = segments(truth), segments(found)
    crowd: set[int] = set().union(*(true_segments.pop(c) for c in truth.crowds if c in true_segments))
    total, used, matched = Fraction(0), set(), set()
    for number, segment in true_segments.items():
        for other_number, other in found_segments.items():
            common = len(segment & other)
            iou = Fraction(common, len(segment | (other - unknown)) or 1)
            if iou > Fraction(1, 2):
                total += iou
                used.add(other_number)
                matched.add(number)
    surplus = 0
    for number, other in found_segments.items():
        ignored = Fraction(len(other & (unknown | crowd)), len(other) or 1) > Fraction(1, 2)
        surplus += number not in used and not ignored and bool(other)
    return total, len(used), surplus, len(true_segments) - len(matched)


def random_pair(rng: np.random.Generator) -> tuple[PanopticMap, PanopticMap]:
    """Blocks of segments, some unknown, some crowds; the found ones shifted, merged and renamed."""
    blocks = np.kron(rng.integers(-1, 7, (4, 5)), np.ones((5, 5), int)).astype(np.int32)
    shift = tuple(int(v) for v in rng.integers(0, 3, 2))
    moved = np.roll(np.maximum(blocks, 0), shift, (0, 1))
    moved[rng.random(moved.shape) < 0.1] = 0
    categories = rng.integers(0, 3, 7)
    renamed = np.where(rng.random(7) < 0.7, categories, rng.integers(0, 3, 7))
    truth, kept = _renumbered(blocks, categories)
    crowds = frozenset(int(i) for i in np.flatnonzero(rng.random(len(kept)) < 0.25))
    found, _ = _renumbered(moved, renamed)
    return PanopticMap(truth.ids, truth.categories, crowds), found


def _renumbered(ids: np.ndarray, categories: np.ndarray) -> tuple[PanopticMap, list[int]]:
    seen = [int(n) for n in np.unique(ids[ids > 0])]
    out = np.where(ids > 0, 0, ids)
    for place, number in enumerate(seen):
        out[ids == number] = place + 1
    return PanopticMap(out.astype(np.int32), tuple(int(categories[n]) for n in seen)), seen


def test_counts_are_those_of_sets_of_pixels():
    rng = np.random.default_rng(7)
    seen = {"hits": 0, "surplus": 0, "missed": 0, "crowds": 0, "unknown": 0}
    for _ in range(120):
        truth, found = random_pair(rng)
        counts = PanopticCounts.empty(3)
        counts.add(truth, found)
        for category in range(3):
            total, hits, surplus, missed = by_sets(truth, found, category)
            assert counts.iou[category] == pytest.approx(float(total))
            measured = counts.hits[category], counts.surplus[category], counts.missed[category]
            assert measured == (hits, surplus, missed)
            seen["hits"] += hits
            seen["surplus"] += surplus
            seen["missed"] += missed
        seen["crowds"] += len(truth.crowds)
        seen["unknown"] += int((truth.ids == UNKNOWN).any())
    assert min(seen.values()) > 50, "every kind has to occur"


def square(x: int, y: int, side: int) -> Mask:
    return Mask(x, y, np.ones((side, side), np.bool_))


def test_crowds_lie_below_the_objects_of_a_picture(tmp_path):
    objects = (AnnotatedObject(square(0, 0, 4), 0), AnnotatedObject(square(6, 6, 2), 2))
    crowds = (AnnotatedObject(square(2, 2, 4), 0), AnnotatedObject(square(6, 6, 2), 1))
    picture = AnnotatedPicture(tmp_path / "a.png", 8, 8, objects, True, crowds)
    truth = true_panoptic_map(picture, [2])
    crowd = truth.ids[5, 5]
    assert truth.crowds == {crowd - 1}, "the other crowd is hidden"
    assert truth.categories[crowd - 1] == 0
    assert truth.ids[3, 3] == truth.ids[0, 0] != crowd
    assert sorted(truth.categories) == [0, 0, 2]


def test_average_precision_ignores_crowds_too(tmp_path):
    def prediction(mask: Mask, score: float) -> Prediction:
        return Prediction(mask, "cat", score, score, Seed(mask.x0 + 0.5, mask.y0 + 0.5), 0.5)

    found = [[prediction(square(10, 10, 5), 0.9), prediction(square(0, 0, 6), 0.8)]]
    for crowds, expected in (((), 0.5), ((AnnotatedObject(square(8, 8, 12), 0),), 1.0)):
        objects = (AnnotatedObject(square(0, 0, 6), 0),)
        picture = AnnotatedPicture(tmp_path / "a.png", 32, 32, objects, True, crowds)
        judged = judge_predictions([picture], found, ("cat",), class_agnostic=False)
        assert judged.ap50 == pytest.approx(expected, abs=0.01)
        assert judged.objects == 1


class Finder:
    """A segmenter that finds what it is told, on pictures of 8 x 8."""

    name, version, device, notice = "finder", "finder-1", "cpu", ""

    def __init__(self, categories, *found):
        self.categories, self.found = categories, found
        self.height = self.width = 8

    def encode(self, _image, region=None, should_stop=None):
        return self

    def instances(self, min_score=0.5, max_count=100):
        return [p for p in self.found if p.score >= min_score]


@pytest.fixture
def dataset(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    objects = (AnnotatedObject(square(0, 0, 4), 1), AnnotatedObject(square(5, 5, 3), 0))
    picture = AnnotatedPicture(tmp_path / "a.png", 8, 8, objects, True)
    return Dataset("made", (picture,), ("cat", "dog"))


def test_objects_alone_part_a_picture_too_and_categories_meet_by_name(dataset):
    """The better dog takes its pixels first; a bird is in no picture, so it is one too many."""

    def found(label, mask, score):
        return Prediction(mask, label, score, score, Seed(mask.x0 + 0.5, mask.y0 + 0.5), 0.5)

    segmenter = Finder(
        ("bird", "dog", "cat"),
        found("dog", square(0, 0, 4), 0.9),
        found("cat", square(4, 4, 4), 0.8),
        found("bird", square(0, 5, 2), 0.7),
        found("dog", square(0, 1, 3), 0.6),  # all of it is taken
        found("cat", square(6, 0, 2), 0.3),  # not sure enough
    )
    figures = evaluate_panoptic(segmenter, dataset)
    assert figures.per_category == pytest.approx({"cat": 9 / 16, "dog": 1.0, "bird": 0.0})
    assert (figures.pictures, figures.stuff.categories) == (1, 0)


def test_a_network_without_categories_has_no_panoptic_quality(dataset):
    with pytest.raises(SegmenterError, match="finder names no categories"):
        evaluate_panoptic(Finder(()), dataset)
