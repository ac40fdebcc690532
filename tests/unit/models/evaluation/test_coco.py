"""COCO's figures for answers whose figures are known by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.annotation import Mask, Seed
from converters.files.images import write_image
from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset
from models.evaluation.coco import evaluate_coco, judge_predictions
from models.segmenter import Prediction


def square(x, y, side=10):
    return Mask(x, y, np.ones((side, side), np.bool_))


def picture(*objects):
    return AnnotatedPicture(Path("none.png"), 100, 100, tuple(objects), exhaustive=True)


def found(mask, label, score=0.9):
    return Prediction(mask, label, score, score, Seed(mask.x0 + 0.5, mask.y0 + 0.5), 0.5)


def test_perfect_answers_score_one():
    pictures = [picture(AnnotatedObject(square(5, 5), 0), AnnotatedObject(square(50, 50), 1))]
    answers = [[found(square(5, 5), "a"), found(square(50, 50), "b")]]
    report = judge_predictions(pictures, answers, ("a", "b"), class_agnostic=False)
    assert report.ap == pytest.approx(1.0)
    assert report.ar_100 == pytest.approx(1.0)
    assert report.ar_1 == pytest.approx(1.0), "one detection per category"
    assert report.per_category == pytest.approx({"a": 1.0, "b": 1.0})
    assert (report.objects, report.predictions, report.ap_large) == (2, 2, -1.0)


def test_a_wrong_label_counts_only_where_classes_count():
    pictures = [picture(AnnotatedObject(square(5, 5), 0), AnnotatedObject(square(50, 50), 1))]
    answers = [[found(square(5, 5), "b"), found(square(50, 50), "a"), found(square(80, 80), "c", 0.1)]]
    aware = judge_predictions(pictures, answers, ("a", "b"), class_agnostic=False)
    agnostic = judge_predictions(pictures, answers, ("a", "b"), class_agnostic=True)
    assert (aware.ap, aware.unknown_labels) == (0.0, 1)
    assert agnostic.ap == pytest.approx(1.0)
    assert agnostic.unknown_labels == 0


def test_an_iou_of_two_thirds_passes_the_first_four_thresholds():
    # 10 x 8 of a 10 x 12 union: IoU 2/3 >= .50, .55, .60, .65
    answers = [[found(square(5, 7), "a")]]
    report = judge_predictions(
        [picture(AnnotatedObject(square(5, 5), 0))], answers, ("a",), class_agnostic=False
    )
    assert report.ap == pytest.approx(0.4)
    assert (report.ap50, report.ap75) == (pytest.approx(1.0), 0.0)


def test_a_false_alarm_ranked_first_halves_the_precision():
    pictures = [picture(AnnotatedObject(square(5, 5), 0))]
    answers = [[found(square(60, 60), "a", 0.9), found(square(5, 5), "a", 0.5)]]
    report = judge_predictions(pictures, answers, ("a",), class_agnostic=False)
    assert report.ap == pytest.approx(0.5)
    assert report.ar_1 == 0.0
    assert report.ar_10 == pytest.approx(1.0)


def test_box_only_objects_are_neither_wanted_nor_punished():
    pictures = [picture(AnnotatedObject(square(5, 5), 0), AnnotatedObject(square(50, 50), 0, has_mask=False))]
    answers = [[found(square(51, 51, 6), "a", 0.95), found(square(5, 5), "a", 0.9)]]
    report = judge_predictions(pictures, answers, ("a",), class_agnostic=False)
    assert report.ap == pytest.approx(1.0)
    assert report.objects == 1


def test_nothing_found_scores_zero():
    report = judge_predictions([picture(AnnotatedObject(square(5, 5), 0))], [[]], ("a",), class_agnostic=True)
    assert (report.ap, report.ar_100, report.predictions) == (0.0, 0.0, 0)


class _Oracle:
    """A segmenter that has seen the answers."""

    categories = ()

    def __init__(self, answers):
        self.answers = iter(answers)

    def encode(self, _image, region=None, should_stop=None):
        answer = next(self.answers)

        class Encoded:
            @staticmethod
            def instances(min_score, max_count):
                return [p for p in answer if p.score >= min_score][:max_count]

        return Encoded()


def test_evaluate_asks_the_segmenter_and_can_be_stopped(tmp_path):
    from models.data.shapes import make_shapes

    shapes = make_shapes(tmp_path, count=3)
    answers = [[found(o.mask, None) for o in p.objects] for p in shapes.pictures]
    steps = []
    report = evaluate_coco(
        _Oracle(answers), shapes, on_progress=lambda done, total: steps.append((done, total))
    )
    assert report.ap == pytest.approx(1.0)
    assert report.class_agnostic, "a segmenter without categories is judged without them"
    assert steps == [(1, 3), (2, 3), (3, 3)]
    stopped = evaluate_coco(
        _Oracle(answers), shapes, should_stop=lambda: len(steps) >= 4, on_progress=lambda *s: steps.append(s)
    )
    assert stopped.pictures == 1


def test_a_closer_look_is_judged_with_what_the_parts_show(tmp_path):
    small = square(5, 5, 8)
    write_image(tmp_path / "black.png", np.zeros((100, 100, 3), np.uint8))
    shown = replace(picture(AnnotatedObject(small, 0)), path=tmp_path / "black.png")
    dataset = Dataset("one", (shown,), ("a",))
    nothing, seen = [], [found(small, None)]
    assert evaluate_coco(_Oracle([nothing]), dataset).ap == 0.0
    closer = evaluate_coco(_Oracle([nothing, seen, *[nothing] * 3]), dataset, closer=True)
    assert closer.ap == pytest.approx(1.0)


def test_an_empty_data_set_is_no_error():
    report = evaluate_coco(_Oracle([]), Dataset("none", (), ("a",)))
    assert (report.pictures, report.ap) == (0, -1.0)
