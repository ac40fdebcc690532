"""SeedNet's training objective: which level learns from which object, and every term."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.seednet.network import STRIDE, SeedNet
from models.seednet.resizing import resize_maps
from models.seednet.scores import THRESHOLDS, LevelScores
from models.seednet.training.drawn_clicks import draw_corrections
from models.seednet.training.mask_losses import area_bce, dice_loss, threshold_ious
from models.seednet.training.seed_batch import SeedBatch

if TYPE_CHECKING:
    from models.data.sample import Batch
    from models.seednet.features import SeedFeatures, SeedMasks, SeedQuery


@dataclass(frozen=True, slots=True)
class SeedLossSettings:
    """Weights of the terms and how many seeds are drawn.

    Attributes:
        objects, seeds: per crop, at most so many objects and so many seeds in each; more where a crop has
            fewer objects than another of its batch.
        central, deepest: shares of seeds drawn near the middle of the object, and in its very middle, rather
            than anywhere in it.
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

    objects: int = 10
    seeds: int = 1
    central: float = 0.5
    deepest: float = 0.0
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a batch's seeds ask for, not judged yet.

    Attributes:
        features: of the pictures that the masks are judged in.
        query, logits: of `SeedNet.ask`.
    """

    network: SeedNet
    features: SeedFeatures
    batch: SeedBatch
    query: SeedQuery
    logits: Tensor

    def judged(self, clicks: Tensor) -> SeedMasks:
        """Every seed in the light of its (S, P, 3) clicks."""
        return self.network.judge(self.features, self.query, self.logits, clicks)

    def judged_again(self, taken: Tensor, clicks: Tensor) -> SeedMasks:
        """Some of the seeds, by index, equally many of each crop, in the light of other clicks."""
        query, logits = self.query.take(taken), self.logits[taken]
        return self.network.judge(self.features, query, logits, clicks)


@dataclass(frozen=True, slots=True)
class _Terms:
    """Per seed (S,): what the masks cost, what the scorer gets wrong, what its choice loses, and the IoU of
    that choice, a measurement without gradient."""

    region: Tensor
    score: Tensor
    choice: Tensor
    iou: Tensor

    def means(self, batch: SeedBatch) -> dict[str, Tensor]:
        """Each term's mean over the crops that show an object of the mean over their seeds."""
        return {field.name: _mean(getattr(self, field.name), batch) for field in fields(self)}


class SeedLoss:
    """Sum of the terms over a batch: means over each crop's seeds, then over the crops.

    Crops are asked together with their mirror images, as pictures are when they are clicked on.
    """

    def __init__(self, settings: SeedLossSettings | None = None) -> None:
        self.settings = settings or SeedLossSettings()

    def prepare(self, batch: Batch, generator: torch.Generator) -> SeedBatch:
        """The batch with seeds drawn, which may be done beside the steps."""
        s = self.settings
        expected = (batch.targets[0].masks.shape[1] * STRIDE, batch.targets[0].masks.shape[2] * STRIDE)
        if tuple(batch.images.shape[2:]) != expected:
            raise ValueError(f"masks must be at stride {STRIDE}; crops are {tuple(batch.images.shape[2:])}")
        return SeedBatch.drawn(
            batch,
            generator,
            objects=s.objects,
            seeds=s.seeds,
            central=s.central,
            deepest=s.deepest,
        )

    def __call__(
        self, network: SeedNet, batch: Batch | SeedBatch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms, each a scalar; "loss" is their weighted sum. "iou" and "corrected" (the same after further
        clicks) are measurements."""
        batch, generator = self._begun(network, batch, generator)
        asked = self._ask(network, batch)
        answer = asked.judged(batch.clicks())
        means = self._first_look(asked, answer).means(batch)
        if network.refiner is not None and self.settings.corrected > 0:
            again = self._after_corrections(asked, answer, generator).means(batch)
            for name in ("region", "score", "choice"):
                means[name] = means[name] + self.settings.corrected * again[name]
            means["corrected"] = again["iou"]
        return self._summed(means, asked)

    def _begun(
        self, network: SeedNet, batch: Batch | SeedBatch, generator: torch.Generator
    ) -> tuple[SeedBatch, torch.Generator]:
        """The batch with its seeds, and the generator, where the network is."""
        device = next(network.parameters()).device
        if not isinstance(batch, SeedBatch):
            batch = self.prepare(batch, generator)
        return batch.to(device), on_device(generator, device)

    def _ask(self, network: SeedNet, batch: SeedBatch) -> _Asked:
        features = network.features(batch.images)
        mirror = network.view(mirror_images(batch.images, network.config.mirror))
        return _Asked(network, features, batch, *network.ask(features.view, batch.points, mirror))

    def _asked_cost(self, asked: _Asked, own: Tensor) -> Tensor:
        """(S,) the cost of what was asked for, before the refiner."""
        return self._region(_cost(asked.logits, own), asked.logits, asked.batch)

    def _summed(self, means: dict[str, Tensor], asked: _Asked) -> dict[str, Tensor]:
        settings = self.settings
        means["seediness"] = _seediness(asked)
        loss = means["region"] + settings.score * means["score"] + settings.choice * means["choice"]
        loss = loss + settings.seediness * means["seediness"]
        return {"loss": loss, **{name: term.detach() for name, term in means.items()}}

    def _first_look(self, asked: _Asked, answer: SeedMasks) -> _Terms:
        """The terms of the seeds alone."""
        own = asked.batch.mask_of(asked.batch.owner)
        cost = _cost(answer.logits, own)
        region = self._asked_cost(asked, own) + self._expected(cost, answer.scores)
        if asked.network.refiner is not None:
            region = region + self._region(cost, answer.logits, asked.batch)
        return _Terms(region, *self._scorer_terms(answer, own))

    def _after_corrections(self, asked: _Asked, answer: SeedMasks, generator: torch.Generator) -> _Terms:
        """The terms of some seeds of each crop, answered once more with clicks where the mask is wrong."""
        mended, own = self._mended(asked, answer, generator)
        cost = _cost(mended.logits, own)
        region = cost.amin(dim=1) + self.settings.all_corrected * cost.mean(dim=1)
        return _Terms(region + self._expected(cost, mended.scores), *self._scorer_terms(mended, own))

    def _mended(
        self, asked: _Asked, answer: SeedMasks, generator: torch.Generator
    ) -> tuple[SeedMasks, Tensor]:
        """Some seeds of each crop, answered once more with clicks where the mask is wrong, and their objects'
        masks."""
        batch = asked.batch
        taken = _some_of_each(batch, self.settings.corrected, generator)
        own = batch.mask_of(batch.owner[taken])
        wrong = chosen_masks(answer)[taken]
        more = draw_corrections(wrong, own[:, 0] >= 0.5, self.settings.corrections, generator)
        return asked.judged_again(taken, torch.cat([batch.clicks()[taken], more], dim=1)), own

    def _region(self, cost: Tensor, logits: Tensor, batch: SeedBatch) -> Tensor:
        """(S,): the best level learns the seed's object, a second one the next object around it.

        Args:
            cost: (S, K) of the logits (S, K, h, w).
        """
        settings = self.settings
        best = cost.detach().argmin(dim=1)
        taught = cost.gather(1, best[:, None]).squeeze(1) + settings.all_levels * cost.mean(dim=1)
        return taught + settings.other_objects * _other_object_cost(logits, batch, best)

    def _expected(self, cost: Tensor, scores: LevelScores) -> Tensor:
        """(S,) weighted mean of (S, K) costs by the scorer's belief, which this does not teach."""
        belief = (scores.iou.detach() * self.settings.choice_sharpness).softmax(dim=1)
        return self.settings.expected * (belief * cost).sum(dim=1)

    def _scorer_terms(self, answer: SeedMasks, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each (S,): squared error of the predicted IoUs, IoU lost by the choice they imply, its IoU."""
        truth = threshold_ious(answer.logits, own, THRESHOLDS)
        return choice_terms(answer.scores.ious, truth, self.settings.choice_sharpness)


class SecondLookLoss(SeedLoss):
    """The lesson "refiner": it and the level scorer learn, the seeds' own masks stay as they are.

    They judge masks, so they learn best from those of the finished network, on pictures at the size they
    are encoded at. Nothing flows into the encoder, so a step is quick.
    """

    def _ask(self, network: SeedNet, batch: SeedBatch) -> _Asked:
        with torch.no_grad():
            asked = super()._ask(network, batch)
        return replace(asked, features=network.with_heads(asked.features))

    def _asked_cost(self, asked: _Asked, own: Tensor) -> Tensor:
        return asked.logits.new_zeros(len(asked.logits))

    def _summed(self, means: dict[str, Tensor], asked: _Asked) -> dict[str, Tensor]:
        loss = means["region"] + self.settings.score * means["score"] + self.settings.choice * means["choice"]
        return {"loss": loss, **{name: term.detach() for name, term in means.items()}}


def choice_terms(predicted: Tensor, truth: Tensor, sharpness: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each (S,): squared error of predicted IoUs, IoU lost by the choice they imply, the IoU of the best.

    Args:
        predicted, truth: (S, K, T).
        sharpness: inverse temperature of the choice.
    """
    predicted, truth = predicted.flatten(1), truth.flatten(1)
    score = (predicted - truth).square().mean(dim=1)
    chosen = (predicted * sharpness).softmax(dim=1)
    choice = truth.amax(dim=1) - (chosen * truth).sum(dim=1)
    measured = truth.gather(1, predicted.argmax(dim=1, keepdim=True)).squeeze(1)
    return score, choice, measured


def mirror_images(images: Tensor, scale: float) -> Tensor:
    """(B, 3, H, W) uint8 seen in a mirror, about so many times as large, in whole cells of stride 32."""
    rows, columns = (max(32, 32 * round(side * scale / 32)) for side in images.shape[2:])
    mirrored = images.flip(3)
    if (rows, columns) == tuple(images.shape[2:]):
        return mirrored
    return resize_maps(mirrored.float(), (rows, columns), antialias=True)


def chosen_masks(answer: SeedMasks) -> Tensor:
    """(S, h, w) bool: the level and threshold the network would choose."""
    best = answer.scores.ious.flatten(1).argmax(dim=1)
    level, threshold = best // len(THRESHOLDS), best % len(THRESHOLDS)
    rows = torch.arange(len(best), device=best.device)
    cut = answer.logits.new_tensor(THRESHOLDS)[threshold]
    return answer.logits[rows, level].detach() > cut[:, None, None]


def on_device(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """The generator, or on another device one that it begins."""
    if generator.device.type == device.type:
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def _some_of_each(batch: SeedBatch, share: float, generator: torch.Generator) -> Tensor:
    """Indices of a share of each crop's seeds, at least one, drawn at random."""
    crops = len(batch.images)
    each = len(batch.owner) // crops
    drawn = torch.rand((crops, each), generator=generator, device=batch.owner.device)
    first = each * torch.arange(crops, device=batch.owner.device)
    taken = drawn.argsort(dim=1)[:, : max(1, round(share * each))] + first[:, None]
    return taken.flatten()


def _mean(values: Tensor, batch: SeedBatch) -> Tensor:
    """Mean over the crops that show an object of the mean over their seeds."""
    per_crop = values.view(len(batch.usable), -1).mean(dim=1)
    return (per_crop * batch.usable).sum() / batch.usable.sum().clamp(min=1)


def _cost(logits: Tensor, truth: Tensor) -> Tensor:
    """(S, K) of (S, K, h, w) logits against (S, 1, h, w) masks."""
    return area_bce(logits, truth) + dice_loss(logits, truth)


def _other_object_cost(logits: Tensor, batch: SeedBatch, taken: Tensor) -> Tensor:
    """(S,) cost of one further object that contains the seed, taught to the best level still free."""
    with_other = torch.nonzero(batch.around >= 0).flatten()
    cost = torch.zeros(len(logits), device=logits.device)
    if len(with_other) == 0 or logits.shape[1] < 2:
        return cost
    every = _cost(logits[with_other], batch.mask_of(batch.around[with_other]))
    blocked = torch.zeros_like(every).scatter(1, taken[with_other][:, None], 1e3)
    return cost.index_put((with_other,), (every + blocked).amin(dim=1))


def _seediness(asked: _Asked) -> Tensor:
    """Binary cross-entropy of the seediness map where its target is known."""
    found = asked.network.seediness_of(asked.features.view)[:, 0]
    value, known = asked.batch.seediness.float() / 255.0, asked.batch.known.float()
    loss = F.binary_cross_entropy_with_logits(found, value, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1.0)
