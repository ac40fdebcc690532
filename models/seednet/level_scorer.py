"""SeedNet's level scorer: how good is each of a seed's masks, cut at each of several thresholds?

The MaskIoU head of Mask Scoring R-CNN (Huang et al., arXiv 1903.00241) sees the mask beside the features;
here the mask pools the features, inside and in a ring around it, which costs one matrix product for all
seeds. Three parts:

    LevelScorer     looks at the levels, predicts the IoU of each at every threshold
    CutScorer       looks at every level cut at every threshold as the mask it would be: whether what a lower
                    threshold would add belongs to the object is seen from what that is; corrects the above
    CutCalibrator   knows little about each cut, but all of them; corrects both (cut_calibrator.py)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.seednet.cut_calibrator import CutCalibrator
from models.seednet.cut_scorer import CutScorer
from models.seednet.pooling import extents, halved, pooled, ring_around
from models.seednet.scores import THRESHOLDS, LevelScores, Surroundings


class LevelScorer(nn.Module):
    """Predicts each level's IoU at each threshold from what the mask covers and what surrounds it.

    Args:
        channels: of the appearance map; backbone_channels: of the backbone's.
        descriptor: size of a seed's descriptor.
        context: size of what the refiner says about each mask; 0 without one.
        cuts: width of the cut scorer; 0 leaves it out.
        click_depth: whether that sees how deep inside each cut the seed lies.
        calibrator: width of the calibrator, which goes by what the cut scorer tells; 0 leaves it out.
    """

    STATISTICS = 9

    def __init__(
        self,
        *,
        levels: int,
        channels: int,
        backbone_channels: int,
        descriptor: int,
        hidden: int,
        context: int,
        cuts: int,
        click_depth: bool = False,
        calibrator: int = 0,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.seed = nn.Linear(descriptor, 32)
        inputs = 4 * channels + self.STATISTICS + 3 * (levels - 1) + 32
        self.own = nn.Linear(inputs, hidden)
        self.together = nn.Linear(3 * hidden, hidden)
        self.ious = nn.Linear(hidden, len(THRESHOLDS))
        self.context = nn.Linear(context, hidden, bias=False) if context else None
        if self.context is not None:
            nn.init.zeros_(self.context.weight)
        self.cuts = (
            CutScorer(
                channels=channels,
                backbone_channels=backbone_channels,
                level=hidden,
                width=cuts,
                click_depth=click_depth,
            )
            if cuts
            else None
        )
        self.calibrator = (
            CutCalibrator(
                shape_facts=self.cuts.shape_facts,
                levels=levels,
                thresholds=len(THRESHOLDS),
                width=calibrator,
            )
            if self.cuts is not None and calibrator
            else None
        )

    def forward(
        self,
        logits: Tensor,
        descriptor: Tensor,
        bias: Tensor,
        seeds: Tensor,
        surroundings: Surroundings,
        context: Tensor | None = None,
    ) -> LevelScores:
        """Scores that carry no gradient into the masks.

        Args:
            logits: (S, K, h, w) at stride 4, equally many seeds of each picture, picture by picture.
            descriptor, bias: (S, D) and (S, K) of the seeds' queries.
            seeds: (S, 2), x and y in cells.
            context: (S, K, C'') of the refiner.
        """
        logits = logits.detach()
        count, levels = logits.shape[:2]
        probability = logits.sigmoid()
        inside = halved(probability, surroundings.size)
        both = pooled(torch.stack([inside, ring_around(inside, 2)], dim=1), surroundings.appearance)
        mean, around = both.unbind(dim=1)
        whole = surroundings.whole.repeat_interleave(count // len(surroundings.whole), dim=0)
        parts = [
            mean,
            (pooled(inside, surroundings.squares) - mean.square()).clamp(min=1e-8).sqrt(),
            around,
            whole[:, None].expand(-1, levels, -1),
            self._statistics(logits, probability, bias),
            self._relations(inside),
            self.seed(descriptor.float())[:, None].expand(-1, levels, -1),
        ]
        own = self.own(torch.cat(parts, dim=2))
        if self.context is not None and context is not None:
            own = own + self.context(context)
        own = F.relu(own)
        others = (own.mean(dim=1, keepdim=True), own.amax(dim=1, keepdim=True))
        all_levels = [own, *(o.expand_as(own) for o in others)]
        together = F.relu(self.together(torch.cat(all_levels, dim=2)))
        scores = self.ious(together)
        if self.cuts is None:
            return LevelScores(scores.sigmoid())
        correction, shapes, seen = self.cuts(logits, together, seeds, surroundings)
        scores = scores + correction
        if self.calibrator is None:
            return LevelScores(scores.sigmoid(), seen=seen)
        facts = torch.cat([scores[..., None], shapes], dim=3)
        return LevelScores(self.calibrator(facts).sigmoid(), facts, seen)

    @staticmethod
    def _statistics(logits: Tensor, probability: Tensor, bias: Tensor) -> Tensor:
        """(S, K, STATISTICS) facts of each mask that need no features."""
        mask = logits > 0
        cells = mask[0, 0].numel()
        area, rows, columns, border = extents(mask)
        some = area.clamp(min=1.0)
        higher, lower = (logits > 1.5).sum(dim=(2, 3)), (logits > -1.5).sum(dim=(2, 3))
        inside, everywhere = (probability * mask).sum(dim=(2, 3)), probability.sum(dim=(2, 3))
        # The mean of |2 p - 1|, whose sign is known: p > 1/2 inside.
        certainty = (4.0 * inside - 2.0 * everywhere - 2.0 * area) / cells + 1.0
        return torch.stack(
            [
                (area + 1.0).log() / 5.0,
                (area / cells + 1e-4).log() / 5.0,
                inside / some,
                higher / lower.clamp(min=1),
                border / some.sqrt() / 4.0,
                area / (rows * columns).clamp(min=1.0),
                ((rows + 1.0) / (columns + 1.0)).log(),
                certainty,
                bias.detach() / 4.0,
            ],
            dim=2,
        )

    def _relations(self, inside: Tensor) -> Tensor:
        """(S, K, 3 (K-1)): how each level's mask lies to the others: IoU and both containments."""
        flat = inside.flatten(2)
        common = flat @ flat.transpose(1, 2)
        area = flat.square().sum(dim=2) + 1e-3
        own, other = area[:, :, None], area[:, None, :]
        facts = torch.stack([common / (own + other - common), common / own, common / other], dim=3)
        others = ~torch.eye(self.levels, dtype=torch.bool, device=inside.device)
        return facts[:, others].view(len(inside), self.levels, -1)
