from __future__ import annotations

import random
import time

import numpy as np
import pytest

from app.project.checks import Check, CheckLimits, Finding, check_annotation
from converters.annotation import Box, ImageAnnotation, Line, Mask, Point, Polygon
from tests.unit.app.pictures import EVERY_GEOMETRY, instance, picture, rich_instance, square


def found(*instances, **limits) -> list[tuple[Check, tuple[str, ...]]]:
    return [(f.check, f.ids) for f in check_annotation(picture(*instances), CheckLimits(**limits))]


def test_good_labels_give_no_finding():
    assert found(instance("a"), instance("b", square(20, 20, 9)), instance("c", Point(5, 5))) == []
    assert check_annotation(picture()) == []


@pytest.mark.parametrize(
    ("geometry", "check"),
    [
        (Mask(0, 0, np.zeros((0, 0), np.bool_)), Check.EMPTY),
        (Mask(3, 3, np.zeros((4, 4), np.bool_)), Check.EMPTY),
        (Polygon(()), Check.EMPTY),
        (Polygon(((float("nan"), 1), (2, 2), (3, 1))), Check.EMPTY),
        (square(5, 5, 2), Check.TINY),
        (Box(5, 5, 6, 6), Check.TINY),
        (square(200, 5, 9), Check.OUTSIDE),
        (square(75, 5, 9), Check.OUTSIDE),
        (Box(-5, 5, 30, 30), Check.OUTSIDE),
        (Point(-1, 5), Check.OUTSIDE),
        (Line((5, 5), (5, 99)), Check.OUTSIDE),
    ],
)
def test_shapes_that_cannot_be_right(geometry, check):
    assert found(instance("a", geometry)) == [(check, ("a",))]


def test_outside_altogether_is_an_error_a_part_only_doubtful():
    gone, part = (check_annotation(picture(instance("a", square(x, 5, 9))))[0] for x in (200, 75))
    assert (gone.is_error, gone.box) == (True, None)
    assert (part.is_error, part.box) == (False, (75, 5, 80, 14))
    assert part.message == "A part of a lies outside the picture."


def test_labels():
    assert found(instance("a", label="  ")) == [(Check.NO_LABEL, ("a",))]
    one, other = instance("a"), instance("b", square(20, 20))
    assert found(one, other, labels=frozenset({"a"})) == [(Check.UNKNOWN_LABEL, ("b",))]


def test_the_same_object_twice():
    twice = instance("a", square(5, 5, 20), label="cat"), instance("b", square(5, 5, 20), label="cat")
    (finding,) = check_annotation(picture(*twice))
    assert (finding.check, finding.ids, finding.is_error) == (Check.DUPLICATE, ("a", "b"), True)
    assert finding.message == "cat is there twice."
    assert finding.box == (5, 5, 25, 25)
    (finding,) = check_annotation(picture(twice[0], instance("b", square(5, 5, 20))))
    assert (finding.check, finding.is_error) == (Check.DUPLICATE, False)
    assert finding.message == "cat and b are the same region."


def test_overlap_counts_within_a_label_only():
    one, other = square(5, 5, 20), square(15, 5, 20)
    cats = instance("a", one, label="cat"), instance("b", other, label="cat")
    (finding,) = check_annotation(picture(*cats))
    assert (finding.check, finding.ids) == (Check.OVERLAP, ("a", "b"))
    assert finding.message == "Two objects cat share 50 % of the smaller."
    assert found(*cats, overlap_share=0.6) == []
    assert found(cats[0], instance("b", other, label="dog")) == []
    parts = [instance(i.id, i.geometry, label="cat", group_id=3) for i in cats]
    assert found(*parts) == []


def test_a_shirt_on_a_person_is_no_finding():
    assert found(instance("person", square(5, 5, 40)), instance("shirt", square(10, 10, 20))) == []


def test_findings_stand_in_drawing_order():
    findings = found(
        instance("z", square(30, 30, 2)),
        instance("y", square(5, 5, 9), label="cat"),
        instance("x", square(5, 5, 9), label="cat"),
        instance("w", square(30, 40, 2), label=""),
    )
    assert findings == [
        (Check.TINY, ("z",)),
        (Check.DUPLICATE, ("y", "x")),
        (Check.NO_LABEL, ("w",)),
        (Check.TINY, ("w",)),
    ]


def test_every_kind_of_geometry_can_be_checked():
    instances = tuple(rich_instance(g, f"r{n}") for n, g in enumerate(EVERY_GEOMETRY))
    assert all(isinstance(finding, Finding) for finding in check_annotation(picture(*instances)))


def test_pairs_found_by_the_sweep_are_those_found_by_comparing_all():
    chance = random.Random(5)
    instances = [
        instance(
            str(n), square(chance.randint(0, 70), chance.randint(0, 50), chance.randint(4, 9)), label="x"
        )
        for n in range(80)
    ]
    expected = set()
    for place, one in enumerate(instances):
        for other in instances[place + 1 :]:
            a, b = one.geometry.to_full(99, 99), other.geometry.to_full(99, 99)
            if (a & b).sum() >= 0.2 * min(a.sum(), b.sum()):
                expected.add((one.id, other.id))
    big = ImageAnnotation("x.png", 99, 99, tuple(instances))
    assert {f.ids for f in check_annotation(big)} == expected


def test_a_crowd_is_checked_quickly_and_can_be_stopped():
    chance = random.Random(7)
    crowd = tuple(
        instance(str(n), square(chance.randint(0, 3900), chance.randint(0, 2900), 40), label="x")
        for n in range(3000)
    )
    annotation = ImageAnnotation("x.png", 3000, 4000, crowd)
    begin = time.process_time()
    check_annotation(annotation)
    assert time.process_time() - begin < 20
    assert check_annotation(annotation, should_stop=lambda: True) == []
