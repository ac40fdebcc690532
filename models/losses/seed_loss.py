"""SeedNet's training objective: which level learns from which object, and every term."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.architectures.level_scorer import THRESHOLDS, LevelScores
from models.architectures.seednet import (
    STRIDE,
    Mirror,
    SeedFeatures,
    SeedMasks,
    SeedNet,
    SeedQuery,
)
from models.data.sample import Batch, CropTarget
from models.losses.region import area_bce, dice_loss, threshold_ious
from models.losses.seed_drawing import DrawnSeeds, draw_corrections, draw_seeds


@dataclass(frozen=True, slots=True)
class SeedLossSettings:
    """Weights of the terms and how many seeds are drawn.

    Attributes:
        objects, seeds: per crop, at most so many objects and so many seeds in each.
        central: share of seeds drawn near the middle of the object rather than anywhere in it.
        other_objects: weight of teaching a second level the further objects that contain the seed.
        all_levels: weight of the mean over levels, so that no level is left without gradient.
        score, choice: predicted IoU of every level at every threshold by squared error; IoU lost by taking
            the best predicted one.
        choice_sharpness: inverse temperature of that choice.
        corrected: share of the seeds that are answered once more with further clicks, if the network has a
            refiner; corrections: at most so many of them.
        all_corrected: `all_levels` of those: with more clicks less is left to guess.
        expected: weight of the masks' cost in the mean over levels as the scorer would choose among them.
            What a user gets is the chosen level, so where a click can mean several objects that level
            should be the best guess between them, not a good answer to another question.
    """

    objects: int = 8
    seeds: int = 2
    central: float = 0.5
    other_objects: float = 0.35
    all_levels: float = 0.05
    score: float = 1.0
    choice: float = 0.7
    choice_sharpness: float = 20.0
    seediness: float = 0.5
    corrected: float = 0.5
    corrections: int = 4
    all_corrected: float = 0.3
    expected: float = 0.3


def seediness_target(target: CropTarget) -> tuple[Tensor, Tensor]:
    """How good a seed each pixel is: its depth in the smallest object around it, 1 at the deepest.

    Returns:
        (h, w) float32 target and (h, w) bool of the pixels where it is known.
    """
    height, width = target.masks.shape[1:]
    value = torch.zeros((height, width))
    order = torch.argsort(target.masks.sum(dim=(1, 2)), descending=True)
    for index in order.tolist():
        inside = (target.masks[index] >= 0.5).to(torch.uint8).numpy()
        if not inside.any():
            continue
        depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        ramp = torch.from_numpy(np.sqrt(depth / depth.max())).float()
        value = torch.where(torch.from_numpy(inside).bool(), ramp, value)
    known = torch.full((height, width), target.exhaustive, dtype=torch.bool) | (value > 0)
    return value, known


@dataclass(frozen=True, slots=True)
class _Terms:
    """Scalars of one picture; `iou` is a measurement without gradient, `corrected` the same after clicks."""

    region: Tensor
    score: Tensor
    choice: Tensor
    iou: Tensor
    corrected: Tensor | None = None


class SeedLoss:
    """Sum of the terms over a batch."""

    def __init__(self, settings: SeedLossSettings | None = None) -> None:
        self.settings = settings or SeedLossSettings()

    def __call__(self, network: SeedNet, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms, each a scalar; "loss" is their weighted sum. "iou" and "corrected" are measurements."""
        features = self._features(network, batch.images.to(next(network.parameters()).device))
        rows = []
        for index, target in enumerate(batch.targets):
            s = self.settings
            seeds = draw_seeds(target, generator, objects=s.objects, seeds=s.seeds, central=s.central)
            if len(seeds.owner):
                rows.append(self._one_picture(network, features, index, target, seeds, generator))
        return self._summed(features, batch, rows)

    def _features(self, network: SeedNet, images: Tensor) -> SeedFeatures:
        return network.features(images)

    def _summed(self, features: SeedFeatures, batch: Batch, rows: list[_Terms]) -> dict[str, Tensor]:
        terms = self._means(rows, features.embedding)
        terms["seediness"] = _seediness(features, batch)
        settings = self.settings
        loss = terms["region"] + settings.score * terms["score"] + settings.choice * terms["choice"]
        loss = loss + settings.seediness * terms["seediness"]
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    @staticmethod
    def _means(rows: list[_Terms], nothing: Tensor) -> dict[str, Tensor]:
        """Mean over pictures of each term; zeros, still with a gradient path, where there is none."""
        means = {}
        for name in ("region", "score", "choice", "iou", "corrected"):
            values = [value for row in rows if (value := getattr(row, name)) is not None]
            if values or name != "corrected":
                means[name] = torch.stack(values).mean() if values else nothing.sum() * 0.0
        return means

    def _one_picture(
        self,
        network: SeedNet,
        features: SeedFeatures,
        index: int,
        target: CropTarget,
        seeds: DrawnSeeds,
        generator: torch.Generator,
    ) -> _Terms:
        masks = target.masks.to(features.embedding.device)
        points = seeds.points.to(masks.device)
        query, logits, region = self._asked(network, features, index, points, masks, seeds)
        own = masks[seeds.owner.to(masks.device)][:, None]
        clicks = seeds.clicks(*masks.shape[1:]).to(masks.device)
        answer = network.judge(features, index, query, logits, clicks)
        score, choice, measured = self._scorer_terms(answer.scores, answer.logits, own)
        cost = _cost(answer.logits, own)
        region = region + self._expected(cost, answer.scores).mean()
        if network.refiner is None:
            return _Terms(region, score, choice, measured)
        region = region + self._region(cost, answer.logits, masks, seeds)
        taken = torch.randperm(len(own), generator=generator)[: round(self.settings.corrected * len(own))]
        taken = taken.to(masks.device)
        if len(taken) == 0:
            return _Terms(region, score, choice, measured)
        more = draw_corrections(
            chosen_masks(answer)[taken], own[taken, 0] >= 0.5, self.settings.corrections, generator
        )
        clicks = torch.cat([clicks[taken], more], dim=1)
        mended = network.judge(features, index, query.take(taken), logits[taken], clicks)
        again = self._scorer_terms(mended.scores, mended.logits, own[taken])
        cost = _cost(mended.logits, own[taken])
        after = cost.amin(dim=1) + self.settings.all_corrected * cost.mean(dim=1)
        after = (after + self._expected(cost, mended.scores)).mean()
        share = self.settings.corrected
        return _Terms(
            region + share * after, score + share * again[0], choice + share * again[1], measured, again[2]
        )

    def _asked(
        self,
        network: SeedNet,
        features: SeedFeatures,
        index: int,
        points: Tensor,
        masks: Tensor,
        seeds: DrawnSeeds,
    ) -> tuple[SeedQuery, Tensor, Tensor]:
        """The seeds' query, the masks it asks for, and the region term of these."""
        query, logits = network.ask(features, index, points)
        own = masks[seeds.owner.to(masks.device)][:, None]
        return query, logits, self._region(_cost(logits, own), logits, masks, seeds)

    def _region(self, cost: Tensor, logits: Tensor, masks: Tensor, seeds: DrawnSeeds) -> Tensor:
        """The best level learns the seed's object, a second one the next object around it.

        Args:
            cost: (S, K) of the logits (S, K, h, w).
        """
        settings = self.settings
        best = cost.detach().argmin(dim=1)
        taught = cost.gather(1, best[:, None]).squeeze(1) + settings.all_levels * cost.mean(dim=1)
        others = _other_object_cost(logits, masks, seeds, best)
        return (taught + settings.other_objects * others).mean()

    def _expected(self, cost: Tensor, scores: LevelScores) -> Tensor:
        """(S,) weighted mean of (S, K) costs by the scorer's belief, which this does not teach."""
        belief = (scores.iou.detach() * self.settings.choice_sharpness).softmax(dim=1)
        return self.settings.expected * (belief * cost).sum(dim=1)

    def _scorer_terms(
        self, scores: LevelScores, logits: Tensor, own: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error of the predicted IoUs, IoU lost by the choice they imply, IoU of the choice."""
        truth = threshold_ious(logits, own, THRESHOLDS).flatten(1)
        predicted = scores.ious.flatten(1)
        score = (predicted - truth).square().mean()
        chosen = (predicted * self.settings.choice_sharpness).softmax(dim=1)
        choice = (truth.amax(dim=1) - (chosen * truth).sum(dim=1)).mean()
        measured = truth.gather(1, predicted.argmax(dim=1, keepdim=True)).mean()
        return score, choice, measured


class SecondLookLoss(SeedLoss):
    """The second stage: the refiner and the level scorer learn, the seeds' own masks stay as they are.

    They judge masks, so they learn best from those of the finished network, on pictures at the size they
    are encoded at, averaged over the picture and its mirror image as a click averages them. Nothing flows
    into the encoder, so a step is quick.
    """

    def _features(self, network: SeedNet, images: Tensor) -> SeedFeatures:
        """Of every picture, followed by those of every picture in a mirror."""
        with torch.no_grad():
            frozen = network.features(torch.cat([images, images.flip(3)]))
        return network.with_heads(frozen)

    def _asked(
        self,
        network: SeedNet,
        features: SeedFeatures,
        index: int,
        points: Tensor,
        masks: Tensor,
        seeds: DrawnSeeds,
    ) -> tuple[SeedQuery, Tensor, Tensor]:
        with torch.no_grad():
            mirror = Mirror(index + len(features.embedding) // 2)
            query, logits = network.ask(features, index, points, mirror)
        return query, logits, logits.new_zeros(())

    def _summed(self, features: SeedFeatures, batch: Batch, rows: list[_Terms]) -> dict[str, Tensor]:
        terms = self._means(rows, features.appearance)
        loss = terms["region"] + self.settings.score * terms["score"] + self.settings.choice * terms["choice"]
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}


def chosen_masks(answer: SeedMasks) -> Tensor:
    """(S, h, w) bool: the level and threshold the network would choose."""
    best = answer.scores.ious.flatten(1).argmax(dim=1)
    level, threshold = best // len(THRESHOLDS), best % len(THRESHOLDS)
    rows = torch.arange(len(best), device=best.device)
    cut = answer.logits.new_tensor(THRESHOLDS)[threshold]
    return answer.logits[rows, level].detach() > cut[:, None, None]


def _cost(logits: Tensor, truth: Tensor) -> Tensor:
    """(S, K) of (S, K, h, w) logits against (S, 1, h, w) masks."""
    return area_bce(logits, truth) + dice_loss(logits, truth)


def _other_object_cost(logits: Tensor, masks: Tensor, seeds: DrawnSeeds, taken: Tensor) -> Tensor:
    """(S,) cost of one further object that contains the seed, taught to the best level still free."""
    side_y, side_x = masks.shape[1:]
    columns = (seeds.points[:, 0] * side_x).long().clamp(max=side_x - 1)
    rows = (seeds.points[:, 1] * side_y).long().clamp(max=side_y - 1)
    around = masks[:, rows.to(masks.device), columns.to(masks.device)].T >= 0.5
    around[torch.arange(len(around)), seeds.owner.to(masks.device)] = False
    with_other = torch.nonzero(around.any(dim=1)).flatten()
    cost = torch.zeros(len(logits), device=logits.device)
    if len(with_other) == 0 or logits.shape[1] < 2:
        return cost
    other = masks[around[with_other].float().argmax(dim=1)][:, None]
    free = logits[with_other]
    every = _cost(free, other)
    blocked = torch.zeros_like(every).scatter(1, taken[with_other][:, None], 1e3)
    return cost.index_put((with_other,), (every + blocked).amin(dim=1))


def _seediness(features: SeedFeatures, batch: Batch) -> Tensor:
    """Binary cross-entropy of the seediness map where its target is known."""
    pairs = [seediness_target(target) for target in batch.targets]
    device = features.seediness.device
    value = torch.stack([p[0] for p in pairs]).to(device)
    known = torch.stack([p[1] for p in pairs]).to(device).float()
    expected = (value.shape[1] * STRIDE, value.shape[2] * STRIDE)
    if tuple(batch.images.shape[2:]) != expected:
        raise ValueError(f"masks must be at stride {STRIDE}; crops are {tuple(batch.images.shape[2:])}")
    loss = F.binary_cross_entropy_with_logits(features.seediness[:, 0], value, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1.0)
