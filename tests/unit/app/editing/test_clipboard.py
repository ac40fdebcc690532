from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.document.document import Document
from app.editing.clipboard import clipped_to, from_text, paste, to_text
from converters.annotation import (
    Box,
    Circle,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    Provenance,
    Seed,
)
from converters.shapes.geometry import bounding_box, rasterize
from converters.shapes.kinds import moved
from tests.unit.app.distances import distance_to_way
from tests.unit.app.pictures import EVERY_GEOMETRY, HEIGHT, WIDTH, instance, picture, rich_instance, square


def test_every_object_survives_the_clipboard():
    copied = tuple(rich_instance(geometry, f"r{n}") for n, geometry in enumerate(EVERY_GEOMETRY))
    assert from_text(to_text(copied, "/photos/a.jpg")) == (copied, "/photos/a.jpg")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", "3", "null", '{"format": "seedhue-instances"}', '{"format": "x", "instances": []}'],
)
def test_other_text_on_the_clipboard_is_no_object(text):
    assert from_text(text) is None
    assert from_text('{"format": "seedhue-instances", "source": "", "instances": [{"id": 3}]}') is None


def test_pasted_objects_are_new_ones():
    target = picture(instance("a", group_id=4))
    copied = (
        instance("a", group_id=4, locked=True),
        instance("b", group_id=4),
        instance("c", group_id=9),
        instance("d"),
    )
    pasted = paste(copied, target)
    ids = [i.id for i in pasted.instances]
    assert len({*ids, "a", "b", "c", "d"}) == 8
    assert [i.group_id for i in pasted.instances] == [5, 5, 6, None]
    assert not any(i.locked for i in pasted.instances)
    assert [i.label for i in pasted.instances] == list("abcd")
    document = Document(target)
    document.add(*pasted.instances)
    assert len(document.annotation.instances) == 5


def test_seeds_stay_only_within_their_picture():
    grown = instance(
        "a", provenance=Provenance("seeds", (Seed(2, 3), Seed(9, 9, False)), 0.5, 1, "seednet-1")
    )
    (elsewhere,) = paste([grown], picture()).instances
    assert elsewhere.provenance == Provenance()
    (copy,) = paste([grown], picture(), offset=(10, 20), same_picture=True).instances
    assert copy.provenance.seeds == (Seed(12, 23), Seed(19, 29, False))
    assert copy.provenance.tau == 0.5
    assert copy.geometry == square(11, 22)


def test_what_lies_outside_the_other_picture_is_cut_or_dropped_and_told():
    pasted = paste(
        [instance("in"), instance("edge", square(WIDTH - 2, HEIGHT - 2)), instance("out", square(WIDTH, 0))],
        picture(),
    )
    assert (pasted.clipped, pasted.dropped) == (1, 1)
    assert [i.geometry for i in pasted.instances] == [square(1, 2), square(WIDTH - 2, HEIGHT - 2, 2)]


def test_moving_every_kind():
    for geometry in EVERY_GEOMETRY:
        there = moved(geometry, 4, -2)
        assert type(there) is type(geometry)
        assert bounding_box(moved(there, -4, 2)) == pytest.approx(bounding_box(geometry))
        assert moved(geometry, 0, 0) is geometry
    assert moved(Circle((1, 2), (3, 4)), 1, 1) == Circle((2, 3), (4, 5))
    assert moved(Line((1, 2), (3, 4)), 1, 1) == Line((2, 3), (4, 5))
    assert moved(Point(1, 2), 1, 1) == Point(2, 3)
    assert moved(Box(1, 2, 3, 4), 1, 1) == Box(2, 3, 4, 5)
    assert moved(PointSet(((1, 2),)), 1, 1) == PointSet(((2, 3),))
    assert moved(square(1, 2), 1, 1) == square(2, 3)


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        (Box(70, 50, 90, 70), Box(70, 50, 80, 60)),
        (Box(90, 70, 70, 50), Box(70, 50, 80, 60)),
        (Box(20, 10, 10, 5), Box(20, 10, 10, 5)),
        (Box(80, 0, 90, 9), None),
        (Point(80, 60), Point(80, 60)),
        (Point(81, 60), None),
        (PointSet(((1, 1), (-1, 1))), PointSet(((1, 1),))),
        (PointSet(((-1, 1),)), None),
        (Line((-10, 30), (90, 30)), Line((0, 30), (80, 30))),
        (Line((40, -10), (40, 10)), Line((40, 0), (40, 10))),
        (Line((-5, 1), (-5, 9)), None),
        (Line((-10, 5), (5, -10)), None),
        (Line((1, 1), (2, 2)), Line((1, 1), (2, 2))),
        (LineStrip(((-9, -9), (5, 5))), LineStrip(((-9, -9), (5, 5)))),
        (LineStrip(((-90, -9), (-50, 5))), None),
        (Circle((0, 0), (5, 0)), Circle((0, 0), (5, 0))),
        (Circle((-50, 0), (-45, 0)), None),
        (OrientedBox(((90, 90), (95, 90), (95, 95), (90, 95))), None),
        (Polygon(((-20, -20), (-10, -20), (-10, -10))), None),
        (Polygon(((0, 0), (160, 0), (0, 120))), Polygon(((0, 60), (0, 0), (80, 0), (80, 60)))),
        (Polygon(()), None),
        (Mask(0, 0, np.zeros((0, 0), np.bool_)), None),
    ],
)
def test_clipping(geometry, expected):
    clipped = clipped_to(geometry, HEIGHT, WIDTH)
    if isinstance(expected, Polygon) and isinstance(clipped, Polygon):
        assert set(clipped.points) == set(expected.points)
    else:
        assert clipped == expected


vertex = st.tuples(st.integers(-40, 120), st.integers(-40, 100))


@given(st.lists(vertex, min_size=3, max_size=7))
@settings(max_examples=200, deadline=None)
def test_a_clipped_polygon_fills_the_same_pixels(points):
    polygon = Polygon(tuple((float(x), float(y)) for x, y in points))
    clipped = clipped_to(polygon, HEIGHT, WIDTH)
    expected = rasterize(polygon, HEIGHT, WIDTH, rule="centers").to_full(HEIGHT, WIDTH)
    if clipped is None:
        assert np.count_nonzero(expected) <= 1  # a sliver without three corners inside
        return
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in clipped.points)
    found = rasterize(clipped, HEIGHT, WIDTH, rule="centers").to_full(HEIGHT, WIDTH)
    # New corners are rounded: a pixel whose centre lies on an edge may fall to either side.
    on_edge = distance_to_way([*polygon.points, polygon.points[0]], HEIGHT, WIDTH) < 1e-6
    assert np.array_equal(found | on_edge, expected | on_edge)
