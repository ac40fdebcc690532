"""Superpixels against the library itself, hand-made maps and brute force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import slic

from app.editing.superpixels import (
    COMPACTNESS,
    SMOOTHING,
    WORK_PIXELS,
    Superpixels,
    compute_superpixels,
    enlarge_labels,
    region_to_divide,
    serves,
)
from app.process.stopping import Stopped
from converters.annotation import Mask

ROOT = Path(__file__).resolve().parents[4]
TWO_BY_TWO = ((1, 1, 2, 2), (1, 1, 2, 2), (3, 3, 4, 4), (3, 3, 4, 4))


def photo(height, width):
    """A part of a sample photograph."""
    image = cv2.imread(str(ROOT / "resources" / "samples" / "astronaut.jpg"))
    return np.ascontiguousarray(image[:height, :width, ::-1])


def two_halves(height=60, width=80, left=(200, 40, 40), right=(40, 60, 200)):
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = left, right
    return image


def hand_made(rows, x0=0, y0=0):
    return Superpixels.from_labels(np.array(rows, np.uint16), x0, y0, 2.0)


def mask_of(rows, x0=0, y0=0):
    return Mask(x0, y0, np.array(rows, bool))


def assert_partition(found, height, width):
    assert found.labels.shape == (height, width)
    assert found.labels.min() == 1
    assert set(np.unique(found.labels).tolist()) == set(range(1, found.count + 1))


# Computing


def test_it_is_the_library_s_slic():
    image = photo(150, 200)
    contrast = (int(image.max()) - int(image.min())) / 255
    expected = slic(
        image.astype(np.float32) / 255,
        n_segments=round(150 * 200 / 20**2),
        compactness=COMPACTNESS / contrast,
        sigma=SMOOTHING,
        start_label=1,
    )
    found = compute_superpixels(image, 20)
    assert np.array_equal(found.labels, expected)
    assert found.count == expected.max()
    assert found.scale == 1


def test_numbers_and_boxes_are_those_of_the_map():
    found = compute_superpixels(photo(90, 110), 12)
    assert_partition(found, 90, 110)
    for label in range(1, found.count + 1):
        rows, columns = np.nonzero(found.labels == label)
        assert tuple(found.boxes[label]) == (
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        )
        assert found.label_at(columns[0] + 0.7, rows[0] + 0.2) == label
    for beside in ((-0.1, 5), (5, -0.1), (110, 5), (5, 90)):
        assert found.label_at(*beside) is None


def test_a_part_is_divided_like_a_picture_of_its_own():
    image = photo(200, 200)
    part = compute_superpixels(image, 16, (30, 50, 130, 120))
    alone = compute_superpixels(image[50:120, 30:130], 16)
    assert np.array_equal(part.labels, alone.labels)
    assert part.region == (30, 50, 130, 120)
    assert part.label_at(30, 50) == alone.label_at(0, 0)
    assert part.mask_of([3]) == Mask(30, 50, alone.labels == 3)


def test_superpixels_end_where_the_colour_does():
    image = two_halves()
    found = compute_superpixels(image, 14)
    left, right = np.unique(found.labels[:, :40]), np.unique(found.labels[:, 40:])
    assert not set(left.tolist()) & set(right.tolist())
    assert len(left) > 3


@pytest.mark.parametrize("size", [8, 20, 50])
def test_superpixels_are_about_as_wide_as_wished(size):
    found = compute_superpixels(photo(400, 500), size)
    assert 0.6 * 400 * 500 / size**2 < found.count < 1.6 * 400 * 500 / size**2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (3, 5), (9, 1), (5, 200), (13, 13)])
@pytest.mark.parametrize("kind", ["one colour", "grey", "noise"])
def test_tiny_pictures(shape, kind):
    random = np.random.default_rng(0)
    image = np.full((*shape, 3), 90, np.uint8)
    if kind == "grey":
        image[...] = random.integers(0, 256, (*shape, 1))
    elif kind == "noise":
        image[...] = random.integers(0, 256, (*shape, 3))
    found = compute_superpixels(image, 6)
    assert_partition(found, *shape)
    assert found.mask_of(range(1, found.count + 1)).area == shape[0] * shape[1]


def test_one_colour_becomes_a_grid():
    found = compute_superpixels(np.full((120, 120, 3), 255, np.uint8), 20)
    areas = np.bincount(found.labels.reshape(-1))[1:]
    assert found.count == 36
    assert areas.min() > 300
    assert areas.max() < 500


def test_grey_pictures_have_edges_too():
    found = compute_superpixels(two_halves(left=(70,) * 3, right=(140,) * 3), 14)
    assert not set(found.labels[:, :40].flat) & set(found.labels[:, 40:].flat)


@pytest.mark.parametrize("contrast", [2, 12, 255])
def test_noise_does_not_melt_into_one(contrast):
    image = np.random.default_rng(0).integers(0, contrast + 1, (240, 240, 3)).astype(np.uint8)
    found = compute_superpixels(image, 20)
    areas = np.bincount(found.labels.reshape(-1))[1:]
    assert found.count > 70
    assert areas.max() < 10 * 20**2


def test_a_dim_part_is_divided_like_the_bright_picture_around_it():
    """The library stretches every input to full contrast; a part must not depend on what is beside it."""
    dim = np.random.default_rng(0).normal(60, 2, (200, 200, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    beside = dim.copy()
    beside[0, 0], beside[0, 1] = 0, 255
    alone, within = compute_superpixels(dim, 20), compute_superpixels(beside, 20)
    sizes = [np.bincount(found.labels.reshape(-1))[1:] for found in (alone, within)]
    assert abs(alone.count - within.count) <= 3
    assert all(areas.max() < 2.5 * 20**2 for areas in sizes)


def test_a_large_picture_is_divided_smaller_and_drawn_at_full_size():
    height, width = 1100, 1500
    image = two_halves(height, width)
    found = compute_superpixels(image, 60)
    assert_partition(found, height, width)
    assert found.scale == pytest.approx((WORK_PIXELS / (height * width)) ** 0.5)
    assert 0.6 * height * width / 60**2 < found.count < 1.6 * height * width / 60**2
    left, right = found.labels[:, : width // 2 - 1], found.labels[:, width // 2 + 1 :]
    assert not set(np.unique(left).tolist()) & set(np.unique(right).tolist())


def test_a_large_part_gets_no_smaller_superpixels_than_it_can_show():
    found = compute_superpixels(np.full((2000, 2100, 3), 90, np.uint8), 6)
    assert found.count < 2**16 - 1
    assert found.count == pytest.approx(WORK_PIXELS / 6**2, rel=0.15)


def test_work_that_nobody_wants_stops():
    with pytest.raises(Stopped):
        compute_superpixels(photo(50, 50), 10, should_stop=lambda: True)


@pytest.mark.parametrize("region", [(0, 0, 0, 10), (-1, 0, 10, 10), (0, 0, 51, 10), (5, 5, 5, 5)])
def test_a_region_beside_the_picture_is_refused(region):
    with pytest.raises(ValueError, match="no part of a picture of 50 x 40"):
        compute_superpixels(photo(40, 50), 10, region)


@pytest.mark.parametrize("size", [0, -3, float("nan"), float("inf")])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="positive size"):
        compute_superpixels(photo(40, 50), size)


def test_the_library_is_loaded_with_the_first_superpixels_only():
    code = (
        "import sys, app.window.main_window, app.editing.superpixels\n"
        "assert not {'skimage', 'scipy'} & set(sys.modules)\n"
        "import numpy\n"
        "app.editing.superpixels.compute_superpixels(numpy.zeros((9, 9, 3), numpy.uint8), 6)\n"
        "assert {'skimage', 'scipy'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


# Drawing borders at full resolution

maps = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1)).map(
    lambda facts: np.random.default_rng(facts[2]).integers(1, 6, facts[:2]).astype(np.uint16)
)


@given(maps, st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_every_pixel_takes_the_label_with_the_largest_share(labels, more_rows, more_columns):
    height, width = labels.shape[0] + more_rows, labels.shape[1] + more_columns
    large = enlarge_labels(labels, height, width)
    numbers = np.unique(labels)
    shares = np.stack(
        [cv2.resize((labels == n).astype(np.float32), (width, height), interpolation=1) for n in numbers]
    )
    own = np.take_along_axis(shares, np.searchsorted(numbers, large)[None], axis=0)[0]
    assert np.all(own >= shares.max(axis=0) - 1e-3)


def test_a_slanted_border_has_no_stairs():
    """Nearest-neighbour enlargement leaves steps as large as the factor; here every row moves on."""
    coarse = (np.arange(40)[None] > np.arange(40)[:, None]).astype(np.uint16) + 1
    large = enlarge_labels(coarse, 160, 160)
    ends = (large == 1).sum(axis=1)[8:-8]
    assert np.abs(np.diff(ends)).max() <= 3
    assert (np.diff(ends) == 0).mean() < 0.6


def test_a_map_of_the_right_size_stays_as_it_is():
    labels = np.arange(1, 13, dtype=np.uint16).reshape(3, 4)
    assert np.array_equal(enlarge_labels(labels, 3, 4), labels)


# Looking up


def test_what_a_stroke_touches():
    found = hand_made(TWO_BY_TWO, 10, 20)
    assert found.under(mask_of([[1]], 10, 20)) == {1}
    assert found.under(mask_of([[1, 0, 1]], 11, 21)) == {1, 2}
    assert found.under(mask_of(np.eye(4), 10, 20)) == {1, 4}
    assert found.under(mask_of(np.ones((9, 9)), 8, 18)) == {1, 2, 3, 4}
    assert found.under(mask_of([[1]], 9, 20)) == set()
    assert found.under(mask_of([[1]], 14, 24)) == set()
    assert found.under(mask_of(np.zeros((0, 0)))) == set()


def test_the_pixels_of_some_superpixels():
    found = hand_made(TWO_BY_TWO, 10, 20)
    assert found.mask_of([2]) == mask_of(np.ones((2, 2)), 12, 20)
    assert found.mask_of([1, 4, 4]) == mask_of(
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], 10, 20
    )
    assert found.mask_of([]).is_empty
    with pytest.raises(IndexError):
        found.mask_of([5])


# Snapping


def test_more_than_half_belongs_and_half_does_not():
    found = hand_made(TWO_BY_TWO)
    three_of_one_two_of_two = mask_of([[1, 1, 1, 0], [1, 0, 1, 0]])
    assert found.snapped(three_of_one_two_of_two) == found.mask_of([1])
    assert found.snapped(mask_of([[1, 1, 1, 1], [1, 1, 1, 0]])) == found.mask_of([1, 2])


def test_a_hole_is_closed_or_cut_to_superpixels():
    found = hand_made([[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 2, 1, 1], [1, 1, 1, 1, 1]])
    with_hole = np.ones((4, 5), bool)
    with_hole[0, 0] = False
    assert found.snapped(mask_of(with_hole)).area == 20
    with_hole[2, 2] = False
    assert found.snapped(mask_of(with_hole)) == found.mask_of([1])


def test_nothing_left_is_empty():
    found = hand_made(TWO_BY_TWO, 10, 20)
    assert found.snapped(mask_of([[1, 1]], 10, 20)).is_empty
    assert found.snapped(mask_of([[1, 1]], 50, 20)).is_empty
    assert found.snapped(mask_of(np.zeros((0, 0)))).is_empty


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_snapping_counts_like_brute_force_and_settles_at_once(seed):
    random = np.random.default_rng(seed)
    labels = cv2.resize(
        random.integers(1, 8, (4, 5)).astype(np.uint16), (20, 16), interpolation=cv2.INTER_NEAREST
    )
    found = Superpixels.from_labels(labels, 3, 5, 4.0)
    mask = Mask(
        int(random.integers(-2, 10)), int(random.integers(-2, 10)), random.random((14, 17)) < random.random()
    )
    inside = mask.window(found.region)
    expected = np.zeros_like(inside)
    for label in np.unique(labels):
        if 2 * np.count_nonzero(inside & (labels == label)) > np.count_nonzero(labels == label):
            expected |= labels == label
    snapped = found.snapped(mask)
    assert snapped == Mask(3, 5, expected)
    assert found.snapped(snapped) == snapped


# Which part to divide

WHOLE = (0, 0, 4000, 3000)


def test_a_picture_that_is_sharp_enough_is_divided_whole():
    assert region_to_divide((100, 100, 300, 250), 800, 1000, 32) == (0, 0, 1000, 800)
    assert region_to_divide(WHOLE, 3000, 4000, 32) == WHOLE
    assert region_to_divide((0, 0, 0, 0), 3000, 4000, 32) == WHOLE


def test_a_close_look_gets_a_part_with_room():
    assert region_to_divide((1000, 1000, 1800, 1600), 3000, 4000, 32) == (800, 850, 2000, 1750)
    assert region_to_divide((0, 0, 800, 600), 3000, 4000, 32) == (0, 0, 1000, 750)
    assert region_to_divide((1000, 1000, 1010, 1010), 3000, 4000, 32) == (872, 872, 1138, 1138)


def divided(region, size=32.0):
    x0, y0, x1, y1 = region
    return Superpixels.from_labels(np.ones((y1 - y0, x1 - x0), np.uint16), x0, y0, size)


def test_superpixels_serve_while_they_cover_the_view_sharply():
    part, whole = divided((800, 850, 2000, 1750)), divided(WHOLE)
    assert serves(part, (900, 900, 1900, 1700), 3000, 4000, 32)
    assert not serves(part, (700, 900, 1500, 1500), 3000, 4000, 32)
    assert not serves(part, (900, 900, 1900, 1700), 3000, 4000, 40)
    assert serves(whole, (0, 0, 3900, 2900), 3000, 4000, 32)
    assert not serves(whole, (900, 900, 1900, 1700), 3000, 4000, 32)
