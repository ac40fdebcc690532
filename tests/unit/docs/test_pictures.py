"""The documents' pictures are small, keep the window's own colours, and stay as they are where they can."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from docs.make_pictures import LARGEST_FILE, shows_the_same, shrink

OWN = ((243, 244, 246), (47, 111, 183), (34, 160, 80))


@pytest.fixture
def shot(tmp_path):
    """A window of three flat colours around a noisy photograph, 1280 x 800."""
    pixels = np.empty((800, 1280, 3), np.uint8)
    pixels[:] = OWN[0]
    pixels[20:40, 20:60] = OWN[1]
    pixels[60:70, 20:30] = OWN[2]
    rows, columns = np.mgrid[0:500, 0:600]
    noise = np.random.default_rng(0).integers(0, 12, (500, 600, 3))
    photo = np.stack([rows / 3, columns / 4, (rows + columns) / 6], axis=2)
    pixels[200:700, 300:900] = (photo + noise).astype(np.uint8)
    path = tmp_path / "shot.png"
    Image.fromarray(pixels).save(path)
    return path


def test_a_shrunk_picture_is_small_and_keeps_flat_colors(shot, tmp_path):
    small = tmp_path / "small.png"
    shrink(shot, small)
    assert small.stat().st_size <= LARGEST_FILE < shot.stat().st_size
    with Image.open(small) as opened:
        pixels = opened.convert("RGB")
        assert [pixels.getpixel(place) for place in ((5, 5), (30, 30), (25, 65))] == list(OWN)
    assert shows_the_same(shot, small)


def test_another_picture_is_seen_as_another(shot, tmp_path):
    with Image.open(shot) as opened:
        pixels = np.array(opened)
    pixels[100:180, 20:260] = 0
    other = tmp_path / "other.png"
    Image.fromarray(pixels).save(other)
    assert not shows_the_same(shot, other)
    Image.fromarray(pixels[:700]).save(other)
    assert not shows_the_same(shot, other)
