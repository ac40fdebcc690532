from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.editing.mask_edits import paint_stroke, stroke_mask
from converters.annotation import Mask
from tests.unit.app.distances import distance_to_way
from tests.unit.app.pictures import ring, square

HEIGHT, WIDTH = 30, 40
EMPTY = Mask(0, 0, np.zeros((0, 0), np.bool_))

coordinate = st.one_of(st.floats(-30, 70), st.integers(-5, 45).map(lambda n: n + 0.5))
points = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=6)
radii = st.floats(0.5, 25)


@given(points, radii)
@example([(0.0, 0.0), (1.0, 2e-311)], 1.0)
@settings(max_examples=400, deadline=None)
def test_a_stroke_covers_exactly_the_pixels_within_its_radius(way, radius):
    stroke = stroke_mask(way, radius, HEIGHT, WIDTH).to_full(HEIGHT, WIDTH)
    distance = distance_to_way(way, HEIGHT, WIDTH)
    expected = distance <= radius
    for x, y in way:
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            expected[int(y), int(x)] = True
    on_the_rim = np.abs(distance - radius) < 1e-6
    assert np.array_equal(stroke | on_the_rim, expected | on_the_rim)


@given(points, radii, st.booleans())
@settings(max_examples=200, deadline=None)
def test_painting_and_erasing_are_union_and_difference(way, radius, erase):
    mask = ring()
    stroke = stroke_mask(way, radius, HEIGHT, WIDTH)
    painted = paint_stroke(mask, way, radius, HEIGHT, WIDTH, erase=erase)
    frame = (-10, -10, WIDTH + 10, HEIGHT + 10)
    before, brush = mask.window(frame), stroke.window(frame)
    expected = before & ~brush if erase else before | brush
    assert np.array_equal(painted.window(frame), expected)
    if np.array_equal(expected, before):
        assert painted is mask
    else:
        assert painted.cropped() is painted


def test_dabs_are_discs():
    assert paint_stroke(EMPTY, [(5.5, 5.5)], 1.0, HEIGHT, WIDTH).array.tolist() == [
        [False, True, False],
        [True, True, True],
        [False, True, False],
    ]
    assert paint_stroke(EMPTY, [(5.5, 5.5)], 0.0, HEIGHT, WIDTH) == square(5, 5, 1)
    assert paint_stroke(EMPTY, [(5.01, 5.99)], 0.5, HEIGHT, WIDTH) == square(5, 5, 1)
    assert paint_stroke(square(4, 4, 3), [(5.5, 5.5)], 0.5, HEIGHT, WIDTH, erase=True).area == 8


def test_a_stroke_from_edge_to_edge_has_no_gap():
    stroke = stroke_mask([(-500, -400), (3, 4), (900, 700)], 0.5, HEIGHT, WIDTH)
    touched = stroke.to_full(HEIGHT, WIDTH)
    assert touched[5:].any(axis=1).all()


def test_nothing_is_painted_outside_the_picture():
    assert stroke_mask([(-9, -9), (60, -9)], 4, HEIGHT, WIDTH).is_empty
    assert paint_stroke(ring(), [], 4, HEIGHT, WIDTH) == ring()
    covering = stroke_mask([(20, 15)], 500, HEIGHT, WIDTH)
    assert covering == Mask(0, 0, np.ones((HEIGHT, WIDTH), np.bool_))


def test_erasing_everything_leaves_an_empty_mask():
    assert paint_stroke(square(3, 3), [(5, 5)], 20, HEIGHT, WIDTH, erase=True).is_empty


@pytest.mark.parametrize("bad", [([(np.nan, 1)], 3), ([(1, 1)], np.inf)])
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        stroke_mask(*bad, HEIGHT, WIDTH)
