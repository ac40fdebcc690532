"""The protocol of "select similar" on finds whose worth is known."""

import numpy as np
import pytest

from converters.annotation import Mask, Seed
from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset, load_dataset
from models.evaluation.similar import (
    SimilarScore,
    average_precision,
    evaluate_similar,
    judge_finds,
    queries_of,
    summarize_similar,
)
from models.segmenter import Appearance, Prediction, Segmenter
from tests.unit.models.evaluation.coco_folders import write_coco_folder
from tests.unit.models.evaluation.test_click_protocol import KnownEncoding


def square(x, y, side=10):
    return Mask(x, y, np.ones((side, side), bool))


def find(mask, score):
    return Prediction(mask, None, score, score, Seed(mask.x0, mask.y0), 0.5)


def picture(tmp_path, objects, *, exhaustive=True):
    items = tuple(AnnotatedObject(mask, category, has_mask) for mask, category, has_mask in objects)
    return AnnotatedPicture(tmp_path / "none.png", 100, 100, items, exhaustive)


@pytest.fixture
def four(tmp_path):
    """Three of category 0, one of category 1, a tiny one of category 0 and a box of category 1."""
    return picture(
        tmp_path,
        [
            (square(0, 0), 0, True),
            (square(30, 0), 0, True),
            (square(60, 0), 0, True),
            (square(0, 50), 1, True),
            (square(90, 90, 3), 0, True),
            (square(40, 50, 20), 1, False),
        ],
    )


def test_queries_are_large_objects_with_others_of_their_category(four):
    assert queries_of(four) == [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])]


def test_each_wanted_object_counts_once_for_its_best_find(four):
    found = [find(square(31, 0), 0.6), find(square(30, 0), 0.9), find(square(0, 50), 0.7)]
    scores, right = judge_finds(found, four, 0, [1, 2])
    assert scores == [0.9, 0.7, 0.6]
    assert right == [True, False, False]


def test_the_object_itself_tiny_ones_and_boxes_are_not_held_against_a_find(four):
    found = [find(square(0, 0), 0.9), find(square(90, 90, 3), 0.8), find(square(42, 52, 8), 0.7)]
    assert judge_finds(found, four, 0, [1, 2]) == ([], [])


def test_in_partial_pictures_only_annotated_ground_makes_a_find_wrong(tmp_path):
    objects = [(square(0, 0), 0, True), (square(30, 0), 0, True), (square(0, 50), 1, True)]
    found = [find(square(70, 70), 0.9), find(square(0, 50), 0.8), find(square(30, 0), 0.7)]
    partial = picture(tmp_path, objects, exhaustive=False)
    assert judge_finds(found, partial, 0, [1]) == ([0.8, 0.7], [False, True])
    whole = picture(tmp_path, objects)
    assert judge_finds(found, whole, 0, [1]) == ([0.9, 0.8, 0.7], [False, False, True])


def test_average_precision_by_hand():
    assert average_precision(np.array([True, False, True]), 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([False, True]), 4) == pytest.approx(0.5 / 4)
    assert average_precision(np.array([], bool), 3) == 0.0


def test_the_slider_is_one_for_all_queries():
    results = [
        SimilarScore("a", 2, (0.9, 0.6, 0.2), (True, False, True)),
        SimilarScore("b", 1, (0.8,), (False,)),
    ]
    report = summarize_similar(results, pictures=1)
    assert (report.queries, report.wanted) == (2, 3)
    assert report.precision == pytest.approx(1 / 3)
    assert report.recall == pytest.approx(1 / 3)
    assert report.ap == pytest.approx((1.0 + 0.5) / 3)
    assert report.mean_ap == pytest.approx((1.0 + 2 / 3) / 2 / 2)
    assert report.best_threshold == pytest.approx(0.2)
    assert report.best_f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))


def test_nothing_to_ask_gives_zeros():
    report = summarize_similar([], pictures=0)
    assert (report.queries, report.precision, report.ap, report.best_f1) == (0, 0.0, 0.0, 0.0)


class Oracle(Segmenter):
    """Finds what it is told to, whatever it is shown; remembers the descriptions it was asked for."""

    name = version = "oracle"

    def __init__(self, masks):
        self.masks, self.shown = masks, []

    def encode(self, image, region=None, should_stop=None):
        oracle = self

        class Told(KnownEncoding):
            version = "oracle"

            def appearance(self, objects):
                oracle.shown += objects
                return Appearance("oracle")

            def find_similar(self, reference, *, known=(), min_similarity=0.1, max_count=100):
                assert list(known) == oracle.shown[-1:]
                return [find(mask, 0.9) for mask in oracle.masks if mask not in known]

        answer = np.zeros(image.shape[:2], bool)
        answer[:4, :4] = True
        return Told(answer)


def test_perfect_finds_score_one(tmp_path):
    (data,) = load_dataset(write_coco_folder(tmp_path / "discs", pictures=1))
    oracle = Oracle([item.mask for item in data.pictures[0].objects])
    seen = []
    report, results = evaluate_similar(
        oracle, data, from_mask=True, on_progress=lambda done, total: seen.append((done, total))
    )
    assert (report.pictures, report.queries, report.wanted) == (1, 3, 6)
    assert (report.precision, report.recall, report.ap, report.mean_ap) == (1.0, 1.0, 1.0, 1.0)
    assert oracle.shown == oracle.masks
    assert [r.label for r in results] == ["disc"] * 3
    assert seen == [(1, 1)]


def test_a_query_begins_with_one_click_unless_its_mask_is_shown(tmp_path):
    (data,) = load_dataset(write_coco_folder(tmp_path / "discs", pictures=1))
    oracle = Oracle([item.mask for item in data.pictures[0].objects])
    evaluate_similar(oracle, data)
    assert all(mask == Mask(0, 0, np.ones((4, 4), bool)) for mask in oracle.shown)


def test_pictures_without_a_pair_are_not_encoded(tmp_path):
    lonely = picture(tmp_path, [(square(0, 0), 0, True), (square(30, 0), 1, True)])
    report, results = evaluate_similar(Oracle([]), Dataset("lonely", (lonely,), ("a", "b")))
    assert (report.pictures, results) == (0, [])


def test_stopping_keeps_what_is_done(tmp_path):
    (data,) = load_dataset(write_coco_folder(tmp_path / "discs", pictures=3))
    oracle = Oracle([])
    report, _ = evaluate_similar(oracle, data, should_stop=lambda: len(oracle.shown) >= 3)
    assert report.queries == 3
