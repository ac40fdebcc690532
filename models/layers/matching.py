"""Which reference box learns which object, and which of them take part in a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.layers.boxes import box_iou, covered_share

BACKGROUND = -1
IGNORED = -2
# In a picture that is not annotated exhaustively only boxes that lie mostly on annotated objects are
# known to be poor boxes; anything else might show an object nobody outlined.
KNOWN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Matcher:
    """Matches by IoU: at least `high` an object, below `low` background, ignored between.

    Attributes:
        rescue: each object also gets the boxes that overlap it best, however little.
    """

    high: float
    low: float
    rescue: bool = False

    def match(self, references: Tensor, objects: Tensor, *, exhaustive: bool) -> Tensor:
        """(N,) int64 for (N, 4) references: the index of an object of (M, 4), BACKGROUND or IGNORED."""
        if len(objects) == 0:
            value = BACKGROUND if exhaustive else IGNORED
            return torch.full((len(references),), value, dtype=torch.int64, device=references.device)
        iou = box_iou(references, objects)
        best, owner = iou.max(dim=1)
        matched = torch.where(best >= self.high, owner, IGNORED)
        background = best < self.low
        if not exhaustive:
            background &= covered_share(references, objects).amax(dim=1) >= KNOWN_SHARE
        matched = torch.where(background, BACKGROUND, matched)
        if self.rescue:
            reached = iou.amax(dim=0)
            saved = ((iou == reached) & (reached > 0)).any(dim=1)
            matched = torch.where(saved, owner, matched)
        return matched


def sample_balanced(matched: Tensor, count: int, positive_share: float, generator: torch.Generator) -> Tensor:
    """Draw at most `count` references, at most that share of them matched to objects.

    Returns:
        Indices, positives first.
    """
    positive = torch.nonzero(matched >= 0).flatten()
    negative = torch.nonzero(matched == BACKGROUND).flatten()
    positives = min(len(positive), int(count * positive_share))
    negatives = min(len(negative), count - positives)
    return torch.cat([_draw(positive, positives, generator), _draw(negative, negatives, generator)])


def _draw(candidates: Tensor, count: int, generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(candidates), generator=generator)[:count]
    return candidates[order.to(candidates.device)]
