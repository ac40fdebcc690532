"""Specks go, what somebody clicked stays, and a slider over the map still only grows the region."""

import itertools

import numpy as np
import pytest

from models.seednet.click.speckles import area_without_specks, remove_specks


@pytest.fixture
def field():
    """A square with a hole of 4 cells, a large hole, an island of 4 cells and a large island."""
    out = np.full((40, 60), -3.0, np.float32)
    out[5:35, 5:35] = 3.0
    out[10:12, 10:12] = -1.0
    out[20:30, 20:30] = -1.0
    out[2:4, 50:52] = 1.0
    out[20:32, 45:58] = 1.0
    return out


def test_only_the_small_parts_change(field):
    cleaned = remove_specks(field, [(8, 8)]) > 0
    expected = field > 0
    expected[10:12, 10:12] = True
    expected[2:4, 50:52] = False
    assert np.array_equal(cleaned, expected)


def test_clicked_parts_stay(field):
    cleaned = remove_specks(field, [(8, 8), (10, 10), (2, 50)]) > 0
    assert np.array_equal(cleaned, field > 0)


def test_what_lies_at_the_pictures_border_is_no_hole(field):
    field[5:35, 0:5] = 3.0
    field[15:17, 0] = -1.0
    assert not (remove_specks(field, [(8, 8)]) > 0)[15, 0]


def test_nothing_and_everything_stay_as_they_are():
    for value in (-1.0, 1.0):
        whole = np.full((6, 7), value, np.float32)
        assert np.array_equal(remove_specks(whole, [(1, 1)]), whole)


def test_lowering_the_threshold_still_only_adds(field):
    cleaned = remove_specks(field + np.random.default_rng(0).normal(0, 2, field.shape), [(8, 8)])
    masks = [cleaned > t for t in np.linspace(3, -3, 13)]
    assert all(not (a & ~b).any() for a, b in itertools.pairwise(masks))


@pytest.mark.parametrize("clicked", [[(8, 8)], [(8, 8), (10, 10)], [(2, 50), (25, 25)], []])
def test_the_area_is_known_without_making_the_map(field, clicked):
    assert area_without_specks(field, clicked) == np.count_nonzero(remove_specks(field, clicked) > 0)


def test_nothing_has_no_area(field):
    nothing = np.full_like(field, -1.0)
    assert area_without_specks(nothing, [(3, 3)]) == 0
    assert not (remove_specks(nothing, [(3, 3)]) > 0).any()
