"""Every cell of the grid has a point of the picture that a seed may stand on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from converters.annotation import Seed
from models.inference.automatic import find_instances
from models.inference.grid_encoding import GridAnswer, GridEncoding
from models.inference.raster import GridFrame


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
