"""YOLACT's objective (arXiv 1904.02689, section 3) and the rescoring term of YOLACT++."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.boxes import box_area
from models.layers.matching import BACKGROUND, Matcher
from models.losses.detection_targets import ObjectTargets, object_targets
from models.networks.yolact.network import PROTOTYPE_STRIDE, Yolact, YolactMaps, assemble_logits, box_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.data.sample import Batch

MATCHER = Matcher(0.5, 0.4, rescue=True)


@dataclass(frozen=True, slots=True)
class YolactLossSettings:
    """Weights of the terms as published.

    Attributes:
        negatives: hard negatives per positive.
        masks_per_picture: at most so many masks learn per picture, drawn at random.
        rescored_area: cells; smaller masks do not teach the IoU network.
    """

    classes: float = 1.0
    box: float = 1.5
    mask: float = 6.125
    semantic: float = 1.0
    rescoring: float = 25.0
    negatives: int = 3
    masks_per_picture: int = 100
    rescored_area: float = 25.0


def hard_negative_loss(logits: Tensor, labels: Tensor, ratio: int) -> Tensor:
    """Cross-entropy over the positives and the worst negatives (SSD, arXiv 1512.02325, section 2.2).

    Args:
        logits: (B, A, classes + 1).
        labels: (B, A) int64: 0 background, category + 1, or negative for anchors that do not count.
        ratio: so many negatives per positive of the same picture (of one positive, if it has none).

    Returns:
        The sum over the chosen anchors.
    """
    loss = F.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none")
    positive, negative = labels > 0, labels == 0
    # How sure a negative is of any object; the gradient plays no part in the choice.
    hardness = torch.where(negative, loss.detach(), -1.0)
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    wanted = ratio * positive.sum(dim=1, keepdim=True).clamp(min=1)
    return loss[positive | (negative & (rank < wanted))].sum()


def cropped_mask_losses(logits: Tensor, wanted: Tensor, boxes: Tensor) -> Tensor:
    """Binary cross-entropy inside each object's box, over the area of the box.

    Args:
        logits, wanted: (N, h, w) on the prototypes' grid.
        boxes: (N, 4) of the true objects, input pixels.

    Returns:
        (N,).
    """
    window = box_window(boxes, *logits.shape[1:])
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    cells = box_area(boxes) / PROTOTYPE_STRIDE**2
    return (loss * window).sum(dim=(1, 2)) / cells.clamp(min=1.0)


def semantic_loss(logits: Tensor, targets: Sequence[ObjectTargets]) -> Tensor:
    """Each class's coverage of the picture, by binary cross-entropy where it is known.

    Args:
        logits: (B, classes, h, w).

    Returns:
        The mean over pictures of the sum over classes of the mean over pixels.
    """
    losses = []
    for own, target in zip(logits, targets, strict=True):
        covered = resize_masks(target.masks, own.shape[1], own.shape[2]) >= 0.5
        outlined = covered[target.has_mask]
        wanted = torch.zeros(own.shape, dtype=torch.bool, device=own.device)
        # Which classes cover each pixel: one row of the table per class.
        rows = F.one_hot(target.labels[target.has_mask], own.shape[0]).bool()
        wanted = (rows.T[:, :, None, None] & outlined[None]).any(dim=1) if len(outlined) else wanted
        boxed_only = covered[~target.has_mask].any(dim=0) & ~outlined.any(dim=0)
        known = (outlined.any(dim=0) | target.exhaustive) & ~boxed_only
        loss = F.binary_cross_entropy_with_logits(own, wanted.float(), reduction="none")
        losses.append((loss * known).sum() / known.numel())
    return torch.stack(losses).mean()


def resize_masks(masks: Tensor, height: int, width: int) -> Tensor:
    """(N, h, w) coverage averaged (or interpolated) to (N, height, width)."""
    if masks.shape[1:] == (height, width) or len(masks) == 0:
        return masks if len(masks) else masks.new_zeros((0, height, width))
    mode = "area" if masks.shape[1] > height else "bilinear"
    return F.interpolate(masks[:, None], size=(height, width), mode=mode)[:, 0]


class YolactLoss:
    """Sum of the terms over a batch."""

    def __init__(self, settings: YolactLossSettings | None = None) -> None:
        self.settings = settings or YolactLossSettings()

    def __call__(self, network: Yolact, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms, each a weighted scalar; "loss" is their sum."""
        device = next(network.parameters()).device
        features = network.body_features(batch.images.to(device))
        return self.from_features(network, features, batch, generator)

    def from_features(
        self, network: Yolact, body_features: Sequence[Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The same from C2..C5, for networks that share their backbone."""
        settings = self.settings
        targets = object_targets(batch, body_features[0].device)
        maps = network.maps(body_features, (batch.images.shape[2], batch.images.shape[3]))
        matched = torch.stack(
            [MATCHER.match(maps.anchors, t.boxes, exhaustive=t.exhaustive) for t in targets]
        )
        labels = torch.stack([_labels(m, t) for m, t in zip(matched, targets, strict=True)])
        positives = max(1, int((matched >= 0).sum()))
        box, mask, rescoring = (
            maps.offsets.sum() * 0.0,
            maps.prototypes.sum() * 0.0,
            maps.prototypes.sum() * 0.0,
        )
        judged = 0
        for index, target in enumerate(targets):
            own = torch.nonzero(matched[index] >= 0).flatten()
            owners = matched[index][own]
            if len(own) == 0:
                continue
            wanted = network.coder.encode(target.boxes[owners], maps.anchors[own])
            box = box + F.smooth_l1_loss(maps.offsets[index, own], wanted, reduction="sum")
            mask_sum, iou_sum, count = self._masks(network, maps, index, target, own, owners, generator)
            mask, rescoring, judged = mask + mask_sum, rescoring + iou_sum, judged + count
        terms = {
            "classes": settings.classes
            * hard_negative_loss(maps.classes, labels, settings.negatives)
            / positives,
            "boxes": settings.box * box / positives,
            "masks": settings.mask * mask / positives,
            "semantic": settings.semantic * semantic_loss(maps.semantic, targets),
        }
        if network.rescoring is not None:
            terms["rescoring"] = settings.rescoring * rescoring / max(1, judged)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _masks(
        self,
        network: Yolact,
        maps: YolactMaps,
        index: int,
        target: ObjectTargets,
        anchors: Tensor,
        owners: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, int]:
        """Sums of the mask and rescoring terms over one picture, and how many masks were judged."""
        outlined = target.has_mask[owners]
        anchors, owners = anchors[outlined], owners[outlined]
        prototypes = maps.prototypes[index]
        zero = prototypes.sum() * 0.0
        if len(anchors) == 0:
            return zero, zero, 0
        count = len(anchors)
        drawn = torch.randperm(count, generator=generator)[: self.settings.masks_per_picture]
        anchors, owners = anchors[drawn.to(anchors.device)], owners[drawn.to(owners.device)]
        coefficients, boxes = maps.coefficients[index, anchors], target.boxes[owners]
        wanted = (resize_masks(target.masks, *prototypes.shape[1:])[owners] >= 0.5).float()
        logits = assemble_logits(prototypes, coefficients).float()
        losses = cropped_mask_losses(logits, wanted, boxes)
        mask = losses.sum() * (count / len(anchors))
        if network.rescoring is None:
            return mask, zero, 0
        large = wanted.sum(dim=(1, 2)) > self.settings.rescored_area
        if not large.any():
            return mask, zero, 0
        labels = target.labels[owners][large]
        predicted = network.predict_iou(
            prototypes.detach(), coefficients[large].detach(), boxes[large], labels
        )
        truth = window_iou(logits[large], wanted[large], boxes[large])
        return mask, F.smooth_l1_loss(predicted, truth, reduction="sum"), len(labels)


def _labels(matched: Tensor, target: ObjectTargets) -> Tensor:
    """(A,) 0 background, category + 1, or -1 for anchors that do not count."""
    labels = torch.where(matched == BACKGROUND, 0, -1)
    if len(target.labels) == 0:
        return labels
    return torch.where(matched >= 0, target.labels[matched.clamp(min=0)] + 1, labels)


@torch.no_grad()
def window_iou(logits: Tensor, wanted: Tensor, boxes: Tensor) -> Tensor:
    """(N,) IoU of each predicted mask, cut at 0 and cropped to its box, with the true one."""
    predicted = (logits > 0) & box_window(boxes, *logits.shape[1:])
    true = wanted >= 0.5
    common = (predicted & true).sum(dim=(1, 2)).float()
    return common / (predicted | true).sum(dim=(1, 2)).clamp(min=1)
