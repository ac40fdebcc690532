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

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.architectures.cut_calibrator import CutCalibrator
from models.layers.depth import seed_depths

THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # logits among which a level's own threshold lies
# Of a click's depth in a cut and of the cut's thickness: as they come, a training hardly sees the difference
# between the middle and almost the middle.
DEPTH_CENTER, DEPTH_SCALE = (2.0 / 3.0, 0.35), (3.0, 6.0)
THRESHOLD_SHARPNESS = 40.0  # inverse temperature of the choice among them, in units of IoU


@dataclass(frozen=True, slots=True)
class LevelScores:
    """What the network thinks of S seeds' masks.

    Attributes:
        ious: (S, K, T) predicted IoU in (0, 1) of each level cut at each of THRESHOLDS.
        facts: (S, K, T, F), what the calibrator went by; None without one.
        seen: (S, K, T, D), the features that the cut scorer saw in and around each cut; None without one.
    """

    ious: Tensor
    facts: Tensor | None = None
    seen: Tensor | None = None

    @property
    def iou(self) -> Tensor:
        """(S, K) predicted IoU of each level at its best threshold."""
        return self.ious.amax(dim=2)

    @property
    def threshold(self) -> Tensor:
        """(S, K) best threshold in logits, between THRESHOLDS: the learned margin."""
        weight = (self.ious * THRESHOLD_SHARPNESS).softmax(dim=2)
        return weight @ weight.new_tensor(THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the scorer may look at, of B pictures; prepared once for all clicks.

    Attributes:
        appearance: (B, h/2 w/2, C) float32 for masks of (h, w) at stride 4.
        squares: of `appearance`.
        size: (h/2, w/2).
        whole: (B, C), the mean of the appearance.
        kinds: (B, H/16, W/16, C') float32, the backbone's features, each cell's of mean 0 and deviation 1;
            begins at the picture's corner, may reach further.
    """

    appearance: Tensor
    squares: Tensor
    size: tuple[int, int]
    whole: Tensor
    kinds: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.appearance, self.squares, self.whole, self.kinds

    @classmethod
    def of(cls, appearance: Tensor, whole: Tensor, kinds: Tensor) -> Surroundings:
        """Of appearance maps (B, C, h/2, w/2), their means (B, C) and the backbone's (B, C', H/16, W/16)."""
        cells = appearance.float().flatten(2).transpose(1, 2).contiguous()
        kinds = kinds.permute(0, 2, 3, 1).float().contiguous()
        height, width = appearance.shape[2:]
        return cls(
            cells, cells.square(), (height, width), whole.float(), F.layer_norm(kinds, kinds.shape[3:])
        )


class LevelScorer(nn.Module):
    """Predicts each level's IoU at each threshold from what the mask covers and what surrounds it.

    Args:
        channels: of the appearance map; kinds: of the backbone's.
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
        kinds: int,
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
            CutScorer(channels=channels, kinds=kinds, level=hidden, width=cuts, click_depth=click_depth)
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
        inside = _halved(probability, surroundings.size)
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
        area, rows, columns, border = _extents(mask)
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


class CutScorer(nn.Module):
    """Corrects the scores by looking at each level cut at each threshold; corrects nothing to begin with.

    Each cut is described by the appearance inside and around it, by the backbone's features inside, around,
    in what the next lower threshold would add and in what the next higher one would take away, by its
    shape, and by how deep inside it the seed lies: people click into the middle of what they mean. All cuts
    of a seed are then seen together (Zaheer et al., Deep Sets, arXiv 1703.06114).

    Attributes:
        seen: how many numbers tell of the features of each cut.
    """

    STATISTICS = 6

    def __init__(self, *, channels: int, kinds: int, level: int, width: int, click_depth: bool) -> None:
        super().__init__()
        self.seen = 2 * channels + 4 * kinds
        self.cut = nn.Linear(self.seen + self.STATISTICS, width)
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
        seen in and around them, (S, K, T, seen).

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
        return correction[..., 0], shapes, described[..., : self.seen]

    def _described(self, quarters: Tensor, surroundings: Surroundings) -> Tensor:
        """(S, K, T, inputs) of (S, K, T, h/2, w/2) uint8, how many of each four cells lie inside."""
        fine, coarse = quarters.float() / 4.0, _summed_by_four(quarters).float() / 16.0
        height, width = coarse.shape[3:]
        kinds = surroundings.kinds[:, :height, :width].flatten(1, 2)
        between = (coarse[:, :, :-1] - coarse[:, :, 1:]).clamp(min=0.0)
        count = len(THRESHOLDS)
        around = pooled(torch.cat([coarse, ring_around(coarse, 1), between], dim=2), kinds)
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
        area, rows, columns, border = _extents(cuts)
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


def _extents(maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of (..., h, w) masks or coverage maps, (...) float32 each: area, number of rows and of columns that are
    touched, and what lies along the border of the map, corners twice."""
    of_rows, of_columns = maps.sum(dim=-1, dtype=torch.float32), maps.sum(dim=-2, dtype=torch.float32)
    rows, columns = (of_rows > 0.0).sum(dim=-1), (of_columns > 0.0).sum(dim=-1)
    border = of_rows[..., 0] + of_rows[..., -1] + of_columns[..., 0] + of_columns[..., -1]
    return of_rows.sum(dim=-1), rows.float(), columns.float(), border


def quarters_of(cuts: Tensor) -> Tensor:
    """(..., h, w) bool -> (..., h/2, w/2) uint8: how many of each four cells are inside."""
    return _summed_by_four(cuts.view(torch.uint8))


def pooled(weight: Tensor, features: Tensor) -> Tensor:
    """Mean of features (B, h w, C) weighted by (S, ..., h, w) maps, S / B of each picture: (S, ..., C)."""
    maps = weight.reshape(len(features), -1, features.shape[1])
    mean = (maps @ features) / (maps.sum(dim=-1, keepdim=True) + 1e-3)
    return mean.view(*weight.shape[:-2], features.shape[2])


def _summed_by_four(maps: Tensor) -> Tensor:
    """(..., h, w) -> (..., ceil(h / 2), ceil(w / 2)), sums of 2 x 2 cells; an odd last row or column counts
    twice. On small integers many times quicker than a mean of floats."""
    for dim in (-2, -1):
        if maps.shape[dim] % 2:
            maps = torch.cat([maps, maps.narrow(dim, maps.shape[dim] - 1, 1)], dim=dim)
    maps = maps[..., 0::2, :] + maps[..., 1::2, :]
    return maps[..., 0::2] + maps[..., 1::2]


def _halved(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(S, K, h, w) brought to `size`, (ceil(h / 2), ceil(w / 2)), bilinearly."""
    height, width = maps.shape[2:]
    if height % 2 == 0 and width % 2 == 0:
        return F.avg_pool2d(maps, 2)  # the same; CUDA's `interpolate` is slow with many maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def ring_around(maps: Tensor, radius: int) -> Tensor:
    """What lies within so many cells, across, down or both, around the masks of (..., h, w) coverage maps."""
    wide = F.pad(maps, (radius, radius, radius, radius))
    for dim in (-1, -2):  # one direction after the other: many times quicker than pooling over squares
        length = maps.shape[dim]
        wide = reduce(torch.maximum, [wide.narrow(dim, at, length) for at in range(2 * radius + 1)])
    return wide - maps
