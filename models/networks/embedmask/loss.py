"""EmbedMask's loss: FCOS's terms, the Lovász hinge on the masks, the smooth loss (arXiv 1912.01954)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.losses.lovasz import lovasz_hinge
from models.networks.embedmask.fcos import sides_to_boxes
from models.networks.embedmask.fcos_loss import (
    LocationTargets,
    assign_locations,
    detection_losses,
    paired_iou,
)
from models.networks.embedmask.network import (
    EMBEDDING_STRIDE,
    EmbedMask,
    EmbedMaskConfig,
    EmbedMaskFeatures,
    embedding_distance,
)

if TYPE_CHECKING:
    from models.data.sample import Batch, CropTarget

MASK_STRIDE = 2
MASK_WEIGHT = 0.5
FITTING_IOU = 0.5
# The mean over an object's fitting locations takes at least its best two: with one alone, as early in a
# training, where no box fits yet, the smooth loss would be zero.
MIN_POSITIVES = 2
SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class ObjectEmbeddings:
    """What the locations of N objects agree on.

    Attributes:
        queries, margins: (N, D) and (N, M); zeros for an object without locations.
        has_location: (N,) bool.
        smooth: scalar, mean over the objects of the spread around `queries` and `margins`.
    """

    queries: Tensor
    margins: Tensor
    has_location: Tensor
    smooth: Tensor


def select_locations(owner: Tensor, iou: Tensor, objects: int, *, mean_positives: bool) -> Tensor:
    """Which locations speak for which object.

    Args:
        owner: (P,) objects that the positive locations answer for.
        iou: (P,) of their predicted boxes with the object's.

    Returns:
        (N, P) bool: those with IoU > 0.5, at least the best MIN_POSITIVES; or the best one alone.
    """
    device = owner.device
    own = owner[None] == torch.arange(objects, device=device)[:, None]
    ranked = iou[None].masked_fill(~own, -1.0)
    best = ranked.topk(min(MIN_POSITIVES if mean_positives else 1, len(owner)), dim=1)
    chosen = torch.zeros_like(own).scatter(1, best.indices, best.values >= 0.0)
    return chosen | (own & (iou > FITTING_IOU)) if mean_positives else chosen


def object_embeddings(chosen: Tensor, queries: Tensor, margins: Tensor) -> ObjectEmbeddings:
    """Means over each object's chosen locations, and the smooth loss (section 3.4).

    Args:
        chosen: (N, P) bool.
        queries, margins: (P, D) and (P, M).
    """
    count = chosen.sum(dim=1)
    share = chosen.float() / count.clamp(min=1)[:, None]
    mean_query, mean_margin = share @ queries, share @ margins
    to_query = (queries[None] - mean_query[:, None]).square().sum(dim=2)
    to_margin = (margins[None] - mean_margin[:, None]).square().sum(dim=2)
    spread = (share * (to_query + to_margin)).sum(dim=1)
    some = count > 0
    return ObjectEmbeddings(mean_query, mean_margin, some, spread.sum() / some.sum().clamp(min=1))


def mask_logits(distance: Tensor) -> Tensor:
    """logit(phi) = log(phi / (1 - phi)) for phi = exp(-distance), stable at both ends."""
    return -distance - torch.log(-torch.expm1(-distance).clamp(max=-SMALLEST))


def padded_windows(boxes: Tensor, padding: float, height: int, width: int, stride: int) -> Tensor:
    """(N, height * width) bool: cells whose centres lie in the boxes grown by a share on every side."""
    grow = (boxes[:, 2:] - boxes[:, :2]) * padding
    low, high = boxes[:, :2] - grow, boxes[:, 2:] + grow
    xs = (torch.arange(width, device=boxes.device) + 0.5) * stride
    ys = (torch.arange(height, device=boxes.device) + 0.5) * stride
    in_x = (xs >= low[:, :1]) & (xs <= high[:, :1])
    in_y = (ys >= low[:, 1:]) & (ys <= high[:, 1:])
    return (in_y[:, :, None] & in_x[:, None, :]).flatten(1)


class EmbedMaskLoss:
    """Sum of the terms over a batch; masks come at MASK_STRIDE, for boxes finer than the embedding."""

    def __call__(self, network: EmbedMask, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms, each a scalar: "loss", "classes", "boxes", "centerness", "mask" and "smooth"."""
        features = network(batch.images.to(next(network.parameters()).device))
        if batch.targets[0].masks.shape[1] * MASK_STRIDE != batch.images.shape[2]:
            raise ValueError(f"masks must be at stride {MASK_STRIDE}")
        targets = tuple(assign_locations(t, features.locations, MASK_STRIDE) for t in batch.targets)
        terms = detection_losses(
            features.classes, features.sides, features.centerness, features.locations, targets
        )
        rows = [
            self._one_picture(features, i, targets[i], target, network.config)
            for i, target in enumerate(batch.targets)
        ]
        terms["mask"], terms["smooth"] = (torch.stack([row[i] for row in rows]).mean() for i in range(2))
        weights = {"mask": MASK_WEIGHT, "smooth": network.config.smooth_weight}
        loss = sum((weights.get(name, 1.0) * term for name, term in terms.items()), terms["mask"] * 0.0)
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    @staticmethod
    def _one_picture(
        features: EmbedMaskFeatures,
        index: int,
        wanted: LocationTargets,
        target: CropTarget,
        config: EmbedMaskConfig,
    ) -> tuple[Tensor, Tensor]:
        """Mask and smooth terms of one picture."""
        place = torch.nonzero(wanted.owner >= 0).flatten()
        nothing = features.pixels[index].sum() * 0.0
        if len(place) == 0:
            return nothing, nothing
        owner = wanted.owner[place]
        predicted = sides_to_boxes(features.locations.points[place], features.sides[index, place].detach())
        iou, _ = paired_iou(predicted, wanted.boxes[owner])
        chosen = select_locations(owner, iou, len(wanted.boxes), mean_positives=config.mean_positives)
        spoken = object_embeddings(chosen, features.queries[index, place], features.margins[index, place])
        taught = torch.nonzero(spoken.has_location & target.has_mask.to(owner.device)).flatten()
        if len(taught) == 0:
            return nothing, spoken.smooth
        pixels = features.pixels[index]
        distance = embedding_distance(spoken.queries[taught], spoken.margins[taught], pixels.flatten(1))
        coverage = target.masks.to(owner.device)[taught]
        truth = F.avg_pool2d(coverage, EMBEDDING_STRIDE // MASK_STRIDE).flatten(1) >= 0.5
        valid = None
        if config.box_padding is not None:
            valid = padded_windows(
                wanted.boxes[taught],
                config.box_padding,
                pixels.shape[1],
                pixels.shape[2],
                EMBEDDING_STRIDE,
            )
        return lovasz_hinge(mask_logits(distance), truth, valid).mean(), spoken.smooth
