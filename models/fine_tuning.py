"""Fine-tuning on a user's own masks: measured before and after on held-out objects, object by object.

The backbone stays as it is and every weight is pulled back towards where it started (L2-SP, Li et al.,
ICML 2018), so that a handful of objects cannot make the model forget the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from converters.errors import ConverterError
from models.data.dataset import SetAside
from models.device.choice import choose_device
from models.errors import Cancelled
from models.evaluation.clicks import evaluate_picture
from models.evaluation.paired import PairedDifference, paired_difference
from models.networks.registry import find_architecture
from models.training.events import LeftOut, PhaseStarted, TrainingEvent, Validated
from models.training.request import TrainingRequest
from models.training.training import Training
from models.weights import WeightsInfo, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset
    from models.data.sample import Batch
    from models.training.trainable import Loss

HELD_OUT_SHARE = 0.2
MAX_HELD_OUT_PICTURES = 20
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
        held_out: what is not learnt from, by `names_of_held_out`; None chooses. A training that goes on must
            not learn from what it is judged by.
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
    held_out: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """What came of it.

    Attributes:
        weights: the new weights file.
        before, after: mean one-click IoU on the held-out objects.
        difference: of the objects one by one, and how sure it is.
    """

    weights: Path
    before: float
    after: float
    difference: PairedDifference


def names_of_held_out(dataset: Dataset, seed: int = 0) -> tuple[str, ...]:
    """What is to be held out: pictures, at least one; of a single picture some of its objects.

    Raises:
        ValueError: fewer than two objects.
    """
    if sum(len(p.objects) for p in dataset.pictures) < 2:
        raise ValueError("fine-tuning needs at least two annotated objects: one to learn from, one to check.")
    rng = np.random.default_rng(seed)
    if len(dataset.pictures) == 1:
        [picture] = dataset.pictures
        chosen = _draw(len(picture.objects), len(picture.objects), rng)
        return tuple(_name_of(picture, picture.objects[i]) for i in chosen)
    chosen = _draw(len(dataset.pictures), MAX_HELD_OUT_PICTURES, rng)
    return tuple(str(dataset.pictures[i].path) for i in chosen)


def _draw(count: int, most: int, rng: np.random.Generator) -> list[int]:
    held_out = min(most, max(1, round(HELD_OUT_SHARE * count)))
    return sorted(rng.permutation(count)[:held_out].tolist())


def _name_of(picture: AnnotatedPicture, item: AnnotatedObject) -> str:
    return f"{picture.path}#{','.join(map(str, item.mask.box))}"


def split_held_out(dataset: Dataset, names: Collection[str]) -> tuple[Dataset, Dataset]:
    """What to learn from, and what to judge by: the pictures and objects of these names.

    The objects of one picture never stand on both sides unless they are named one by one.
    """
    known, learnt, judged = set(names), [], []
    for picture in dataset.pictures:
        if str(picture.path) in known:
            judged.append(picture)
            continue
        aside = tuple(o for o in picture.objects if _name_of(picture, o) in known)
        rest = tuple(o for o in picture.objects if _name_of(picture, o) not in known)
        # What belongs to the other side is not background.
        exhaustive = picture.exhaustive and not aside
        if aside:
            judged.append(replace(picture, objects=aside, exhaustive=False))
        if rest:
            learnt.append(replace(picture, objects=rest, exhaustive=exhaustive))
    return replace(dataset, pictures=tuple(learnt)), replace(dataset, pictures=tuple(judged))


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
    should_leave: Callable[[], bool] = lambda: False,
    on_event: Callable[[TrainingEvent], None] = lambda _event: None,
) -> FineTuneResult:
    """Measure, train, measure again.

    Stopping during the training keeps what was learned so far; stopping before it raises. A picture that
    cannot be read is left out, which `on_event` tells.

    Args:
        should_stop: ends the training and measures what it learnt.
        should_leave: ends everything; a checkpoint stays in the output folder, to go on from.

    Raises:
        Cancelled: `should_stop` answered True before anything was learned, or `should_leave` at any time.
        ValueError: fewer than two annotated objects.
        CheckpointError: the output folder has a checkpoint of another training, or a damaged one.
        TrainingError: nothing was learnt.
        WeightsError: the base weights do not fit the architecture.
    """

    def ends() -> bool:
        return should_stop() or should_leave()

    on_event(PhaseStarted("collecting"))
    training, held_out = _split(request)
    on_event(PhaseStarted("baseline"))
    held_out = _readable(held_out, on_event)
    before = _measure(request.architecture, request.base, held_out, ends)
    on_event(Validated(0, _mean(before)))
    weights = _train(request, training, ends, on_event)
    on_event(PhaseStarted("validating"))
    after = _measure(request.architecture, weights, held_out, should_leave)
    on_event(Validated(1, _mean(after)))
    return FineTuneResult(weights, _mean(before), _mean(after), paired_difference(before, after))


def _split(request: FineTuneRequest) -> tuple[Dataset, Dataset]:
    """What was held out before stays so; if nothing of it is left, or nothing else is, it is chosen anew."""
    chosen = names_of_held_out(request.dataset, request.seed)
    if request.held_out is not None:
        training, held_out = split_held_out(request.dataset, request.held_out)
        if training.pictures and held_out.pictures:
            return training, held_out
    return split_held_out(request.dataset, chosen)


def _readable(dataset: Dataset, on_event: Callable[[TrainingEvent], None]) -> Dataset:
    """The pictures that can be read; the same ones are measured before and after."""
    kept = []
    for picture in dataset.pictures:
        try:
            picture.pixels()
            kept.append(picture)
        except ConverterError as error:
            on_event(LeftOut(SetAside.because(error, picture.path)))
    return replace(dataset, pictures=tuple(kept))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _measure(
    architecture: str, weights: Path, held_out: Dataset, should_stop: Callable[[], bool]
) -> list[float]:
    """One-click IoU of every held-out object that is large enough.

    Raises:
        Cancelled: `should_stop` answered True.
    """
    info, tensors = read_weights(weights)
    segmenter = find_architecture(architecture).build(
        info, tensors, source=str(weights), device=choose_device()
    )
    scores: list[float] = []
    for picture in held_out.pictures:
        if should_stop():
            raise Cancelled
        found = evaluate_picture(segmenter, picture, held_out.categories, count=False)
        scores += [score.iou for score in found]
    if should_stop():
        raise Cancelled
    return scores


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
