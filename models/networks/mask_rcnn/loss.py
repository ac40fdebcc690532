"""The objective of Faster and Mask R-CNN: proposals, classes and boxes, masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.matching import BACKGROUND, Matcher, sample_balanced
from models.losses.detection_targets import ObjectTargets, mask_stride, object_targets
from models.networks.mask_rcnn.network import MASK_BINS, MASK_SIDE, MaskRCNN, Regions
from models.networks.mask_rcnn.region_proposals import ProposalMaps, RegionProposalNetwork
from models.networks.mask_rcnn.roi_align import crop_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.data.sample import Batch

SMOOTH_L1_BETA = 1.0 / 9.0
PROPOSAL_MATCHER = Matcher(0.7, 0.3, rescue=True)
REGION_MATCHER = Matcher(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class TwoStageSettings:
    """How many boxes learn per picture: of the anchors, and of the proposals (512 in the paper)."""

    anchors: int = 256
    anchor_positives: float = 0.5
    regions: int = 256
    region_positives: float = 0.25


@dataclass(frozen=True, slots=True)
class RegionSample:
    """R regions of a batch and what they should say.

    Attributes:
        regions: the boxes.
        labels: (R,) int64; 0 is the background, category c is c + 1.
        owners: (R,) int64, index of the object in its picture's targets, BACKGROUND for background.
        boxes: (R, 4) the box to be found; the region itself for background.
    """

    regions: Regions
    labels: Tensor
    owners: Tensor
    boxes: Tensor

    def positives(self) -> RegionSample:
        """Only the regions that lie on an object."""
        keep = self.labels > 0
        regions = Regions(self.regions.boxes[keep], self.regions.pictures[keep])
        return RegionSample(regions, self.labels[keep], self.owners[keep], self.boxes[keep])


def proposal_loss(
    maps: ProposalMaps,
    targets: Sequence[ObjectTargets],
    settings: TwoStageSettings,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Objectness and box terms of the region proposal network, means over the sampled anchors."""
    logits, offsets = torch.cat(maps.logits, dim=1), torch.cat(maps.offsets, dim=1)
    anchors = torch.cat(maps.anchors)
    chosen, positive, wanted = [], [], []
    for index, target in enumerate(targets):
        matched = PROPOSAL_MATCHER.match(anchors, target.boxes, exhaustive=target.exhaustive)
        drawn = sample_balanced(matched, settings.anchors, settings.anchor_positives, generator)
        owners = matched[drawn]
        chosen.append(drawn + index * len(anchors))
        positive.append(owners >= 0)
        on_object = drawn[owners >= 0]
        wanted.append(_coder_targets(target, owners[owners >= 0], anchors[on_object]))
    picked, is_object = torch.cat(chosen), torch.cat(positive)
    count = max(1, len(picked))
    objectness = F.binary_cross_entropy_with_logits(
        logits.flatten()[picked], is_object.float(), reduction="sum"
    )
    found = offsets.reshape(-1, 4)[picked[is_object]]
    boxes = F.smooth_l1_loss(found, torch.cat(wanted), beta=SMOOTH_L1_BETA, reduction="sum")
    return objectness / count, boxes / count


def _coder_targets(target: ObjectTargets, owners: Tensor, anchors: Tensor) -> Tensor:
    return RegionProposalNetwork.coder.encode(target.boxes[owners], anchors)


@torch.no_grad()
def sample_regions(
    proposals: Sequence[Tensor],
    targets: Sequence[ObjectTargets],
    settings: TwoStageSettings,
    generator: torch.Generator,
) -> RegionSample:
    """Draw the regions that learn; the objects' own boxes are among the candidates."""
    boxes, labels, owners, wanted = [], [], [], []
    for proposed, target in zip(proposals, targets, strict=True):
        candidates = torch.cat([proposed, target.boxes])
        matched = REGION_MATCHER.match(candidates, target.boxes, exhaustive=target.exhaustive)
        drawn = sample_balanced(matched, settings.regions, settings.region_positives, generator)
        owner, own = matched[drawn], candidates[drawn]
        on_object = owner != BACKGROUND
        boxes.append(own)
        owners.append(owner)
        labels.append(_gather(target.labels + 1, owner, on_object, torch.zeros_like(owner)))
        wanted.append(_gather(target.boxes, owner, on_object[:, None], own))
    return RegionSample(Regions.of(boxes), torch.cat(labels), torch.cat(owners), torch.cat(wanted))


def _gather(values: Tensor, owner: Tensor, known: Tensor, otherwise: Tensor) -> Tensor:
    """values[owner] where known; pictures without objects have no values to index."""
    if len(values) == 0:
        return otherwise
    return torch.where(known, values[owner.clamp(min=0)], otherwise)


def region_loss(network: MaskRCNN, levels: Sequence[Tensor], sample: RegionSample) -> tuple[Tensor, Tensor]:
    """Class and box terms of the box head."""
    scores, offsets = network.roi_heads.classify(levels, sample.regions)
    count = max(1, len(sample.labels))
    classes = F.cross_entropy(scores, sample.labels, reduction="sum") / count
    positive = torch.nonzero(sample.labels > 0).flatten()
    wanted = network.roi_heads.coder.encode(sample.boxes[positive], sample.regions.boxes[positive])
    found = offsets[positive, sample.labels[positive]]
    boxes = F.smooth_l1_loss(found, wanted, beta=SMOOTH_L1_BETA, reduction="sum")
    return classes, boxes / count


@dataclass(frozen=True, slots=True)
class MaskSample:
    """R regions whose object has a mask.

    Attributes:
        pooled: (R, C, 14, 14) features.
        logits: (R, 28, 28) of the object's own class.
        wanted: (R, 28, 28) coverage.
        labels: (R,) from 1, as in RegionSample.
        share: (R,) area of the region over the area of the whole object's mask, in input pixels.
    """

    pooled: Tensor
    logits: Tensor
    wanted: Tensor
    labels: Tensor
    share: Tensor


def sample_masks(
    network: MaskRCNN,
    levels: Sequence[Tensor],
    sample: RegionSample,
    targets: Sequence[ObjectTargets],
    stride: int,
) -> MaskSample:
    """Look at the positive regions whose object has a mask."""
    sample = sample.positives()
    first = torch.tensor([0, *(len(t.boxes) for t in targets)], device=sample.labels.device).cumsum(0)
    owners = sample.owners + first[sample.regions.pictures]
    masks = torch.cat([t.masks for t in targets])
    keep = torch.cat([t.has_mask for t in targets])[owners]
    owners, labels = owners[keep], sample.labels[keep]
    regions = Regions(sample.regions.boxes[keep], sample.regions.pictures[keep])
    pooled = network.roi_heads.pool(levels, regions, MASK_BINS)
    logits = network.roi_heads.mask_logits(pooled)
    own = logits[torch.arange(len(labels), device=labels.device), labels]
    wanted = crop_masks(masks, regions.boxes, owners, stride=stride, size=MASK_SIDE)
    side = regions.boxes[:, 2:] - regions.boxes[:, :2]
    object_area = masks.sum(dim=(1, 2))[owners] * stride**2
    return MaskSample(pooled, own, wanted, labels, side.prod(dim=1) / object_area.clamp(min=1e-6))


def mask_loss(sample: MaskSample) -> Tensor:
    """Mean binary cross-entropy over the masks of the true class only (paper, section 3)."""
    loss = F.binary_cross_entropy_with_logits(sample.logits, sample.wanted, reduction="sum")
    return loss / max(1, sample.logits.numel())


class MaskRCNNLoss:
    """Sum of the five terms over a batch."""

    def __init__(self, settings: TwoStageSettings | None = None) -> None:
        self.settings = settings or TwoStageSettings()

    def __call__(self, network: MaskRCNN, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms, each a scalar; "loss" is their sum."""
        device = next(network.parameters()).device
        images = batch.images.to(device)
        return self.from_features(network, network.body_features(images), batch, generator)

    def from_features(
        self, network: MaskRCNN, body_features: Sequence[Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The same from C2..C5, for networks that share their backbone."""
        targets = object_targets(batch, body_features[0].device)
        levels = network.levels(body_features)
        maps = network.propose(levels, (batch.images.shape[2], batch.images.shape[3]))
        objectness, proposal_boxes = proposal_loss(maps, targets, self.settings, generator)
        sample = sample_regions(network.rpn.propose(maps), targets, self.settings, generator)
        classes, boxes = region_loss(network, levels, sample)
        masks = sample_masks(network, levels, sample, targets, mask_stride(batch))
        terms = {
            "objectness": objectness,
            "proposal_boxes": proposal_boxes,
            "classes": classes,
            "boxes": boxes,
            **self.mask_terms(network, masks),
        }
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def mask_terms(self, network: MaskRCNN, sample: MaskSample) -> dict[str, Tensor]:
        """What is learnt from masks; further heads add their terms."""
        return {"masks": mask_loss(sample)}
