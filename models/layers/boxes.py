"""Arithmetic on upright boxes (x0, y0, x1, y1): continuous coordinates, x1 and y1 exclusive."""

from __future__ import annotations

import torch
from torch import Tensor


def box_area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...); 0 for boxes turned inside out."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def box_intersection(a: Tensor, b: Tensor) -> Tensor:
    """(..., N, 4) and (..., M, 4) -> (..., N, M) common areas."""
    ax0, ay0, ax1, ay1 = (t[..., :, None] for t in a.unbind(dim=-1))
    bx0, by0, bx1, by1 = (t[..., None, :] for t in b.unbind(dim=-1))
    # Axis by axis and in place: at a thousand boxes this is a matter of memory traffic only.
    width = torch.minimum(ax1, bx1).sub_(torch.maximum(ax0, bx0)).clamp_(min=0)
    height = torch.minimum(ay1, by1).sub_(torch.maximum(ay0, by0)).clamp_(min=0)
    return width.mul_(height)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """(..., N, 4) and (..., M, 4) -> (..., N, M) in [0, 1]; 0 where both are empty."""
    common = box_intersection(a, b)
    either = (box_area(a)[..., :, None] + box_area(b)[..., None, :]).sub_(common).clamp_(min=1e-9)
    return common.div_(either)


def covered_share(a: Tensor, b: Tensor) -> Tensor:
    """(N, 4) and (M, 4) -> (N, M): which share of each a lies in each b."""
    return box_intersection(a, b) / box_area(a)[:, None].clamp(min=1e-9)


def clip_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    """The part of each (..., 4) box inside the picture."""
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def masks_to_boxes(masks: Tensor, stride: int = 1) -> Tensor:
    """The tight boxes of (N, h, w) bool masks, (N, 4) float32 in pixels of `stride` per cell.

    An empty mask gets the empty box (0, 0, 0, 0).
    """
    if masks.shape[0] == 0:
        return torch.zeros((0, 4), device=masks.device)
    height, width = masks.shape[1:]
    columns, rows = masks.any(dim=1), masks.any(dim=2)
    x0, y0 = columns.int().argmax(dim=1), rows.int().argmax(dim=1)
    x1 = width - columns.flip(1).int().argmax(dim=1)
    y1 = height - rows.flip(1).int().argmax(dim=1)
    boxes = torch.stack([x0, y0, x1, y1], dim=1).float() * stride
    return boxes * columns.any(dim=1, keepdim=True)
