"""SeedNet's training objective: which seeds, which level learns from which object, and every term."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.architectures.seednet import STRIDE, THRESHOLDS, SeedFeatures, SeedNet, SeedQuery, seed_logits
from models.data.sample import Batch, CropTarget
from models.losses.region import area_bce, dice_loss, threshold_ious


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


@dataclass(frozen=True, slots=True)
class DrawnSeeds:
    """Seeds of one crop: points (S, 2) as shares of width and height, and the object of each, (S,)."""

    points: Tensor
    owner: Tensor


def draw_seeds(target: CropTarget, settings: SeedLossSettings, generator: torch.Generator) -> DrawnSeeds:
    """Draw objects, then seeds inside them: anywhere, or by preference where the object is thick."""
    masks = target.masks
    usable = torch.nonzero(((masks >= 0.5).sum(dim=(1, 2)) >= 4) & target.has_mask).flatten()
    order = torch.randperm(len(usable), generator=generator)[: settings.objects]
    height, width = masks.shape[1:]
    points: list[Tensor] = []
    owners: list[int] = []
    for owner in usable[order].tolist():
        inside = (masks[owner] >= 0.5).to(torch.uint8).numpy()
        depth = torch.from_numpy(cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1])
        for _ in range(settings.seeds):
            central = float(torch.rand(1, generator=generator)) < settings.central
            weight = depth.pow(4.0 if central else 0.0) * torch.from_numpy(inside)
            pick = int(torch.multinomial(weight.flatten(), 1, generator=generator))
            jitter = torch.rand(2, generator=generator)
            points.append(
                torch.stack([(pick % width + jitter[0]) / width, (pick // width + jitter[1]) / height])
            )
            owners.append(owner)
    if not points:
        return DrawnSeeds(torch.zeros((0, 2)), torch.zeros((0,), dtype=torch.int64))
    return DrawnSeeds(torch.stack(points), torch.tensor(owners))


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


class SeedLoss:
    """Sum of the terms over a batch."""

    def __init__(self, settings: SeedLossSettings | None = None) -> None:
        self.settings = settings or SeedLossSettings()

    def __call__(self, network: SeedNet, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms, each a scalar; "loss" is their weighted sum. "iou" is a measurement without gradient."""
        device = next(network.parameters()).device
        features = network.features(batch.images.to(device))
        rows = []
        for index, target in enumerate(batch.targets):
            seeds = draw_seeds(target, self.settings, generator)
            if len(seeds.owner):
                rows.append(self._one_picture(network, features, index, target, seeds))
        settings = self.settings
        region, score, choice, iou = (
            torch.stack([row[i] for row in rows]).mean() if rows else features.embedding.sum() * 0.0
            for i in range(4)
        )
        seediness = self._seediness(features, batch)
        loss = region + settings.score * score + settings.choice * choice + settings.seediness * seediness
        return {
            "loss": loss,
            "region": region.detach(),
            "score": score.detach(),
            "choice": choice.detach(),
            "seediness": seediness.detach(),
            "iou": iou.detach(),
        }

    def _one_picture(
        self, network: SeedNet, features: SeedFeatures, index: int, target: CropTarget, seeds: DrawnSeeds
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Region, score and choice terms of one picture, and the measured IoU."""
        settings = self.settings
        device = features.embedding.device
        points = seeds.points.to(device)
        query = network.query(features, index, points)
        logits = seed_logits(query, features.embedding[index])
        masks = target.masks.to(device)
        own = masks[seeds.owner.to(device)][:, None]
        cost = area_bce(logits, own) + dice_loss(logits, own)
        best = cost.detach().argmin(dim=1)
        taught = cost.gather(1, best[:, None]).squeeze(1) + settings.all_levels * cost.mean(dim=1)
        others = self._other_object_cost(logits, masks, seeds, best)
        region = (taught + settings.other_objects * others).mean()
        score, choice, measured = self._scorer_terms(network, features, index, query, logits, own)
        return region, score, choice, measured

    def _scorer_terms(
        self,
        network: SeedNet,
        features: SeedFeatures,
        index: int,
        query: SeedQuery,
        logits: Tensor,
        own: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error of the predicted IoUs, IoU lost by the choice they imply, IoU of the choice."""
        truth = threshold_ious(logits, own, THRESHOLDS).flatten(1)
        predicted = network.score_levels(features, index, query, logits).ious.flatten(1)
        score = (predicted - truth).square().mean()
        chosen = (predicted * self.settings.choice_sharpness).softmax(dim=1)
        choice = (truth.amax(dim=1) - (chosen * truth).sum(dim=1)).mean()
        measured = truth.gather(1, predicted.argmax(dim=1, keepdim=True)).mean()
        return score, choice, measured

    @staticmethod
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
        every = area_bce(free, other) + dice_loss(free, other)
        blocked = torch.zeros_like(every).scatter(1, taken[with_other][:, None], 1e3)
        return cost.index_put((with_other,), (every + blocked).amin(dim=1))

    @staticmethod
    def _seediness(features: SeedFeatures, batch: Batch) -> Tensor:
        pairs = [seediness_target(target) for target in batch.targets]
        device = features.seediness.device
        value = torch.stack([p[0] for p in pairs]).to(device)
        known = torch.stack([p[1] for p in pairs]).to(device).float()
        expected = (value.shape[1] * STRIDE, value.shape[2] * STRIDE)
        if tuple(batch.images.shape[2:]) != expected:
            raise ValueError(f"masks must be at stride {STRIDE}; crops are {tuple(batch.images.shape[2:])}")
        loss = F.binary_cross_entropy_with_logits(features.seediness[:, 0], value, reduction="none")
        return (loss * known).sum() / known.sum().clamp(min=1.0)


class ScorerLoss(SeedLoss):
    """The second stage: only the level scorer and what it reads learn, the masks stay as they are.

    The scorer judges masks, so it learns best from those of the finished network, on whole pictures at
    the size they are encoded at.
    """

    def __call__(self, network: SeedNet, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms as in `SeedLoss`, without region and seediness."""
        device = next(network.parameters()).device
        with torch.no_grad():
            frozen = network.features(batch.images.to(device))
        features = network.with_appearance(frozen)
        rows = []
        for index, target in enumerate(batch.targets):
            seeds = draw_seeds(target, self.settings, generator)
            if len(seeds.owner) == 0:
                continue
            with torch.no_grad():
                query = network.query(features, index, seeds.points.to(device))
                logits = seed_logits(query, features.embedding[index])
            own = target.masks[seeds.owner].to(device)[:, None]
            rows.append(self._scorer_terms(network, features, index, query, logits, own))
        score, choice, iou = (
            torch.stack([row[i] for row in rows]).mean() if rows else features.appearance.sum() * 0.0
            for i in range(3)
        )
        loss = self.settings.score * score + self.settings.choice * choice
        return {"loss": loss, "score": score.detach(), "choice": choice.detach(), "iou": iou.detach()}
