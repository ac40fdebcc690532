"""The worker's part of "select similar": compact finds, unreadable pictures, stopping."""

from __future__ import annotations

import numpy as np
import pytest

from app.process.stopping import Stopped
from app.workers.requests import LoadModel
from app.workers.similar import FindSimilar, SearchPicture, SimilarFind, find_similar, search_picture
from converters.annotation import Box, Mask, Seed
from converters.files.images import write_image
from tests.gui.window.color_segmenter import ColorEncoding, ColorSegmenter, Found


def never():
    return False


def squares():
    image = np.full((60, 90, 3), 120, np.uint8)
    for x in (5, 35, 65):
        image[10:30, x : x + 20] = (220, 40, 40)
    return image


@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (40, 300)])
def test_a_find_keeps_its_mask_bit_by_bit_in_little_room(shape):
    rng = np.random.default_rng(0)
    pixels = rng.random(shape) < 0.5
    pixels[0, 0] = True
    mask = Mask(3, 11, pixels)
    find = SimilarFind.of(Found(mask, None, 0.75, 0.9, Seed(4.0, 12.0), 0.6, 2))
    assert find.mask == mask
    assert (find.score, find.seed, find.tau, find.level) == (0.75, Seed(4.0, 12.0), 0.6, 2)
    assert len(find.bits) <= pixels.size / 8 + 32


def test_a_box_is_enough_to_begin_with():
    found = find_similar(FindSimilar(ColorEncoding(squares()), (Box(5, 10, 25, 30),)))
    assert [find.mask.box for find in found.finds] == [(35, 10, 55, 30), (65, 10, 85, 30)]


def test_nothing_to_begin_with_finds_nothing():
    class Strict(ColorEncoding):
        def find_similar(self, reference, **limits):
            return [] if not reference else super().find_similar(reference, **limits)

    outside = Mask(0, 0, np.zeros((0, 0), bool))
    assert find_similar(FindSimilar(Strict(squares()), (outside,))).finds == ()


def test_a_picture_file_is_searched(tmp_path):
    path = tmp_path / "squares.png"
    write_image(path, squares())
    reference = [np.array([220, 40, 40]) / 255]
    answer = search_picture(SearchPicture(path, reference, LoadModel("seednet")), ColorSegmenter(), never)
    assert len(answer.finds) == 3
    assert answer.problem == ""


def test_an_unreadable_picture_is_an_answer_not_an_error(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"not a picture")
    answer = search_picture(SearchPicture(path, [], LoadModel("seednet")), ColorSegmenter(), never)
    assert answer.finds == ()
    assert "broken.png" in answer.problem


def test_a_search_that_nobody_wants_any_more_stops(tmp_path):
    path = tmp_path / "squares.png"
    write_image(path, squares())
    segmenter = ColorSegmenter()
    with pytest.raises(Stopped):
        search_picture(SearchPicture(path, [], LoadModel("seednet")), segmenter, lambda: True)
    assert segmenter.encoded == 0
