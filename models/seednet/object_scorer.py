"""Whether what a seed's mask covers is an object that people outline, asked when nobody has clicked.

A predicted IoU tells how well a mask fits what a click means, wherever the click is: also a patch of sky. To
rank what is found without clicks, Mask Scoring R-CNN (Huang et al., arXiv 1903.00241, section 3.2)
multiplies the predicted IoU by a classification score. This is that score's counterpart for seeds. It looks
at what the cut scorer looked at, and at the seediness inside and around the mask; a click does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.seednet.pooling import pooled, quarters_of, ring_around
from models.seednet.scores import THRESHOLDS, LevelScores

if TYPE_CHECKING:
    from models.seednet.features import SeedMasks
    from models.seednet.level_scorer import LevelScorer

LEAST = 1e-3  # of what is turned into logits
DROPOUT = 0.4  # there are many facts, and few pictures of which all objects are known
RING = 2  # cells of stride 8 around a mask
NOT_TOLD = "a network without a calibrator does not tell what it saw"


class ObjectScorer(nn.Module):
    """Corrects how far each level of a seed is believed to be an object; corrects nothing to begin with.

    Args:
        facts: how many `facts_of` tells.
        width: of its layers.
    """

    def __init__(self, *, facts: int, width: int) -> None:
        super().__init__()
        self.units = nn.BatchNorm1d(facts, affine=False)  # the facts differ in their units
        self.look = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(facts, width),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
        )
        self.correction = nn.Linear(width, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, facts: Tensor) -> Tensor:
        """(N, facts) of `facts_of` -> (N,) logits, corrected."""
        correction: Tensor = self.correction(self.look(self.units(facts)))
        return facts[:, 0] + correction[:, 0]


def facts_count(scorer: LevelScorer) -> int:
    """How many facts `facts_of` tells of what a level scorer says.

    Raises:
        ValueError: it has no calibrator.
    """
    if scorer.cuts is None or scorer.calibrator is None:
        raise ValueError(NOT_TOLD)
    return 4 + scorer.levels + 1 + scorer.cuts.shape_facts + scorer.cuts.feature_count


def facts_of(masks: SeedMasks, seediness: Tensor, seeds: Tensor) -> Tensor:
    """(S, K, facts) of each level's best cut; the first is what is believed without a correction, a logit.

    Args:
        masks: of equally many seeds of each of B pictures, picture by picture, judged without other clicks.
        seediness: (B, h, w) in [0, 1] at stride 4.
        seeds: (S, 2), x and y in cells.

    Raises:
        ValueError: the network has no calibrator.
    """
    scores = masks.scores
    if scores.seen is None or scores.facts is None:
        raise ValueError(NOT_TOLD)
    best = scores.ious.argmax(dim=2)
    told = [_of_best(kind, best) for kind in (scores.facts, scores.seen)]
    trust = _at_seeds(seediness, seeds).sqrt()[:, None, None].expand(*best.shape, 1)
    believed = believed_without_click(scores, seediness, seeds).logit(LEAST)[..., None]
    level = torch.eye(best.shape[1], device=best.device).expand(len(best), -1, -1)
    return torch.cat([believed, trust, _seediness_of(masks.logits, best, seediness), level, *told], dim=2)


def believed_without_click(scores: LevelScores, seediness: Tensor, seeds: Tensor) -> Tensor:
    """(S, K): predicted IoU times the trust in the seeds, which is highest in the middle of objects.

    Args:
        scores, seediness, seeds: as of `facts_of`.
    """
    return scores.iou * _at_seeds(seediness, seeds).sqrt()[:, None]


def _at_seeds(seediness: Tensor, seeds: Tensor) -> Tensor:
    """(S,) of a map (B, h, w) in the cells of (S, 2) seeds."""
    count, height, width = seediness.shape
    pictures = torch.arange(count, device=seeds.device).repeat_interleave(len(seeds) // count)
    columns, rows = seeds.long().unbind(dim=1)
    return seediness[pictures, rows.clamp(0, height - 1), columns.clamp(0, width - 1)]


def _of_best(facts: Tensor, best: Tensor) -> Tensor:
    """(S, K, F) of (S, K, T, F) facts of the cuts (S, K)."""
    return facts.gather(2, best[..., None, None].expand(-1, -1, 1, facts.shape[3]))[:, :, 0]


def _seediness_of(logits: Tensor, best: Tensor, seediness: Tensor) -> Tensor:
    """(S, K, 2): the mean of (B, h, w) inside and around the cuts (S, K) of (S, K, h, w) logits."""
    cuts = logits > logits.new_tensor(THRESHOLDS)[best][..., None, None]
    inside = quarters_of(cuts).float() / 4.0
    halved = F.avg_pool2d(seediness[:, None], 2, ceil_mode=True).flatten(2).transpose(1, 2)
    return pooled(torch.stack([inside, ring_around(inside, RING)], dim=2), halved)[..., 0]
