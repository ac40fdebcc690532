"""Swatches."""

import numpy as np
import pytest

from app.recolor.color_space import parse_color
from app.recolor.palette import PRESETS, remember_color, sample_color
from converters.annotation import Mask


def test_presets_are_distinct_and_well_formed():
    for swatch in PRESETS:
        parse_color(swatch.color)
    assert len({swatch.name for swatch in PRESETS}) == len(PRESETS)
    assert len({swatch.color for swatch in PRESETS}) == len(PRESETS)


def test_recent_colours_are_unique_newest_first_and_bounded():
    recent = ()
    for color in ("#111111", "#222222", "#AAAAAA", "#111111"):
        recent = remember_color(recent, color, limit=3)
    assert recent == ("#111111", "#aaaaaa", "#222222")
    assert len(remember_color(recent, "#333333", limit=3)) == 3
    with pytest.raises(ValueError, match="#rrggbb"):
        remember_color(recent, "red")


def test_a_flat_object_gives_its_colour():
    picture = np.full((50, 60, 3), (12, 200, 90), np.uint8)
    assert sample_color(picture, Mask(5, 5, np.ones((30, 30)) > 0)) == "#0cc85a"


def test_the_border_of_a_sloppy_mask_does_not_count():
    picture = np.full((80, 80, 3), 250, np.uint8)
    picture[20:60, 20:60] = (150, 20, 20)
    assert sample_color(picture, Mask(18, 18, np.ones((44, 44)) > 0)) == "#961414"


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 3)])
def test_tiny_objects_have_a_colour_too(shape):
    picture = np.full((40, 40, 3), (100, 50, 25), np.uint8)
    assert sample_color(picture, Mask(3, 3, np.ones(shape) > 0)) == "#643219"


def test_a_sparse_mask_on_a_large_picture():
    picture = np.full((2000, 2000, 3), (100, 50, 25), np.uint8)
    member = np.zeros((2000, 2000), bool)
    member[7, 3] = member[1991, 1993] = True
    assert sample_color(picture, Mask.from_full(member)) == "#643219"
