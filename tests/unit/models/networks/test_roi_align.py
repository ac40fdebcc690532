"""RoIAlign against a loop that samples bilinearly, one point at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.networks.mask_rcnn.roi_align import crop_masks, pyramid_level, roi_align


def sample(feature: np.ndarray, y: float, x: float) -> np.ndarray:
    """Bilinear value of a (C, H, W) map; cell i has its centre at i; zero more than a cell outside."""
    height, width = feature.shape[1:]
    if not (-1.0 <= y <= height and -1.0 <= x <= width):
        return np.zeros(len(feature))
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    above = feature[:, top, left] * (1 - dx) + feature[:, top, right] * dx
    below = feature[:, bottom, left] * (1 - dx) + feature[:, bottom, right] * dx
    return above * (1 - dy) + below * dy


def loop_roi_align(feature: np.ndarray, box: np.ndarray, scale: float, size: int, ratio: int) -> np.ndarray:
    x0, y0, x1, y1 = box * scale
    bin_width, bin_height = max(x1 - x0, 1.0) / size, max(y1 - y0, 1.0) / size
    out = np.zeros((len(feature), size, size))
    for row in range(size):
        for column in range(size):
            points = [
                sample(
                    feature,
                    y0 + (row + (i + 0.5) / ratio) * bin_height,
                    x0 + (column + (j + 0.5) / ratio) * bin_width,
                )
                for i in range(ratio)
                for j in range(ratio)
            ]
            out[:, row, column] = np.mean(points, axis=0)
    return out


@pytest.mark.parametrize(("size", "ratio"), [(7, 2), (4, 1), (3, 3)])
def test_pools_as_the_loop_does_over_levels_and_pictures(size: int, ratio: int) -> None:
    rng = np.random.default_rng(0)
    features = [torch.tensor(rng.normal(size=(2, 3, 24 // s, 32 // s)), dtype=torch.float32) for s in (1, 2)]
    boxes = torch.tensor(
        [
            [3.2, 5.1, 60.7, 40.3],
            [-20, -9, 30, 30],
            [100, 80, 140, 110],
            [50, 50, 50.5, 50.5],
            [0, 0, 128, 96],
        ]
    )
    pictures, levels = torch.tensor([0, 1, 0, 1, 1]), torch.tensor([0, 1, 1, 0, 1])
    pooled = roi_align(features, boxes, pictures, levels, strides=[4, 8], size=size, sampling_ratio=ratio)
    for i, box in enumerate(boxes.numpy()):
        feature = features[levels[i]][pictures[i]].numpy()
        expected = loop_roi_align(feature, box, 1.0 / (4, 8)[levels[i]], size, ratio)
        np.testing.assert_allclose(pooled[i], expected, atol=1e-5)


def test_no_boxes_give_no_features() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    out = roi_align([torch.ones(1, 5, 4, 4)], torch.zeros((0, 4)), none, none, strides=[4], size=7)
    assert out.shape == (0, 5, 7, 7)


def test_gradient_reaches_the_features_that_were_read() -> None:
    feature = torch.zeros((1, 1, 8, 8), dtype=torch.float32, requires_grad=True)
    zero = torch.zeros(1, dtype=torch.int64)
    pooled = roi_align([feature], torch.tensor([[0.0, 0, 3, 3]]), zero, zero, strides=[1], size=2)
    pooled.sum().backward()
    assert feature.grad is not None
    assert feature.grad.sum().item() == pytest.approx(4.0)  # every bin is a mean of weights that sum to 1
    assert (feature.grad[0, 0, 5:] == 0).all()


def test_levels_follow_the_size_of_the_box() -> None:
    sides = torch.tensor([10.0, 111, 113, 223, 225, 447, 449, 2000])
    boxes = torch.stack([torch.zeros(8), torch.zeros(8), sides, sides], dim=1)
    assert pyramid_level(boxes, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_mask_is_cut_out_where_its_box_lies() -> None:
    masks = torch.zeros((2, 32, 32))
    masks[0, 8:24, 8:16] = 1.0
    masks[1] = 1.0
    boxes = torch.tensor([[16.0, 16, 48, 48], [16.0, 16, 48, 48]])
    cut = crop_masks(masks, boxes, torch.tensor([0, 1]), stride=2, size=8)
    assert (cut[1] == 1).all()
    assert (cut[0, :, :4] == 1).all()
    assert (cut[0, :, 4:] == 0).all()


def test_aligned_coordinates_are_half_a_cell_on() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    zero = torch.zeros(1, dtype=torch.int64)
    box = torch.tensor([[2.0, 2, 6, 6]])
    for aligned, first in ((False, 2.5), (True, 2.0)):
        pooled = roi_align([ramp], box, zero, zero, strides=[1], size=4, sampling_ratio=1, aligned=aligned)
        assert pooled[0, 0, 0].tolist() == [first, first + 1, first + 2, first + 3]
