"""Fine-tuning on a user's own masks: measured before and after on held-out objects, kept only if no worse.

The backbone stays as it is and every weight is pulled back towards where it started (L2-SP, Li et al.,
ICML 2018), so that a handful of objects cannot make the model forget the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from models.device.choice import choose_device
from models.errors import Cancelled
from models.evaluation.clicks import evaluate_clicks
from models.networks.registry import find_architecture
from models.training.events import PhaseStarted, TrainingEvent, Validated
from models.training.request import TrainingRequest
from models.training.training import Training
from models.weights import WeightsInfo, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.data.dataset import AnnotatedPicture, Dataset
    from models.data.sample import Batch
    from models.training.trainable import Loss

HELD_OUT_SHARE = 0.2
MAX_HELD_OUT_PICTURES = 20
TOLERATED_LOSS = 0.005  # of IoU; less is noise of a small held-out set
FROZEN_BLOCKS = 1000  # all of the backbone
PULL_TO_START = 2e-4


@dataclass(frozen=True, slots=True)
class FineTuneRequest:
    """What to learn from, and for how long.

    Attributes:
        dataset: the user's pictures.
        base: the weights to start from; the shipped ones, so that repeated trainings do not drift.
        output: folder for the new weights and the checkpoint.
        version: what the new model calls itself.
    """

    architecture: str
    dataset: Dataset
    base: Path
    output: Path
    version: str
    minutes: float
    rate: float = 3e-4
    batch_size: int = 4
    crop_size: int = 384
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """What came of it.

    Attributes:
        weights: the new weights file.
        before, after: mean one-click IoU on the held-out objects.
        held_out: how many objects that was.
        accepted: whether the new weights are at least as good.
    """

    weights: Path
    before: float
    after: float
    held_out: int
    accepted: bool


def split_held_out(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Split by pictures, at least one held out; a single picture is split by its objects.

    The objects of one picture never stand on both sides unless there is only that picture.

    Raises:
        ValueError: fewer than two objects.
    """
    if sum(len(p.objects) for p in dataset.pictures) < 2:
        raise ValueError("fine-tuning needs at least two annotated objects: one to learn from, one to check.")
    rng = np.random.default_rng(seed)
    if len(dataset.pictures) == 1:
        return _split_objects(dataset, rng)
    order = rng.permutation(len(dataset.pictures))
    count = min(MAX_HELD_OUT_PICTURES, max(1, round(HELD_OUT_SHARE * len(order))))
    held_out = tuple(dataset.pictures[i] for i in sorted(order[:count]))
    rest = tuple(dataset.pictures[i] for i in sorted(order[count:]))
    return replace(dataset, pictures=rest), replace(dataset, pictures=held_out)


def _split_objects(dataset: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    picture = dataset.pictures[0]
    order = rng.permutation(len(picture.objects))
    count = max(1, round(HELD_OUT_SHARE * len(order)))

    def part(indices: list[int]) -> Dataset:
        objects = tuple(picture.objects[i] for i in sorted(indices))
        # What belongs to the other side is not background.
        shown: AnnotatedPicture = replace(picture, objects=objects, exhaustive=False)
        return replace(dataset, pictures=(shown,))

    return part(order[count:].tolist()), part(order[:count].tolist())


class PulledToStart:
    """A loss plus the squared distance of the trained weights to their starting values."""

    def __init__(self, loss: Loss, network: nn.Module, strength: float) -> None:
        self._loss, self._strength = loss, strength
        self._start = {n: p.detach().clone() for n, p in network.named_parameters()}

    def __call__(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        terms = self._loss(network, batch, generator)
        moved = [
            (parameter - self._start[name]).square().sum()
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
        ]
        if not moved:
            return terms
        return {**terms, "loss": terms["loss"] + self._strength * torch.stack(moved).sum()}


def fine_tune(
    request: FineTuneRequest,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[TrainingEvent], None] = lambda _event: None,
) -> FineTuneResult:
    """Measure, train, measure again.

    Stopping during the training keeps what was learned so far; stopping before it raises.

    Raises:
        Cancelled: `should_stop` answered True before anything was learned.
        ValueError: fewer than two annotated objects.
        WeightsError: the base weights do not fit the architecture.
    """
    on_event(PhaseStarted("collecting"))
    training, held_out = split_held_out(request.dataset, request.seed)
    on_event(PhaseStarted("baseline"))
    before, objects = _measure(request.architecture, request.base, held_out, should_stop)
    if should_stop():
        raise Cancelled
    on_event(Validated(0, before))
    weights = _train(request, training, should_stop, on_event)
    on_event(PhaseStarted("validating"))
    after, _ = _measure(request.architecture, weights, held_out, lambda: False)
    on_event(Validated(1, after))
    return FineTuneResult(weights, before, after, objects, after >= before - TOLERATED_LOSS)


def _measure(
    architecture: str, weights: Path, held_out: Dataset, should_stop: Callable[[], bool]
) -> tuple[float, int]:
    info, tensors = read_weights(weights)
    segmenter = find_architecture(architecture).build(
        info, tensors, source=str(weights), device=choose_device()
    )
    report, _ = evaluate_clicks(segmenter, held_out, count_clicks_needed=False, should_stop=should_stop)
    return report.iou, report.objects


def _train(
    request: FineTuneRequest,
    dataset: Dataset,
    should_stop: Callable[[], bool],
    on_event: Callable[[TrainingEvent], None],
) -> Path:
    info, tensors = read_weights(request.base)
    model = find_architecture(request.architecture).trainable(
        dataset.categories, pretrained_backbone=False, start=(info, tensors)
    )
    network = model.network.to(choose_device())
    parent = info.version if info else ""
    facts = {"parent": parent, "objects": sum(len(p.objects) for p in dataset.pictures)}
    header: WeightsInfo = replace(model.info, version=request.version, facts={**model.info.facts, **facts})
    training = TrainingRequest(
        datasets=(dataset,),
        output=request.output,
        info=header,
        minutes=request.minutes,
        batch_size=request.batch_size,
        crops=replace(model.crops, size=request.crop_size),
        rate=request.rate,
        backbone_rate=request.rate / 10,
        frozen_blocks=FROZEN_BLOCKS,
        seed=request.seed,
    )
    loss = PulledToStart(model.loss, network, PULL_TO_START)
    return Training(network, loss, training, should_stop=should_stop, on_event=on_event).run()
