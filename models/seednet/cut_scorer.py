"""The cut scorer: what every level, cut at every threshold, looks like by itself and beside the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.seednet.click_depth import seed_depths
from models.seednet.pooling import extents, pooled, quarters_of, ring_around, summed_by_four
from models.seednet.scores import DEPTH_CENTER, DEPTH_SCALE, THRESHOLDS, Surroundings


class CutScorer(nn.Module):
    """Corrects the scores by looking at each level cut at each threshold; corrects nothing to begin with.

    Each cut is described by the appearance inside and around it, by the backbone's features inside, around,
    in what the next lower threshold would add and in what the next higher one would take away, by its
    shape, and by how deep inside it the seed lies: people click into the middle of what they mean. All cuts
    of a seed are then seen together (Zaheer et al., Deep Sets, arXiv 1703.06114).

    Attributes:
        feature_count: how many numbers tell of the features of each cut.
    """

    STATISTICS = 6

    def __init__(
        self, *, channels: int, backbone_channels: int, level: int, width: int, click_depth: bool
    ) -> None:
        super().__init__()
        self.feature_count = 2 * channels + 4 * backbone_channels
        self.cut = nn.Linear(self.feature_count + self.STATISTICS, width)
        self.level = nn.Linear(level, width, bias=False)
        self.depth = nn.Linear(2, width, bias=False) if click_depth else None
        if self.depth is not None:
            nn.init.zeros_(self.depth.weight)
        self.threshold = nn.Parameter(torch.zeros(len(THRESHOLDS), width))
        self.own = nn.Linear(width, width)
        self.together = nn.Linear(4 * width, width)
        self.correction = nn.Linear(width, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    @property
    def shape_facts(self) -> int:
        """How many facts of each cut's shape there are, with the seed's depth if that is looked at."""
        return self.STATISTICS + (2 if self.depth is not None else 0)

    def forward(
        self, logits: Tensor, levels: Tensor, seeds: Tensor, surroundings: Surroundings
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Corrections (S, K, T), what is known of the cuts' shapes, (S, K, T, shape_facts), and the features
        seen in and around them, (S, K, T, feature_count).

        Args:
            logits: (S, K, h, w).
            levels: (S, K, level), what is known of each level.
            seeds: (S, 2), x and y in cells.
        """
        cuts = logits[:, :, None] > logits.new_tensor(THRESHOLDS)[:, None, None]
        quarters = quarters_of(cuts)
        described = self._described(quarters, surroundings)
        seen, shapes = self.cut(described), described[..., -self.STATISTICS :]
        if self.depth is not None:
            depth = _depth_of(seeds, cuts, quarters)
            seen, shapes = seen + self.depth(depth), torch.cat([depth, shapes], dim=3)
        own = F.relu(seen + self.level(levels)[:, :, None] + self.threshold)
        own = F.relu(self.own(own))
        others = (
            own.mean(dim=2, keepdim=True),
            own.mean(dim=(1, 2), keepdim=True),
            own.amax(dim=(1, 2), keepdim=True),
        )
        together = torch.cat([own, *(o.expand_as(own) for o in others)], dim=3)
        correction: Tensor = self.correction(F.relu(self.together(together)))
        return correction[..., 0], shapes, described[..., : self.feature_count]

    def _described(self, quarters: Tensor, surroundings: Surroundings) -> Tensor:
        """(S, K, T, inputs) of (S, K, T, h/2, w/2) uint8, how many of each four cells lie inside."""
        fine, coarse = quarters.float() / 4.0, summed_by_four(quarters).float() / 16.0
        height, width = coarse.shape[3:]
        features = surroundings.backbone_features[:, :height, :width].flatten(1, 2)
        between = (coarse[:, :, :-1] - coarse[:, :, 1:]).clamp(min=0.0)
        count = len(THRESHOLDS)
        around = pooled(torch.cat([coarse, ring_around(coarse, 1), between], dim=2), features)
        inside, outside, between = (
            around[:, :, :count],
            around[:, :, count : 2 * count],
            around[:, :, 2 * count :],
        )
        added = torch.cat([outside[:, :, :1], between], dim=2)
        lost = torch.cat([between, inside[:, :, -1:]], dim=2)
        both = pooled(torch.stack([fine, ring_around(fine, 2)], dim=1), surroundings.appearance)
        parts = [*both.unbind(dim=1), inside, outside, added, lost]
        return torch.cat([*parts, self._statistics(fine)], dim=3)

    @staticmethod
    def _statistics(cuts: Tensor) -> Tensor:
        """(S, K, T, STATISTICS): size, share of the picture, fill, aspect, outline, border of coverage maps
        (S, K, T, h, w)."""
        area, rows, columns, border = extents(cuts)
        length = (area + 1.0).sqrt()
        outline = cuts.diff(dim=3).abs().sum(dim=(3, 4)) + cuts.diff(dim=4).abs().sum(dim=(3, 4))
        facts = [
            (area + 0.25).log() / 5.0,
            (area / cuts[0, 0, 0].numel() + 1e-4).log() / 5.0,
            area / (rows * columns).clamp(min=1.0),
            ((rows + 1.0) / (columns + 1.0)).log(),
            outline / length / 6.0,
            border / length / 4.0,
        ]
        return torch.stack(facts, dim=3)


def _depth_of(seeds: Tensor, cuts: Tensor, quarters: Tensor) -> Tensor:
    """(S, K, T, 2) of cells (S, 2) and the cuts (S, K, T, h, w): how deep the seed lies as a share of the
    deepest place, and that place's depth in units of the mask's size; centred and spread."""
    at_seed, deepest = seed_depths(cuts, seeds)
    size = quarters.sum(dim=(3, 4), dtype=torch.float32).clamp(min=1.0).sqrt()
    shares = torch.stack([at_seed / deepest.clamp(min=1.0), deepest / size], dim=3)
    return (shares - shares.new_tensor(DEPTH_CENTER)) * shares.new_tensor(DEPTH_SCALE)
