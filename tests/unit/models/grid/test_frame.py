"""Every cell of the grid has a point of the picture that a seed may stand on."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from converters.annotation import Seed
from models.grid.encoding import GridAnswer, GridEncoding
from models.grid.frame import PADDING_GREY, GridFrame
from models.seednet.automatic import find_instances


@pytest.mark.parametrize("height", range(290, 310))
def test_the_centre_of_every_cell_lies_in_the_picture_and_in_its_cell(height):
    frame = GridFrame.fit((7, 3, 407, 3 + height), long_side=768, stride=4)
    assert frame.input_side == 768
    rows, columns = frame.grid_size
    for row, column in ((0, 0), (rows - 1, 0), (0, columns - 1), (rows - 1, columns - 1), (5, 9)):
        x, y = frame.cell_center(row, column)
        assert 7 <= x < 407
        assert 3 <= y < 3 + height
        there = frame.to_grid(x, y)
        assert (int(there[0]), int(there[1])) == (column, row)


@pytest.mark.parametrize("size", [(7, 9), (120, 160), (500, 700)])
def test_the_whole_part_is_sampled_as_each_piece_of_it_is(size):
    frame = GridFrame.fit((7, 3, 407, 302), long_side=768, stride=4)
    grid = np.random.default_rng(0).random(frame.grid_size, dtype=np.float32)
    whole = frame.sample(grid, frame.region, size)
    rows = frame.sample(grid, (7, 3, 407, 3 + 299 * 3 / size[0]), (3, size[1]))
    # OpenCV rounds where it looks to 1/32 of a cell when it samples a piece.
    np.testing.assert_allclose(whole[:3], rows, atol=1 / 16)
    assert abs(whole.mean() - grid.mean()) < 0.1


@pytest.mark.parametrize("size", [(640, 960), (480, 641), (90, 120)])
def test_a_picture_becomes_the_means_of_its_pixels(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    frame = GridFrame.fit((0, 0, size[1], size[0]), long_side=120, stride=4)
    prepared = frame.prepare(image)
    assert prepared.shape == (frame.padded_height, frame.padded_width, 3)
    wanted = cv2.resize(image, (frame.input_width, frame.input_height), interpolation=cv2.INTER_AREA)
    shown = prepared[: frame.input_height, : frame.input_width].astype(int)
    assert np.abs(shown - wanted).max() <= 2  # it is halved first, and rounded each time
    assert (prepared[frame.input_height :] == PADDING_GREY).all()


def test_a_mirror_image_shows_the_same_part_from_right_to_left():
    image = np.zeros((60, 120, 3), np.uint8)
    image[:, 20:70] = 200  # of the part, the left half
    part = (20, 0, 120, 60)
    frame = GridFrame.fit(part, long_side=100, stride=4)
    smaller = GridFrame.fit(part, long_side=48, stride=4)
    mirrored = smaller.prepare_mirror_image(frame.prepare(image), frame)
    assert mirrored.shape == (32, 64, 3)
    assert (mirrored[: smaller.input_height, :22] == 0).all()
    assert (mirrored[: smaller.input_height, 26:48] == 200).all()
    assert (mirrored[:, 48:] == PADDING_GREY).all()


class _BottomRow(GridEncoding):
    """Answers every seed with the grid's last row."""

    feature_bytes = 0

    def answer_cell(self, row, column):
        similarity = np.zeros(self.frame.grid_size, np.float32)
        similarity[-1] = 1.0
        return GridAnswer(similarity, 0.5, 0.9)

    def instances(self, min_score=0.5, max_count=100):
        return []

    def reach(self, seed, tau, level):
        return self.region

    def answer_points(self, points):
        answer = self.answer(Seed(*points[0]))

        class Nested:
            @staticmethod
            def best_per_level():
                return [SimpleNamespace(score=0.9, level=0)]

            @staticmethod
            def objectness_of(_hypothesis):
                return 0.9

            @staticmethod
            def mask(_hypothesis):
                return answer.similarity > 0.5

        return [Nested] * len(points)


def test_an_object_on_the_last_row_of_the_grid_is_found():
    frame = GridFrame.fit((0, 0, 400, 299), long_side=768, stride=4)
    assert frame.input_height % 4 == 0  # 574 rows would leave the last cell half empty
    seediness = np.zeros(frame.grid_size, np.float32)
    seediness[-1, 40] = 5.0
    encoding = _BottomRow(frame, (299, 400), "test")
    found = find_instances(encoding, frame, seediness, min_score=0.1, max_count=5)
    assert len(found) == 1
    assert found[0].mask.y1 == 299
