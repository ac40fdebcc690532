"""Depths inside masks, against brute force, and on an accelerator's way too."""

import numpy as np
import pytest
import torch

from models.layers import depth
from models.layers.depth import depths


def by_hand(mask):
    height, width = mask.shape
    outside = [(r, c) for r in range(-1, height + 1) for c in range(-1, width + 1)]
    outside = [(r, c) for r, c in outside if not (0 <= r < height and 0 <= c < width) or not mask[r, c]]
    return np.array(
        [
            [min(max(abs(r - row), abs(c - column)) for r, c in outside) for column in range(width)]
            for row in range(height)
        ]
    )


@pytest.mark.parametrize("measure", [depths, depth._eroded])
def test_each_cell_s_steps_to_the_nearest_one_outside(measure):
    masks = torch.rand((2, 3, 7, 10), generator=torch.Generator().manual_seed(0)) > 0.15
    masks[0, 0], masks[1, 2] = True, False
    found = measure(masks)
    assert found.dtype == torch.float32
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(found[index].numpy(), by_hand(masks[index].numpy()))


def test_no_mask_at_all():
    assert depths(torch.zeros((0, 3, 5, 5), dtype=torch.bool)).shape == (0, 3, 5, 5)
