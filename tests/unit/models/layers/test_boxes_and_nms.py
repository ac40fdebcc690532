"""Box arithmetic, suppression, coding, anchors and matching against loops and hand-made cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.layers.anchors import cell_anchors, grid_anchors, pyramid_anchors, square_anchors
from models.layers.box_coding import BoxCoder
from models.layers.boxes import box_iou, clip_boxes, covered_share, masks_to_boxes
from models.layers.matching import BACKGROUND, IGNORED, Matcher, sample_balanced
from models.layers.nms import fast_nms, grouped_nms, nms


def random_boxes(count: int, seed: int, *, side: float = 100.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, side, (count, 2))
    size = rng.uniform(2, side / 2, (count, 2))
    return torch.tensor(np.concatenate([corner, corner + size], axis=1), dtype=torch.float32)


def loop_iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)


def loop_nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for index in np.argsort(-scores.numpy(), kind="stable"):
        if all(loop_iou(boxes[index].tolist(), boxes[k].tolist()) <= threshold for k in kept):
            kept.append(int(index))
    return kept


def test_iou_is_that_of_a_loop() -> None:
    a, b = random_boxes(7, 0), random_boxes(5, 1)
    expected = [[loop_iou(p, q) for q in b.tolist()] for p in a.tolist()]
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-6)


def test_covered_share_counts_the_first_box_only() -> None:
    inner, outer = torch.tensor([[2.0, 2.0, 4.0, 4.0]]), torch.tensor([[0.0, 0.0, 3.0, 10.0]])
    assert covered_share(inner, outer).item() == pytest.approx(0.5)
    assert covered_share(outer, inner).item() == pytest.approx(2 / 30)


def test_clipping_keeps_the_part_inside() -> None:
    boxes = clip_boxes(torch.tensor([[-5.0, 3.0, 20.0, 99.0]]), 10, 12)
    assert boxes.tolist() == [[0.0, 3.0, 12.0, 10.0]]


def test_boxes_of_masks_are_tight_and_half_open() -> None:
    masks = torch.zeros((3, 6, 8), dtype=torch.bool)
    masks[0, 2:5, 1:7] = True
    masks[1, 5, 7] = True
    assert masks_to_boxes(masks, 2).tolist() == [[2, 4, 14, 10], [14, 10, 16, 12], [0, 0, 0, 0]]
    assert masks_to_boxes(masks[:0]).shape == (0, 4)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_nms_is_the_sequential_one(threshold: float, seed: int) -> None:
    boxes = random_boxes(120, seed)
    scores = torch.tensor(np.random.default_rng(seed).integers(0, 40, 120) / 40.0)  # with ties
    assert nms(boxes, scores, threshold).tolist() == loop_nms(boxes, scores, threshold)


def test_nms_lets_a_box_live_whose_only_rival_was_suppressed() -> None:
    chain = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    assert nms(chain, scores, 0.3).tolist() == [0, 2]
    # Fast NMS lets the suppressed middle box suppress the last one.
    assert fast_nms(chain[None], 0.3).tolist() == [[True, False, False]]


def test_nms_of_nothing_is_nothing() -> None:
    assert nms(torch.zeros((0, 4)), torch.zeros(0), 0.5).tolist() == []


def test_groups_do_not_suppress_each_other() -> None:
    boxes, scores = random_boxes(80, 3), torch.rand(80, generator=torch.Generator().manual_seed(1))
    groups = torch.arange(80) % 3
    expected = {i for g in range(3) for i in _kept_of_group(boxes, scores, groups, g)}
    kept = grouped_nms(boxes, scores, groups, 0.4)
    assert set(kept.tolist()) == expected
    assert torch.equal(scores[kept], scores[kept].sort(descending=True).values)


def _kept_of_group(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, group: int) -> list[int]:
    members = torch.nonzero(groups == group).flatten()
    return [int(members[i]) for i in loop_nms(boxes[members], scores[members], 0.4)]


def test_fast_nms_is_its_definition() -> None:
    boxes = torch.stack([random_boxes(60, s, side=60) for s in (5, 6, 7)])
    expected = [
        [all(loop_iou(c[i].tolist(), c[j].tolist()) <= 0.5 for i in range(j)) for j in range(60)]
        for c in boxes
    ]
    assert fast_nms(boxes, 0.5).tolist() == expected


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_decoding_undoes_encoding(weights: tuple[float, float, float, float]) -> None:
    boxes, references = random_boxes(50, 8), random_boxes(50, 9)
    coder = BoxCoder(weights)
    torch.testing.assert_close(
        coder.decode(coder.encode(boxes, references), references), boxes, atol=1e-3, rtol=0
    )


def test_offsets_are_those_of_the_paper() -> None:
    offsets = BoxCoder((10.0, 10.0, 5.0, 5.0)).encode(
        torch.tensor([[4.0, 6.0, 12.0, 10.0]]), torch.tensor([[0.0, 0.0, 4.0, 8.0]])
    )
    expected = [10 * (8 - 2) / 4, 10 * (8 - 4) / 8, 5 * math.log(8 / 4), 5 * math.log(4 / 8)]
    torch.testing.assert_close(offsets[0], torch.tensor(expected))


def test_decoding_bounds_the_growth() -> None:
    box = BoxCoder().decode(torch.tensor([[0.0, 0.0, 50.0, 50.0]]), torch.tensor([[0.0, 0.0, 16.0, 16.0]]))
    torch.testing.assert_close(box[0, 2] - box[0, 0], torch.tensor(1000.0))


def test_anchors_of_faster_rcnn() -> None:
    # Size 32 at ratios 1/2, 1, 2, rounded: 45.25 x 22.6, 32 x 32, 22.6 x 45.25.
    assert cell_anchors(32, (0.5, 1.0, 2.0)).tolist() == [
        [-23, -11, 23, 11],
        [-16, -16, 16, 16],
        [-11, -23, 11, 23],
    ]
    grid = grid_anchors(cell_anchors(32, (1.0,)), 2, 3, (4, 8))
    assert grid[4].tolist() == [8 - 16, 4 - 16, 8 + 16, 4 + 16]
    levels = pyramid_anchors([(8, 8), (4, 4)], (32, 32), (16, 32), (0.5, 1, 2), device=torch.device("cpu"))
    assert [len(level) for level in levels] == [192, 48]


def test_anchors_of_yolact_are_squares_around_cell_centres() -> None:
    anchors = square_anchors([(2, 2)], (16, 16), (24,), (1.0, 0.5, 2.0), device=torch.device("cpu"))
    size = anchors[:, 2:] - anchors[:, :2]
    torch.testing.assert_close(size[:, 0], size[:, 1])
    torch.testing.assert_close(size[:3, 0], 24 * torch.tensor([1.0, 0.5, 2.0]).sqrt())
    torch.testing.assert_close((anchors[:, :2] + size / 2)[:3], torch.full((3, 2), 4.0))


def test_matching_follows_its_thresholds() -> None:
    objects = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    references = torch.tensor(
        [[0.0, 0, 10, 9], [0, 0, 10, 5], [0, 0, 5, 4], [30, 30, 40, 40], [50, 50, 80, 60]]
    )
    matched = Matcher(0.7, 0.3).match(references, objects, exhaustive=True)
    assert matched.tolist() == [0, IGNORED, BACKGROUND, BACKGROUND, IGNORED]
    rescued = Matcher(0.7, 0.3, rescue=True).match(references, objects, exhaustive=True)
    assert rescued.tolist() == [0, IGNORED, BACKGROUND, BACKGROUND, 1]


def test_background_is_unknown_where_nobody_annotated() -> None:
    objects = torch.tensor([[0.0, 0, 10, 10]])
    references = torch.tensor([[0.0, 0, 5, 4], [30, 30, 40, 40]])
    assert Matcher(0.7, 0.3).match(references, objects, exhaustive=False).tolist() == [BACKGROUND, IGNORED]
    nothing = torch.zeros((0, 4))
    assert Matcher(0.7, 0.3).match(references, nothing, exhaustive=False).tolist() == [IGNORED] * 2
    assert Matcher(0.7, 0.3).match(references, nothing, exhaustive=True).tolist() == [BACKGROUND] * 2


def test_samples_are_balanced_and_never_ignored() -> None:
    matched = torch.tensor([0, 1, IGNORED, 2] + [BACKGROUND] * 20 + [3] * 30)
    drawn = sample_balanced(matched, 16, 0.25, torch.Generator().manual_seed(0))
    assert len(drawn.unique()) == 16
    assert (matched[drawn] >= 0).sum() == 4
    assert (matched[drawn][4:] == BACKGROUND).all()
