"""FCOS's parts against their definitions, location by location and box by box."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.networks.embedmask.fcos import (
    FcosHead,
    FcosPyramid,
    dense_locations,
    flatten_levels,
    sides_to_boxes,
)
from models.networks.embedmask.fcos_loss import (
    IGNORED,
    NEGATIVE,
    LocationTargets,
    assign_locations,
    centerness_target,
    detection_losses,
    paired_iou,
)
from tests.unit.models.data.crop_targets import crop_target, rectangles

SIZES = ((16, 16), (8, 8), (4, 4), (2, 2), (1, 1))


def locations():
    return dense_locations(SIZES, torch.device("cpu"))


def test_locations_are_the_centres_of_the_cells_level_by_level():
    where = locations()
    assert where.points[0].tolist() == [4.0, 4.0]
    assert where.points[1].tolist() == [12.0, 4.0]
    assert where.points[16].tolist() == [4.0, 12.0]
    assert where.points[256].tolist() == [8.0, 8.0]
    assert where.points[-1].tolist() == [64.0, 64.0]
    assert where.strides.unique(return_counts=True)[1].tolist() == [256, 64, 16, 4, 1]
    assert where.largest[-1] == math.inf
    assert (where.smallest[256], where.largest[256]) == (64.0, 128.0)


def test_flattening_keeps_the_order_of_the_locations():
    maps = [torch.arange(r * c).view(1, 1, r, c) + 1000 * i for i, (r, c) in enumerate(SIZES)]
    flat = flatten_levels(maps)[0, :, 0]
    assert flat[:3].tolist() == [0, 1, 2]
    assert flat[256:259].tolist() == [1000, 1001, 1002]
    assert len(flat) == len(locations().points)


def owners_by_loops(masks, has_mask, where, stride, radius=1.5):
    boxes = []
    for mask in masks:
        ys, xs = np.nonzero(mask)
        boxes.append([v * stride for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)])
    wanted = np.zeros((len(where.points), len(masks)), bool)
    for n, (x0, y0, x1, y1) in enumerate(boxes):
        rules = {"box": [], "range": [], "center": [], "mask": []}
        for index, (x, y) in enumerate(where.points.tolist()):
            sides = (x - x0, y - y0, x1 - x, y1 - y)
            rules["box"].append(min(sides) > 0)
            rules["range"].append(where.smallest[index] < max(sides) <= where.largest[index])
            reach = radius * float(where.strides[index])
            rules["center"].append(abs(x - (x0 + x1) / 2) < reach and abs(y - (y0 + y1) / 2) < reach)
            rules["mask"].append(not has_mask[n] or bool(masks[n][int(y // stride), int(x // stride)]))
        rules = {k: np.array(v) for k, v in rules.items()}
        basis = rules["box"] & rules["range"]
        options = (
            basis & rules["center"] & rules["mask"],
            basis & rules["mask"],
            basis & rules["center"],
            basis,
        )
        wanted[:, n] = next((o for o in options if o.any()), options[-1])
    areas = np.array([(b[2] - b[0]) * (b[3] - b[1]) for b in boxes])
    owner = np.full(len(where.points), NEGATIVE)
    for index in range(len(where.points)):
        mine = np.flatnonzero(wanted[index])
        if len(mine):
            owner[index] = mine[np.argmin(areas[mine])]
    return owner


@pytest.mark.parametrize("seed", range(6))
def test_locations_go_to_objects_by_the_rules(seed):
    rng = np.random.default_rng(seed)
    boxes = []
    for _ in range(5):
        w, h = rng.integers(3, 60, 2)
        x, y = rng.integers(0, 64 - w), rng.integers(0, 64 - h)
        boxes.append((x, y, x + w, y + h))
    masks = rectangles(64, *boxes)
    masks[0, boxes[0][1] + 1 : boxes[0][3] - 1, boxes[0][0] + 1 : boxes[0][2] - 1] = 0.0  # only a frame
    has_mask = [True, True, True, True, False]
    ours = assign_locations(crop_target(masks, has_mask=has_mask), locations(), 2).owner
    np.testing.assert_array_equal(ours.numpy(), owners_by_loops(masks.numpy() > 0, has_mask, locations(), 2))


def test_a_ring_whose_centre_is_a_hole_still_has_locations_on_itself():
    mask = rectangles(64, (4, 4, 32, 32))
    mask[0, 8:28, 8:28] = 0.0
    owner = assign_locations(crop_target(mask), locations(), 2).owner
    mine = locations().points[owner == 0]
    assert len(mine) > 0
    assert all(mask[0, int(y) // 2, int(x) // 2] == 1.0 for x, y in mine.tolist())


def test_what_nobody_annotated_is_ignored_in_partially_annotated_pictures():
    masks = rectangles(64, (0, 0, 30, 30))
    full = assign_locations(crop_target(masks), locations(), 2).owner
    part = assign_locations(crop_target(masks, exhaustive=False), locations(), 2).owner
    assert set(full.tolist()) == {0, NEGATIVE}
    assert set(part.tolist()) == {0, NEGATIVE, IGNORED}
    inside = (locations().points < 60).all(dim=1)
    assert (part[inside] != IGNORED).all()
    assert (part[~inside] == IGNORED).all()
    nothing = crop_target(torch.zeros(0, 64, 64), exhaustive=False)
    assert (assign_locations(nothing, locations(), 2).owner == IGNORED).all()


def test_centerness_by_hand():
    sides = torch.tensor([[5.0, 5, 5, 5], [2.0, 3, 8, 3], [1.0, 2, 4, 8]])
    assert centerness_target(sides).tolist() == pytest.approx([1.0, 0.5, math.sqrt(1 / 16)])


def test_iou_and_giou_by_hand():
    a = torch.tensor([[0.0, 0, 4, 4], [0.0, 0, 2, 2], [1.0, 1, 3, 3]])
    b = torch.tensor([[0.0, 0, 4, 4], [4.0, 0, 6, 2], [2.0, 1, 4, 3]])
    iou, giou = paired_iou(a, b)
    assert iou.tolist() == pytest.approx([1.0, 0.0, 1 / 3])
    # Two unit steps apart: hull 12, union 8; overlapping: hull 6, union 6.
    assert giou.tolist() == pytest.approx([1.0, -4 / 12, 1 / 3])


def detection_losses_by_loops(classes, sides, centerness, points, targets):
    positives = sum(int((t.owner >= 0).sum()) for t in targets)
    focal = center = box = weights = 0.0
    for b, target in enumerate(targets):
        for place, owner in enumerate(target.owner.tolist()):
            for c in range(classes.shape[2]):
                if owner == IGNORED:
                    continue
                p = 1 / (1 + math.exp(-classes[b, place, c]))
                if owner >= 0 and int(target.categories[owner]) == c:
                    focal -= 0.25 * (1 - p) ** 2 * math.log(p)
                else:
                    focal -= 0.75 * p**2 * math.log(1 - p)
            if owner < 0:
                continue
            x, y = points[place]
            x0, y0, x1, y1 = target.boxes[owner].tolist()
            left, top, right, bottom = x - x0, y - y0, x1 - x, y1 - y
            w = math.sqrt(min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom))
            s = sides[b, place]
            own = (x - s[0], y - s[1], x + s[2], y + s[3])
            common = max(0, min(own[2], x1) - max(own[0], x0)) * max(0, min(own[3], y1) - max(own[1], y0))
            union = (own[2] - own[0]) * (own[3] - own[1]) + (x1 - x0) * (y1 - y0) - common
            hull = (max(own[2], x1) - min(own[0], x0)) * (max(own[3], y1) - min(own[1], y0))
            box += w * (1 - common / union + (hull - union) / hull)
            weights += w
            p = 1 / (1 + math.exp(-centerness[b, place]))
            center -= w * math.log(p) + (1 - w) * math.log(1 - p)
    return focal / positives, box / weights, center / positives


def test_the_losses_are_the_sums_over_locations_and_pictures():
    rng = np.random.default_rng(0)
    where = locations()
    count = len(where.points)
    targets = tuple(
        assign_locations(
            crop_target(rectangles(64, *boxes), list(range(len(boxes))), exhaustive=full), where, 2
        )
        for boxes, full in ((((2, 2, 30, 20), (20, 10, 60, 60)), True), (((5, 30, 25, 60),), False))
    )
    classes, centerness = rng.normal(-2, 1, (2, count, 3)), rng.normal(0, 1, (2, count))
    sides = rng.uniform(2, 40, (2, count, 4))
    ours = detection_losses(
        *(torch.tensor(v, dtype=torch.float32) for v in (classes, sides, centerness)), where, targets
    )
    expected = detection_losses_by_loops(classes, sides, centerness, where.points.tolist(), targets)
    got = [float(ours[name]) for name in ("classes", "boxes", "centerness")]
    assert got == pytest.approx(expected, rel=1e-4)


def test_a_batch_without_objects_has_a_loss_all_the_same():
    where = locations()
    count = len(where.points)
    nothing = LocationTargets(
        torch.full((count,), NEGATIVE), torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    )
    classes = torch.zeros(1, count, 2, requires_grad=True)
    terms = detection_losses(classes, torch.ones(1, count, 4), torch.zeros(1, count), where, (nothing,))
    assert terms["classes"] > 0
    assert (float(terms["boxes"]), float(terms["centerness"])) == (0.0, 0.0)
    sum(terms.values()).backward()
    assert classes.grad.abs().sum() > 0


def test_boxes_are_the_points_and_their_sides():
    boxes = sides_to_boxes(torch.tensor([[10.0, 20.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert boxes.tolist() == [[9.0, 18.0, 13.0, 24.0]]


def test_the_pyramid_and_the_head_have_five_levels_and_a_prior_of_one_percent():
    torch.manual_seed(0)
    pyramid, head = FcosPyramid((8, 12, 16), 16), FcosHead(16, 3, convolutions=1)
    levels = pyramid([torch.randn(1, c, 128 // s, 128 // s) for c, s in ((8, 8), (12, 16), (16, 32))])
    assert [tuple(level.shape[2:]) for level in levels] == list(SIZES)
    dense = head(levels)
    probability = torch.cat([d.classes.sigmoid().flatten() for d in dense])
    assert float(probability.mean().detach()) == pytest.approx(0.01, abs=0.005)
    assert all((d.sides > 0).all() for d in dense)
