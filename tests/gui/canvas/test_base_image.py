from __future__ import annotations

import threading

import numpy as np
import pytest

from app.pixels.base_image import halve, prepare_image, refresh_mips


def noise(height, width):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_only_pictures_are_prepared(bad):
    with pytest.raises(ValueError, match="a picture needs"):
        prepare_image(bad)


def test_a_picture_is_kept_and_its_copies_halve():
    array = noise(1000, 1203)
    image = prepare_image(array)
    assert image.array is array
    assert [mip.shape[:2] for mip in image.mips] == [(1000, 1203), (500, 602)]
    assert np.array_equal(image.mips[0][..., 2::-1], array)
    assert (image.mips[0][..., 3] == 255).all()
    blocks = array[:, :1202].reshape(500, 2, 601, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(image.mips[1][:, :601, 2::-1] - blocks).max() <= 0.5
    assert image.nbytes == array.nbytes + sum(mip.nbytes for mip in image.mips)


def test_a_strided_picture_is_made_contiguous():
    assert prepare_image(noise(600, 700)[::2, ::2]).array.flags.c_contiguous


@pytest.mark.parametrize("size", [(1024, 2048), (1031, 2063), (1030, 2047)])
def test_refreshing_a_box_equals_making_the_copies_anew(size):
    image = prepare_image(noise(*size))
    random = np.random.default_rng(1)
    mips = tuple(mip.copy() for mip in image.mips)
    for _ in range(10):
        x0, x1 = sorted(random.integers(0, size[1] + 1, 2))
        y0, y1 = sorted(random.integers(0, size[0] + 1, 2))
        mips[0][y0:y1, x0:x1, :3] = random.integers(0, 256, 3)
        refresh_mips(mips, (int(x0), int(y0), int(x1), int(y1)))
    fresh = prepare_image(np.ascontiguousarray(mips[0][..., 2::-1]))
    for refreshed, expected in zip(mips, fresh.mips, strict=True):
        assert np.array_equal(refreshed, expected)


def test_a_single_pixel_halves_to_itself():
    target = np.zeros((1, 1, 4), np.uint8)
    halve(np.full((1, 1, 4), 7, np.uint8), target)
    assert (target == 7).all()


def test_pictures_can_be_prepared_in_any_thread():
    made = []
    threads = [threading.Thread(target=lambda: made.append(prepare_image(noise(700, 900)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(image.mips[1], made[0].mips[1]) for image in made)
