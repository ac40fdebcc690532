"""Which location answers for which object, and the detection losses of FCOS (arXiv 1904.01355).

With the later improvements that EmbedMask builds on: centre sampling, positives inside the object's mask,
side distances in strides, GIoU weighted by centerness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.boxes import box_area, masks_to_boxes
from models.networks.embedmask.fcos import Locations, sides_to_boxes
from models.networks.embedmask.focal import sigmoid_focal_loss

if TYPE_CHECKING:
    from models.data.sample import CropTarget

NEGATIVE = -1
IGNORED = -2
CENTER_RADIUS = 1.5  # strides


@dataclass(frozen=True, slots=True)
class LocationTargets:
    """What the L locations of one picture shall say.

    Attributes:
        owner: (L,) int64: the object a location answers for, NEGATIVE or IGNORED.
        boxes: (N, 4) of the objects, pixels.
        categories: (N,) int64.
    """

    owner: Tensor
    boxes: Tensor
    categories: Tensor


def assign_locations(
    target: CropTarget, locations: Locations, mask_stride: int, *, radius: float = CENTER_RADIUS
) -> LocationTargets:
    """Give every object its locations; the smallest object has a location that several want.

    A location is an object's if it lies in its box and its mask, at most `radius` strides from the box's
    centre, and the largest side distance is in the level's range. An object without any such location (a
    ring, whose centre is not its own; a thin or tiny one) is first freed of the centre rule, then of the
    mask rule.
    """
    device = locations.points.device
    masks = target.masks.to(device) >= 0.5
    boxes = masks_to_boxes(masks, mask_stride)
    categories = target.categories.to(device)
    if len(masks) == 0:
        nothing = NEGATIVE if target.exhaustive else IGNORED
        return LocationTargets(_filled(locations, nothing), boxes, categories)
    x, y = locations.points[:, 0, None], locations.points[:, 1, None]
    sides = torch.stack([x - boxes[:, 0], y - boxes[:, 1], boxes[:, 2] - x, boxes[:, 3] - y], dim=2)
    in_box = sides.amin(dim=2) > 0.0
    reach = sides.amax(dim=2)
    in_range = (reach > locations.smallest[:, None]) & (reach <= locations.largest[:, None])
    center = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    offset = (locations.points[:, None] - center).abs().amax(dim=2)
    central = offset < radius * locations.strides[:, None]
    in_mask = _covered(masks, locations, mask_stride)
    outlined = in_mask | ~target.has_mask.to(device)
    wanted = in_box & in_range & central & outlined
    for relaxed in (in_box & in_range & outlined, in_box & in_range & central, in_box & in_range):
        wanted = torch.where(wanted.any(dim=0), wanted, relaxed)
    area = box_area(boxes).expand(len(x), -1).masked_fill(~wanted, torch.inf)
    smallest, owner = area.min(dim=1)
    # Where not everything is annotated, only what lies inside an annotated object is known to be taken.
    unclaimed = torch.where(in_mask.any(dim=1), NEGATIVE, NEGATIVE if target.exhaustive else IGNORED)
    return LocationTargets(torch.where(smallest.isfinite(), owner, unclaimed), boxes, categories)


def _filled(locations: Locations, value: int) -> Tensor:
    return torch.full((len(locations.points),), value, device=locations.points.device)


def _covered(masks: Tensor, locations: Locations, mask_stride: int) -> Tensor:
    """(L, N): whether the location's pixel belongs to the mask."""
    columns = (locations.points[:, 0] / mask_stride).long().clamp(max=masks.shape[2] - 1)
    rows = (locations.points[:, 1] / mask_stride).long().clamp(max=masks.shape[1] - 1)
    return masks[:, rows, columns].T


def centerness_target(sides: Tensor) -> Tensor:
    """sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)) (equation 3); (..., 4) -> (...)."""
    horizontal, vertical = sides[..., 0::2], sides[..., 1::2]
    ratio = horizontal.amin(dim=-1) / horizontal.amax(dim=-1) * vertical.amin(dim=-1) / vertical.amax(dim=-1)
    return ratio.clamp(min=0.0).sqrt()


def paired_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (Rezatofighi et al., arXiv 1902.09630) of boxes row by row, (P, 4) each -> (P,)."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    common = (high - low).clamp(min=0.0).prod(dim=1)
    either = (box_area(a) + box_area(b) - common).clamp(min=1e-6)
    outer = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull = outer.prod(dim=1).clamp(min=1e-6)
    iou = common / either
    return iou, iou - (hull - either) / hull


def detection_losses(
    classes: Tensor,
    sides: Tensor,
    centerness: Tensor,
    locations: Locations,
    targets: tuple[LocationTargets, ...],
) -> dict[str, Tensor]:
    """Focal, GIoU and centerness terms over a batch.

    Args:
        classes: (B, L, C) logits.
        sides: (B, L, 4) distances in pixels.
        centerness: (B, L) logits.
    """
    owner = torch.stack([t.owner for t in targets])
    positive = owner >= 0
    count = positive.sum().clamp(min=1)
    picture, place = positive.nonzero(as_tuple=True)
    # Objects of all pictures in one row, each picture's after those of the pictures before it.
    first = torch.tensor([0, *(len(t.boxes) for t in targets)], device=owner.device).cumsum(0)
    own = owner[picture, place] + first[picture]
    boxes = torch.cat([t.boxes for t in targets])[own]
    labels = torch.cat([t.categories for t in targets])[own]
    wanted = torch.zeros_like(classes)
    wanted[picture, place, labels] = 1.0
    known = (owner != IGNORED)[..., None]
    focal = (sigmoid_focal_loss(classes, wanted) * known).sum() / count
    points = locations.points[place]
    true_sides = torch.cat([points - boxes[:, :2], boxes[:, 2:] - points], dim=1)
    weight = centerness_target(true_sides)
    _, giou = paired_iou(sides_to_boxes(points, sides[picture, place]), boxes)
    box = ((1.0 - giou) * weight).sum() / weight.sum().clamp(min=1e-6)
    logits = centerness[picture, place]
    center = F.binary_cross_entropy_with_logits(logits, weight, reduction="sum") / count
    return {"classes": focal, "boxes": box, "centerness": center}
