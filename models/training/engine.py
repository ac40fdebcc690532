"""The training loop, for every architecture; Qt-free, stoppable between any two steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from models.data.crops import CropSettings, draw_crop
from models.data.sample import collate
from models.device.precision import mixed_precision
from models.training.averaging import WeightAverage
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.events import Finished, PhaseStarted, StepDone, TrainingEvent
from models.training.prefetch import Prefetcher, ProcessPrefetcher
from models.training.schedule import build_optimizer, learning_rate_factor, set_learning_rate
from models.training.trainable import GatheringLoss, Loss, PreparingLoss, RangedNetwork
from models.weights import WeightsInfo, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.data.copy_paste import CutoutLibrary
    from models.data.dataset import Dataset

CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 0.5
GRADIENT_NORM = 5.0
RANGE_CROPS = 40  # that a network's ranges are measured in after a training


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Everything a training depends on.

    Attributes:
        datasets: drawn from by weight.
        output: folder for the checkpoint and the weights; a checkpoint found there is resumed.
        weights_name: file name of the result inside `output`.
        info: header of the result.
        minutes, steps: the budget; the first one reached ends the training.
        frozen_blocks: so many early blocks of a pretrained backbone keep their weights.
        batch_size, crops: size of a step.
        processes: so many processes make the batches; 0 for a thread.
        half: store the weights as float16.
        seed: of every random choice.
    """

    datasets: tuple[Dataset, ...]
    output: Path
    info: WeightsInfo
    weights_name: str = "weights.safetensors"
    minutes: float | None = None
    steps: int | None = None
    batch_size: int = 6
    crops: CropSettings = field(default_factory=CropSettings)
    cutouts: CutoutLibrary | None = None
    rate: float = 1e-3
    backbone_rate: float = 2e-4
    weight_decay: float = 1e-4
    frozen_blocks: int = 3
    half: bool = False
    seed: int = 0
    processes: int = 0

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise ValueError("a training needs a budget: minutes, steps or both")
        if not any(d.pictures for d in self.datasets):
            raise ValueError("a training needs at least one annotated picture")
        if self.crops.whole and self.batch_size != 1:
            raise ValueError("whole pictures differ in size, so a step takes one of them")


def _freeze_normalization(network: nn.Module) -> None:
    """Keep the running statistics of a pretrained backbone's BatchNorm: small batches would spoil
    ImageNet's. A network without a `backbone`, or whose backbone begins from scratch, learns them."""
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, nn.Module) or getattr(backbone, "from_scratch", False):
        return
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _batch_maker(
    request: TrainingRequest, loss: Loss, start_step: int, process: int = 0
) -> Callable[[], Any]:
    """What the loss is called with, drawn differently after every resumption and in every process."""
    rng = np.random.default_rng((request.seed, start_step, process))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def make() -> Any:
        crops = [
            draw_crop(request.datasets, request.crops, rng, cutouts=request.cutouts)
            for _ in range(request.batch_size)
        ]
        batch = collate(crops)
        return loss.prepare(batch, generator) if isinstance(loss, PreparingLoss) else batch

    return make


def _batches(
    request: TrainingRequest, loss: Loss, start_step: int, device: torch.device
) -> Prefetcher[Any] | ProcessPrefetcher[Any]:
    maker = partial(_batch_maker, request, loss, start_step)
    if request.processes:
        return ProcessPrefetcher(maker, processes=request.processes, pinned=device.type == "cuda")
    return Prefetcher(maker())


class _Clock:
    """Progress of a training by steps and by time, whichever is further."""

    def __init__(self, request: TrainingRequest, step: int, seconds: float) -> None:
        self.request, self.step = request, step
        self._first_step, self._before = step, seconds
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    @property
    def progress(self) -> float:
        by_time = self.seconds / (60.0 * self.request.minutes) if self.request.minutes else 0.0
        by_steps = self.step / self.request.steps if self.request.steps else 0.0
        return min(1.0, max(by_time, by_steps))

    @property
    def seconds_left(self) -> float:
        candidates = []
        if self.request.minutes:
            candidates.append(60.0 * self.request.minutes - self.seconds)
        if self.request.steps:
            done = max(1, self.step - self._first_step)
            pace = (time.monotonic() - self._start) / done
            candidates.append((self.request.steps - self.step) * pace)
        return max(0.0, min(candidates))


def run_training(
    network: nn.Module,
    loss: Loss,
    request: TrainingRequest,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[TrainingEvent], None] = lambda _event: None,
) -> Path:
    """Train `network` in place and write its averaged weights.

    Args:
        network: any of the registry's, on its device, in training shape.
        loss: maps (network, batch, generator) to named terms; "loss" is minimised.

    Returns:
        The weights file. It is written also when `should_stop` ends the training early.
    """
    device = next(network.parameters()).device
    backbone = getattr(network, "backbone", None)
    begins_anew = getattr(backbone, "from_scratch", False)
    if backbone is not None and hasattr(backbone, "freeze_early_blocks") and not begins_anew:
        backbone.freeze_early_blocks(request.frozen_blocks)
    optimizer = build_optimizer(
        network, rate=request.rate, backbone_rate=request.backbone_rate, weight_decay=request.weight_decay
    )
    average = WeightAverage(network)
    resumed = load_checkpoint(request.output, network=network, average=average, optimizer=optimizer)
    clock = _Clock(request, *(resumed or (0, 0.0)))
    generator = torch.Generator().manual_seed(request.seed + clock.step)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    _freeze_normalization(network)
    on_event(PhaseStarted("training"))
    stopped = _loop(
        network, loss, request, clock, optimizer, average, generator, device, should_stop, on_event
    )
    if isinstance(loss, GatheringLoss):  # after a stop, too: what was gathered would be lost
        _teach_gathered(network, loss, loss.steps, clock, optimizer, average, generator, on_event)
    on_event(PhaseStarted("saving"))
    save_checkpoint(
        request.output,
        network=network,
        average=average,
        optimizer=optimizer,
        step=clock.step,
        seconds=clock.seconds,
    )
    average.copy_to(network)
    network.eval()
    if isinstance(network, RangedNetwork) and network.wants_ranges and not stopped:
        _widen_ranges(network, request, device)
    path = request.output / request.weights_name
    save_weights(path, network, _with_facts(request.info, clock, request), half=request.half)
    on_event(Finished(clock.step, clock.seconds, path, stopped))
    return path


def _loop(
    network: nn.Module,
    loss: Loss,
    request: TrainingRequest,
    clock: _Clock,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
    generator: torch.Generator,
    device: torch.device,
    should_stop: Callable[[], bool],
    on_event: Callable[[TrainingEvent], None],
) -> bool:
    """Steps until the budget is spent; True if `should_stop` ended them."""
    sums: dict[str, Tensor] = {}
    counted = 0
    take = loss.gather if isinstance(loss, GatheringLoss) else loss
    last_report = last_save = time.monotonic()
    with _batches(request, loss, clock.step, device) as batches:
        for batch in batches:
            if should_stop():
                return True
            if clock.progress >= 1.0:
                return False
            with mixed_precision(device):
                terms = take(network, batch, generator)
            if take is loss:
                set_learning_rate(optimizer, learning_rate_factor(clock.step, clock.progress))
                _learn(network, terms["loss"], optimizer, average)
            clock.step += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.detach()
            counted += 1
            now = time.monotonic()
            if now - last_report >= REPORT_SECONDS:
                means = {name: float(value) / counted for name, value in sums.items()}
                on_event(StepDone(clock.step, clock.progress, clock.seconds_left, means))
                sums, counted, last_report = {}, 0, now
            if now - last_save >= CHECKPOINT_SECONDS:
                save_checkpoint(
                    request.output,
                    network=network,
                    average=average,
                    optimizer=optimizer,
                    step=clock.step,
                    seconds=clock.seconds,
                )
                last_save = time.monotonic()
    return False


def _learn(
    network: nn.Module, loss: Tensor, optimizer: torch.optim.Optimizer, average: WeightAverage
) -> None:
    """One step, unless its gradient is no number."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    if torch.isfinite(norm):
        optimizer.step()
        average.update(network)


def _teach_gathered(
    network: nn.Module,
    loss: Loss,
    steps: int,
    clock: _Clock,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
    generator: torch.Generator,
    on_event: Callable[[TrainingEvent], None],
) -> None:
    """All steps of a gathering loss, at a rate that rises and falls over them; none if it has nothing."""
    sums: dict[str, Tensor] = {}
    for step in range(steps):
        set_learning_rate(optimizer, learning_rate_factor(step, step / steps))
        terms = loss(network, None, generator)
        if "loss" not in terms:  # steps without a gradient would go where the optimizer was heading
            return
        _learn(network, terms["loss"], optimizer, average)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value.detach() / steps
    on_event(StepDone(clock.step, 1.0, 0.0, {name: float(value) for name, value in sums.items()}))


def _widen_ranges(network: RangedNetwork, request: TrainingRequest, device: torch.device) -> None:
    rng = np.random.default_rng((request.seed, RANGE_CROPS))
    for _ in range(RANGE_CROPS):
        crop, _target = draw_crop(request.datasets, request.crops, rng)
        network.widen_ranges(crop[None].to(device))


def _with_facts(info: WeightsInfo, clock: _Clock, request: TrainingRequest) -> WeightsInfo:
    facts = {
        **info.facts,
        "steps": clock.step,
        "seconds": round(clock.seconds),
        "batch_size": request.batch_size,
        "crop": request.crops.size,
        "data": {d.name: d.weight for d in request.datasets},
    }
    return WeightsInfo(info.architecture, info.version, info.config, info.categories, facts)
