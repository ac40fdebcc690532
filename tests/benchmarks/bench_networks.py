"""How fast the networks and their layers are.

Run `python -m pytest tests/benchmarks/bench_networks.py -m benchmark -o python_files='bench_*.py' -s`.
Printed are medians; the layers beside a reference of loops in the same process, the networks as forward
passes per second on a 512 x 512 picture with their default backbone and fresh heads, and beside the time of
the backbone alone.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from models.backbones.choice import build_backbone
from models.layers.boxes import box_iou
from models.layers.nms import fast_nms, nms
from models.networks.loading import load_segmenter
from models.networks.mask_rcnn.roi_align import roi_align
from models.networks.registry import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SIDE = 512
CATEGORIES = tuple(f"class {i}" for i in range(20))


def milliseconds(act: Callable[[], object], *, repeats: int = 7) -> float:
    """Median of several runs after one that warms up."""
    act()
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        act()
        times.append(perf_counter() - begin)
    return 1000.0 * median(times)


def crowded_boxes(count: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 400, (count, 2)), rng.uniform(20, 120, (count, 2))
    boxes = torch.tensor(np.concatenate([corner, corner + size], axis=1), dtype=torch.float32)
    scores = torch.tensor(rng.random(count), dtype=torch.float32)
    order = scores.argsort(descending=True)
    return boxes[order], scores[order]


def sequential_nms(boxes: Tensor, threshold: float) -> list[int]:
    """The textbook's loop over boxes sorted best first."""
    alive = torch.ones(len(boxes), dtype=torch.bool)
    kept = []
    for index in range(len(boxes)):
        if alive[index]:
            kept.append(index)
            alive &= box_iou(boxes[index : index + 1], boxes)[0] <= threshold
    return kept


def test_suppression_of_a_thousand_boxes() -> None:
    boxes, scores = crowded_boxes(1000)
    assert nms(boxes, scores, 0.5).tolist() == sequential_nms(boxes, 0.5)
    loop = milliseconds(lambda: sequential_nms(boxes, 0.5))
    exact = milliseconds(lambda: nms(boxes, scores, 0.5))
    fast = milliseconds(lambda: fast_nms(boxes[None], 0.5))
    print(
        f"\n1000 boxes: loop {loop:.1f} ms, exact NMS {exact:.2f} ms ({loop / exact:.0f} x), "
        f"Fast NMS {fast:.2f} ms ({loop / fast:.0f} x)"
    )


def loop_roi_align(feature: Tensor, boxes: Tensor, size: int) -> Tensor:
    """One box after the other, one bin after the other, 2 x 2 samples each."""
    height, width = feature.shape[1:]
    out = torch.zeros((len(boxes), len(feature), size, size))
    for r, (x0, y0, x1, y1) in enumerate((boxes / 4).tolist()):
        step_x, step_y = (x1 - x0) / size, (y1 - y0) / size
        for row in range(size):
            for column in range(size):
                total = torch.zeros(len(feature))
                for i in range(2):
                    for j in range(2):
                        y = min(max(y0 + (row + (i + 0.5) / 2) * step_y, 0.0), height - 1.0)
                        x = min(max(x0 + (column + (j + 0.5) / 2) * step_x, 0.0), width - 1.0)
                        top, left = int(y), int(x)
                        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                        dy, dx = y - top, x - left
                        total += feature[:, top, left] * ((1 - dy) * (1 - dx))
                        total += feature[:, top, right] * ((1 - dy) * dx)
                        total += feature[:, bottom, left] * (dy * (1 - dx))
                        total += feature[:, bottom, right] * (dy * dx)
                out[r, :, row, column] = total / 4
    return out


def test_roi_align_of_a_hundred_boxes() -> None:
    feature = torch.randn(1, 128, 128, 128)
    boxes = crowded_boxes(100)[0].clamp(max=505.0)
    zero = torch.zeros(100, dtype=torch.int64)

    def ours() -> Tensor:
        return roi_align([feature], boxes, zero, zero, strides=[4], size=7)

    torch.testing.assert_close(ours(), loop_roi_align(feature[0], boxes, 7), atol=1e-4, rtol=1e-4)
    loop = milliseconds(lambda: loop_roi_align(feature[0], boxes, 7), repeats=1)
    bag = milliseconds(ours)
    print(
        f"\nRoIAlign of 100 boxes, 128 channels: loop {loop:.0f} ms, ours {bag:.1f} ms ({loop / bag:.0f} x)"
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_forward_passes_per_second(name: str) -> None:
    backbone = build_backbone(pretrained=False).eval()
    noise = torch.rand(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        alone = milliseconds(lambda: backbone.pyramid(noise), repeats=5)
    segmenter = load_segmenter(name, device="cpu", categories=CATEGORIES)
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    # Every segmenter resizes to its own working size; here all see the same 512 pixels.
    if hasattr(segmenter, "_long_side"):
        segmenter._long_side = SIDE
    spent = milliseconds(lambda: segmenter.encode(image), repeats=5)
    print(
        f"\n{name}: {spent:.0f} ms, {1000 / spent:.2f} per second, {spent / alone:.1f} x the backbone alone"
    )
