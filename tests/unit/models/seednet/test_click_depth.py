"""Depths inside masks, against brute force, as OpenCV measures them and as an accelerator does."""

import cv2
import numpy as np
import pytest
import torch

from models.seednet.click_depth import MEASURED, distances_inside, seed_depths, window_depths


def by_hand(mask):
    height, width = mask.shape
    around = [(r, c) for r in range(-1, height + 1) for c in range(-1, width + 1)]
    outside = np.array(
        [(r, c) for r, c in around if not (0 <= r < height and 0 <= c < width) or not mask[r, c]]
    )
    return np.array(
        [[np.hypot(*(outside - (row, column)).T).min() for column in range(width)] for row in range(height)]
    )


@pytest.fixture
def cuts():
    """(2, 3, 2, 9, 12), the second of each two inside the first."""
    noise = torch.rand((2, 3, 1, 9, 12), generator=torch.Generator().manual_seed(0))
    masks = noise > torch.tensor([0.1, 0.25])[:, None, None]
    masks[0, 0], masks[1, 2], masks[1, 1, :, :, :6] = True, False, False
    return masks


def test_each_cell_s_distance_to_the_nearest_one_outside(cuts):
    found = distances_inside(cuts)
    for index in np.ndindex(*cuts.shape[:3]):
        np.testing.assert_allclose(found[index].numpy(), by_hand(cuts[index].numpy()), atol=1e-4)
    assert distances_inside(cuts[:0]).shape == (0, 3, 2, 9, 12)


def without_opencv(cuts, seeds):
    columns, rows = seeds.long().unbind(dim=1)
    return window_depths(cuts, rows.clamp(0, cuts.shape[3] - 1), columns.clamp(0, cuts.shape[4] - 1))


ways = pytest.mark.parametrize("depths", [seed_depths, without_opencv])


@ways
def test_the_seed_s_depth_and_the_deepest_one(cuts, depths):
    seeds = torch.tensor([[5.7, 4.2], [99.0, -3.0]])  # the second is moved to the nearest cell
    at_seed, deepest = depths(cuts, seeds)
    for index in np.ndindex(*cuts.shape[:3]):
        depth = by_hand(cuts[index].numpy())
        assert at_seed[index].item() == pytest.approx(depth[(4, 5) if index[0] == 0 else (0, 11)], abs=1e-4)
        assert deepest[index].item() == pytest.approx(depth.max(), abs=1e-4)


@ways
def test_of_a_large_mask_some_cells_are_measured(depths):
    height, width = 120, 150
    ys, xs = np.mgrid[:height, :width]
    disc = torch.from_numpy(np.hypot(ys - 60, xs - 70) < 55)
    assert cv2.boundingRect(disc.numpy().astype(np.uint8))[2] ** 2 > 2.5 * MEASURED
    at_seed, deepest = depths(disc[None, None, None], torch.tensor([[40.5, 60.5]]))
    exact = distances_inside(disc)
    assert at_seed.item() == pytest.approx(exact[60, 40].item(), abs=2.0)
    assert deepest.item() == pytest.approx(exact.max().item(), abs=2.0)
