"""SeedNet: a click answers with nested masks by its distance to every pixel's embedding.

What it joins, and where each idea comes from:
    pixel embedding p_i and seed embedding q_s, coupled by distance
        Fathi et al. 2017 (arXiv 1703.10277); Ying et al., EmbedMask (arXiv 1912.01954)
    coordinates plus a learned offset as two of the embedding's dimensions, a learned bandwidth
        Neven et al. 2019 (arXiv 1906.11109)
    the bandwidth giving each seed its own margin, hence its own threshold
        EmbedMask, section 3.3
    a seediness map that places seeds by itself
        Fathi et al., section 3.2
    a predicted mask IoU that ranks a seed's levels and automatic results
        Huang et al., Mask Scoring R-CNN (arXiv 1903.00241)
    and beside it what is an object, where nobody has clicked
        section 3.2 there; object_scorer.py

For a seed s, level k and pixel i, with per-dimension bandwidth m > 0 and bias b:

    logit(i | s, k) = MARGIN + b_sk - 1/2 * sum_d m_skd (q_skd - p_id)^2

The mask is logit > 0. Per click run this sum and, on frames of 48 x 48 cells around what it finds, the few
convolutions of `mask_refiner.py`; never the network that reads the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.activation_ranges import ActivationRanges
from models.backbones.efficientnet_lite import efficientnet_lite, normalize_pixels
from models.device.precision import full_precision
from models.layers.convolution import SeparableConv
from models.layers.top_down import TopDownPath
from models.seednet.features import SeedFeatures, SeedMasks, SeedQuery, SeedView, read_views
from models.seednet.level_scorer import LevelScorer
from models.seednet.mask_refiner import MaskRefiner
from models.seednet.object_scorer import ObjectScorer, believed_without_click, facts_count, facts_of
from models.seednet.resizing import resize_maps
from models.weights import stored_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.seednet.scores import Surroundings

MARGIN = 4.0
COORDINATE_UNIT = 64.0  # pixels of the network's input per unit of the two spatial dimensions
STRIDE = 4  # of the embedding


@dataclass(frozen=True, slots=True)
class SeedNetConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        backbone: "efficientnet-lite0" or "efficientnet-lite2".
        long_side: what the longer side of a picture is scaled to, pixels.
        refiner: channels of the mask refiner; 0 leaves it out.
        cut_scorer: width of the scorer's look at every threshold; 0 leaves it out.
        click_depth: whether that look also tells how deep inside the mask the seed lies.
        calibrator: width of what has the last word on the scores; 0 leaves it out.
        objectness: width of what tells objects from other masks; 0 leaves it out.
        mirror: longer side of the mirror image that is asked as well, as a share of `long_side`.
        ranges: whether the weights tell how large the backbone's activations get.
    """

    backbone: str = "efficientnet-lite0"
    long_side: int = 896
    width: int = 96
    embedding: int = 32
    levels: int = 3
    query_hidden: int = 256
    scorer_channels: int = 48
    scorer_hidden: int = 192
    refiner: int = 0
    cut_scorer: int = 0
    click_depth: bool = False
    calibrator: int = 0
    objectness: int = 0
    mirror: float = 0.5
    ranges: bool = True

    @classmethod
    def stored(cls, config: Mapping[str, Any]) -> SeedNetConfig:
        """Of a weights file; those that say nothing of the mirror image learnt with one of full size, and
        have no ranges."""
        return cls(**{"mirror": 1.0, "ranges": False, **config})

    @classmethod
    def checked(cls, config: Mapping[str, Any], *, source: str) -> SeedNetConfig:
        """`stored`, of a file that may say anything.

        Raises:
            WeightsError: a size is unknown, or its value is none.
        """
        found: SeedNetConfig = stored_sizes(lambda **sizes: cls.stored(sizes), config, source=source)
        return found


def pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """(2, height, width): x and y of the centres of a stride-4 grid, in COORDINATE_UNITs."""
    ys, xs = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    return (torch.stack([xs, ys]).float() + 0.5) * (STRIDE / COORDINATE_UNIT)


def with_squares(embedding: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, 2 D, h, w) float32: the embedding and its squares, for `seed_logits`."""
    embedding = embedding.float()
    return torch.cat([embedding, embedding.square()], dim=1).contiguous()


def seed_logits(query: SeedQuery, *views: Tensor) -> list[Tensor]:
    """The equation at the top of this file, with the square written out so that it is one product.

    Args:
        query: S seeds with K levels in each of B pictures, picture by picture, and this view by view.
        views: each (B, 2 D, h, w), of `with_squares`, of the pictures or of a part of each.

    Returns:
        For each view (B S, K, h, w) float32.
    """
    center, m = query.center, query.bandwidth
    weight = torch.cat([m * center, -0.5 * m], dim=2)
    constant = MARGIN + query.bias - 0.5 * (m * center.square()).sum(dim=2)
    out = []
    parts = zip(views, weight.chunk(len(views)), constant.chunk(len(views)), strict=True)
    for pixels, own, more in parts:
        with full_precision(pixels.device):  # the terms cancel
            product = torch.bmm(own.reshape(len(pixels), -1, own.shape[2]), pixels.flatten(2))
        out.append(product.view(*own.shape[:2], *pixels.shape[2:]) + more[..., None, None])
    return out


class SeedHead(nn.Module):
    """Reads the pyramid at the seed and writes its query; a multi-layer perceptron, no convolution."""

    def __init__(self, config: SeedNetConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 4 * config.width + config.embedding
        self.hidden = nn.Sequential(
            nn.Linear(inputs, config.query_hidden),
            nn.ReLU(),
            nn.Linear(config.query_hidden, config.query_hidden),
            nn.ReLU(),
        )
        self.answer = nn.Linear(config.query_hidden, config.levels * (2 * config.embedding + 1))
        nn.init.normal_(self.answer.weight, std=0.01)
        nn.init.zeros_(self.answer.bias)

    def forward(self, read: Tensor) -> SeedQuery:
        """What S seeds ask for that read (S, 4 width + D), of `read_views`."""
        levels, dims = self.config.levels, self.config.embedding
        here = read[:, -dims:]
        descriptor = self.hidden(read)
        answer = self.answer(descriptor).float().view(-1, levels, 2 * dims + 1)
        center = here[:, None] + answer[..., :dims]
        # softplus(x + 0.54) is 1 at x = 0: one COORDINATE_UNIT is one bandwidth to begin with.
        bandwidth = F.softplus(answer[..., dims : 2 * dims] + 0.5413)
        return SeedQuery(center, bandwidth, answer[..., -1], descriptor)


class SeedNet(nn.Module):
    """EfficientNet-Lite, a top-down path to stride 4, and the heads described above."""

    def __init__(self, config: SeedNetConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        super().__init__()
        self.config = config or SeedNetConfig()
        width, scorer = self.config.width, self.config.scorer_channels
        self.backbone = efficientnet_lite(self.config.backbone, pretrained=pretrained_backbone)
        self.backbone.drop_classifier()
        self.ranges = ActivationRanges(self.backbone) if self.config.ranges else None
        self.top_down = TopDownPath(self.backbone.spec.channels, width)
        self.embedding = nn.Conv2d(width, self.config.embedding, 1)
        self.seediness = nn.Sequential(SeparableConv(width, width // 2), nn.Conv2d(width // 2, 1, 1))
        self.appearance = nn.Sequential(SeparableConv(width, scorer), nn.Conv2d(scorer, scorer, 1))
        self.seed_head = SeedHead(self.config)
        self.level_scorer = LevelScorer(
            levels=self.config.levels,
            channels=scorer,
            backbone_channels=self.backbone.spec.channels[2],
            descriptor=self.config.query_hidden,
            hidden=self.config.scorer_hidden,
            context=3 * self.config.refiner,
            cuts=self.config.cut_scorer,
            click_depth=self.config.click_depth,
            calibrator=self.config.calibrator,
        )
        self.refiner = (
            MaskRefiner(
                width=width,
                descriptor=self.config.query_hidden,
                levels=self.config.levels,
                channels=self.config.refiner,
            )
            if self.config.refiner
            else None
        )
        self.object_scorer = (
            ObjectScorer(facts=facts_count(self.level_scorer), width=self.config.objectness)
            if self.config.objectness
            else None
        )
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.zeros_(self.embedding.bias)  # type: ignore[arg-type]

    def features(self, images: Tensor) -> SeedFeatures:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> everything a click needs."""
        backbone, pyramid = self.pyramid(images)
        return self._heads(self._view(pyramid), backbone[2])

    def view(self, images: Tensor) -> SeedView:
        """Of (B, 3, H, W) RGB in [0, 255] only what seeds ask."""
        return self._view(self.pyramid(images)[1])

    def _view(self, pyramid: Sequence[Tensor]) -> SeedView:
        embedding = self.embedding(pyramid[0]).float().contiguous()  # planes are quickly joined and squared
        grid = pixel_grid(embedding.shape[2], embedding.shape[3], embedding.device)
        placed = torch.cat([embedding[:, :2] + grid, embedding[:, 2:]], dim=1)
        return SeedView(tuple(pyramid), with_squares(placed))

    def pyramid(self, images: Tensor) -> tuple[Sequence[Tensor], list[Tensor]]:
        """The backbone's features of (B, 3, H, W) pictures, and the top-down path's, strides 4 to 32."""
        backbone = self.backbone.pyramid(normalize_pixels(images))
        return backbone, self.top_down(backbone)

    @property
    def wants_ranges(self) -> bool:
        """Whether to measure the backbone's activations after a training: it learnt, or nobody has yet."""
        learnt = any(p.requires_grad for p in self.backbone.parameters())
        return self.ranges is not None and (learnt or not self.ranges.measured)

    def widen_ranges(self, images: Tensor) -> None:
        """Note how large the backbone's activations get in (B, 3, H, W) pictures, if it is asked for."""
        if self.ranges is not None:
            self.ranges.widen(self.backbone, normalize_pixels(images))

    def with_heads(self, features: SeedFeatures) -> SeedFeatures:
        """The same features with what the scorer and the refiner read computed again, so that these parts
        get gradients."""
        return self._heads(features.view, features.backbone)

    def _heads(self, view: SeedView, backbone: Tensor) -> SeedFeatures:
        appearance = self.appearance(view.pyramid[1])
        whole = appearance.float().mean(dim=(2, 3))
        detail = self.refiner.detail_maps(view.pyramid) if self.refiner is not None else ()
        return SeedFeatures(view, appearance, whole, backbone, detail)

    def seediness_of(self, view: SeedView) -> Tensor:
        """(B, 1, H/4, W/4) float32 logits: how good a seed each cell is."""
        logits: Tensor = self.seediness(view.pyramid[0])
        return logits.float()

    def with_second_look(self, *, refiner: int, cut_scorer: int) -> SeedNet:
        """This network, or if it lacks a refiner, a cut scorer or its look at the seed's depth a copy with
        fresh ones of these sizes."""
        own = self.config
        return self._grown(
            replace(
                own, refiner=own.refiner or refiner, cut_scorer=own.cut_scorer or cut_scorer, click_depth=True
            )
        )

    def with_calibrator(self, width: int) -> SeedNet:
        """This network, or if it lacks a calibrator a copy with a fresh one."""
        return self._grown(replace(self.config, calibrator=self.config.calibrator or width))

    def with_object_scorer(self, width: int) -> SeedNet:
        """This network, or if it lacks an object scorer a copy with a fresh one."""
        return self._grown(replace(self.config, objectness=self.config.objectness or width))

    def _grown(self, config: SeedNetConfig) -> SeedNet:
        if config == self.config:
            return self
        grown = SeedNet(config, pretrained_backbone=False)
        grown.load_state_dict(self.state_dict(), strict=False)
        return grown

    def freeze_heads(self) -> None:
        """Let only what sees the picture learn: the backbone and the top-down path."""
        self.requires_grad_(False)
        for part in (self.backbone, self.top_down):
            part.requires_grad_(True)

    def freeze_masks(self) -> None:
        """Let only what comes after the seeds' own masks learn: the refiner and the level scorer."""
        self.requires_grad_(False)
        for part in (self.appearance, self.level_scorer, self.refiner):
            if part is not None:
                part.requires_grad_(True)

    def freeze_all_but(self, part: nn.Module | None) -> None:
        """Let only one part learn."""
        self.requires_grad_(False)
        if part is not None:
            part.requires_grad_(True)

    def query(self, view: SeedView, points: Tensor) -> SeedQuery:
        """Of equally many seeds of each picture of `view`, picture by picture; points (S, 2) are x, y as
        shares of the picture's width, height."""
        query: SeedQuery = self.seed_head(read_views([view], [points]))
        return query

    def ask(self, view: SeedView, points: Tensor, mirror: SeedView | None = None) -> tuple[SeedQuery, Tensor]:
        """What S seeds ask for, and the (S, K, h, w) logits of `seed_logits`.

        Args:
            points: as in `query`.
            mirror: of the pictures' mirror images, of any size. The seeds are asked there too, and the
                logits of the levels that have the same rank by area are averaged.
        """
        if mirror is None:
            query = self.query(view, points)
            return query, seed_logits(query, view.pixels)[0]
        there = torch.stack([1.0 - points[:, 0], points[:, 1]], dim=1)
        both = self.seed_head(read_views([view, mirror], [points, there]))
        logits, seen = seed_logits(both, view.pixels, mirror.pixels)
        seen = _by_rank(seen.flip(3), logits)
        if seen.shape != logits.shape:
            seen = resize_maps(seen, (logits.shape[2], logits.shape[3]))
        return both.split(len(points))[0], 0.5 * (logits + seen)

    def judge(
        self,
        features: SeedFeatures,
        query: SeedQuery,
        logits: Tensor,
        clicks: Tensor,
        surroundings: Surroundings | None = None,
    ) -> SeedMasks:
        """Refine the masks that the seeds ask for, if the network has a refiner, and score them.

        Args:
            features: of B pictures; equally many seeds of each, picture by picture.
            logits: (S, K, h, w), of `seed_logits`.
            clicks: (S, P, 3), see `MaskRefiner.forward`.
            surroundings: `SeedFeatures.surroundings` of the pictures, where they are at hand.
        """
        context = None
        if self.refiner is not None:
            refined = self.refiner(logits, query.descriptor, features.detail, clicks)
            logits, context = refined.logits, refined.context
        with full_precision(logits.device):  # IoUs that are close to each other are compared
            surroundings = surroundings or features.surroundings()
            scores = self.level_scorer(
                logits, query.descriptor, query.bias, clicks[:, 0, :2], surroundings, context
            )
        return SeedMasks(logits, scores)

    def objectness(self, masks: SeedMasks, seediness: Tensor, seeds: Tensor) -> Tensor:
        """(S, K) in (0, 1): how far each level of S seeds is believed to be an object, as nobody has clicked.

        Args:
            masks: of `judge`, without other clicks.
            seediness: (B, h, w) in [0, 1].
            seeds: (S, 2), x and y in cells.
        """
        with full_precision(seediness.device):
            if self.object_scorer is None:
                return believed_without_click(masks.scores, seediness, seeds)
            facts = facts_of(masks, seediness, seeds)
            logits: Tensor = self.object_scorer(facts.flatten(0, 1))
            return logits.sigmoid().view(facts.shape[:2])


def _by_rank(logits: Tensor, like: Tensor) -> Tensor:
    """The levels of (S, K, h, w) logits in the order in which those of the same rank by area stand in `like`,
    which may have another size."""
    order, wanted = ((maps > 0).sum(dim=(2, 3)).argsort(dim=1, stable=True) for maps in (logits, like))
    partner = order.gather(1, wanted.argsort(dim=1))
    return logits.gather(1, partner[:, :, None, None].expand_as(logits))
