"""Non-maximum suppression without a loop over boxes.

`nms` and `grouped_nms` give exactly the sequential, greedy answer: a box survives unless a better
*surviving* box clashes with it. Read as an equation for the set of survivors, this has one solution, and
iterating it from "all survive" settles at least one more box, in order of score, with every round; chains
of suppressions are short, so a handful of rounds of one matrix-vector product suffices.

`fast_nms` (Bolya et al., YOLACT, arXiv 1904.02689, section 3.3) stops after the first round: a box that
is itself suppressed may still suppress others.

Memory is quadratic in the number of boxes: callers keep the best one or two thousand.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.layers.boxes import box_iou


def greedy_survivors(clash: Tensor) -> Tensor:
    """Who survives greedy suppression.

    Args:
        clash: (N, N) bool, candidates sorted best first; only the upper triangle is read.

    Returns:
        (N,) bool.
    """
    above = clash.triu(1).float()
    alive = torch.ones(len(above), device=above.device)
    while True:
        following = ((alive @ above) == 0).float()
        if torch.equal(following, alive):
            return alive.bool()
        alive = following


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Indices of the (N, 4) boxes that survive at IoU > threshold, best first."""
    order = scores.argsort(descending=True, stable=True)
    ordered = boxes[order]
    return order[greedy_survivors(box_iou(ordered, ordered) > threshold)]


def grouped_nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """`nms` in which only boxes of the same group, (N,) int64, suppress each other."""
    order = scores.argsort(descending=True, stable=True)
    ordered, group = boxes[order], groups[order]
    clash = (box_iou(ordered, ordered) > threshold) & (group[:, None] == group[None, :])
    return order[greedy_survivors(clash)]


def fast_nms(boxes: Tensor, threshold: float) -> Tensor:
    """YOLACT's Fast NMS for C classes at once.

    Args:
        boxes: (C, N, 4), each class sorted by its own score, best first.

    Returns:
        (C, N) bool: no better box of the class, surviving or not, has an IoU above the threshold.
    """
    return box_iou(boxes, boxes).triu_(1).amax(dim=-2) <= threshold
