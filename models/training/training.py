"""A training, of every network: Qt-free, stoppable between any two steps.

A step reads straight down: a batch that was made ahead (`batches`), the network's own loss, one step of the
optimiser, the average. Everything that changes on the way lives in `Training`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from models.data.readable import ReadableCrops
from models.device.precision import mixed_precision
from models.errors import TrainingError
from models.training.averaging import WeightAverage
from models.training.batches import endless_batches
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.events import (
    CheckpointFailed,
    Finished,
    LeftOut,
    PhaseStarted,
    StepDone,
    TrainingEvent,
)
from models.training.progress import TermMeans, TrainingClock
from models.training.schedule import build_optimizer, learning_rate_factor, set_learning_rate
from models.training.trainable import GatheringLoss, Loss, RangedNetwork
from models.weights import WeightsInfo, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.data.dataset import SetAside
    from models.training.request import TrainingRequest

CHECKPOINT_SECONDS = 30.0  # so much is lost at most
CHECKPOINT_SHARE = 0.02  # of the time, where writing is slow
REPORT_SECONDS = 0.5
GRADIENT_NORM = 5.0
LOST_STEPS = 100  # in a row, of which nothing was learnt, end a training: it has left the numbers
RANGE_CROPS = 40  # that a network's ranges are measured in after a training


class Training:
    """Trains a network in place and writes its averaged weights; resumes from a checkpoint.

    Its time runs from the moment it is made.

    Args:
        network: any of the registry's, on its device, in training shape.
        loss: maps (network, batch, generator) to named terms; "loss" is minimised.
        should_stop: asked before every step; True ends the training and keeps what was learnt.
        on_event: told what happens, in the caller's thread.

    Raises:
        CheckpointError: the output folder has a checkpoint that does not fit.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        request: TrainingRequest,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        on_event: Callable[[TrainingEvent], None] = lambda _event: None,
    ) -> None:
        self.network, self.loss, self.request = network, loss, request
        self._should_stop, self._on_event = should_stop, on_event
        self._device = next(network.parameters()).device
        backbone = _pretrained_backbone(network)
        if backbone is not None and hasattr(backbone, "freeze_early_blocks"):
            backbone.freeze_early_blocks(request.frozen_blocks)
        self._optimizer = build_optimizer(
            network,
            rate=request.rate,
            backbone_rate=request.backbone_rate,
            weight_decay=request.weight_decay,
        )
        self._average = WeightAverage(network)
        resumed = load_checkpoint(
            request.output, network=network, average=self._average, optimizer=self._optimizer
        )
        self.clock = TrainingClock(request, *(resumed or (0, 0.0)))
        self._generator = torch.Generator().manual_seed(request.seed + self.clock.step)
        self._means = TermMeans()
        self._learnt = self._lost = self._lost_in_a_row = 0  # steps of the optimiser
        self._set_aside: dict[Path, SetAside] = {}
        for dataset in request.datasets:
            self._leave_out(dataset.set_aside)

    def run(self) -> Path:
        """Take steps until the budget is spent.

        Returns:
            The weights file. It is written also when `should_stop` ends the training early.

        Raises:
            TrainingError: the loss was no number from the first step on, so nothing was learnt.
            ConverterError: none of the pictures can be read.
        """
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.train()
        _keep_statistics(self.network)
        self._on_event(PhaseStarted("training"))
        stopped = self._spend_budget()
        if isinstance(self.loss, GatheringLoss):  # after a stop, too: what was gathered would be lost
            self._teach_gathered(self.loss.steps)
        if self._lost and not self._learnt:
            raise TrainingError(
                f"the loss was no number in any of {self._lost} steps: nothing was learnt, and no weights "
                "were written. Train with a smaller learning rate, or from other weights."
            )
        self._on_event(PhaseStarted("saving"))
        self._save_checkpoint()
        path = self._write_weights(stopped)
        self._on_event(Finished(self.clock.step, self.clock.seconds, path, stopped))
        return path

    def _spend_budget(self) -> bool:
        """Steps until the budget is spent; True if `should_stop` ended them."""
        last_report = time.monotonic()
        next_save = last_report + CHECKPOINT_SECONDS
        with endless_batches(self.request, self.loss, self.clock.step, self._device) as batches:
            for batch, set_aside in batches:
                self._leave_out(set_aside)
                if self._should_stop():
                    return True
                if self.clock.progress >= 1.0 or self._lost_in_a_row >= LOST_STEPS:
                    return False
                self._step(batch)
                now = time.monotonic()
                if now - last_report >= REPORT_SECONDS:
                    self._report(self.clock.progress, self.clock.seconds_left)
                    last_report = now
                if now >= next_save:
                    self._save_checkpoint()
                    done = time.monotonic()
                    next_save = done + max(CHECKPOINT_SECONDS, (done - now) / CHECKPOINT_SHARE)
        return False

    def _step(self, batch: Any) -> None:
        ask = self.loss.gather if isinstance(self.loss, GatheringLoss) else self.loss
        with mixed_precision(self._device):
            terms = ask(self.network, batch, self._generator)
        if ask is self.loss:
            self._learn(terms["loss"], learning_rate_factor(self.clock.step, self.clock.progress))
        self.clock.step += 1
        self._means.add(terms)

    def _learn(self, loss: Tensor, rate: float) -> None:
        """One step of the optimiser, at a share of the learning rates, unless its gradient is no number."""
        set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        if torch.isfinite(norm):
            self._optimizer.step()
            self._average.update(self.network)
            self._learnt += 1
            self._lost_in_a_row = 0
        else:
            self._lost += 1
            self._lost_in_a_row += 1

    def _teach_gathered(self, steps: int) -> None:
        """All steps of a gathering loss, at a rate that rises and falls over them; none if it has nothing."""
        self._means = TermMeans()
        for step in range(steps):
            terms = self.loss(self.network, None, self._generator)
            if "loss" not in terms:  # steps without a gradient would go where the optimiser was heading
                return
            self._learn(terms["loss"], learning_rate_factor(step, step / steps))
            self._means.add(terms)
        self._report(1.0, 0.0)

    def _report(self, progress: float, seconds_left: float) -> None:
        self._on_event(StepDone(self.clock.step, progress, seconds_left, self._means.taken()))

    def _leave_out(self, files: Sequence[SetAside]) -> None:
        """Tell once of every file that the training does without; processes find out by themselves."""
        for file in files:
            if file.path not in self._set_aside:
                self._set_aside[file.path] = file
                self._on_event(LeftOut(file))

    def _save_checkpoint(self) -> None:
        """Put the state on the disk; a disk that is full must not end a training that could still be kept."""
        if self._lost_in_a_row:  # the state before was better
            return
        try:
            save_checkpoint(
                self.request.output,
                network=self.network,
                average=self._average,
                optimizer=self._optimizer,
                step=self.clock.step,
                seconds=self.clock.seconds,
            )
        except OSError as error:
            self._on_event(CheckpointFailed(self.request.output, error.strerror or str(error)))

    def _write_weights(self, stopped: bool) -> Path:
        """The averaged weights, with ranges measured anew unless somebody waits for the end."""
        network, request = self.network, self.request
        self._average.copy_to(network)
        network.eval()
        if not all(bool(v.isfinite().all()) for v in network.state_dict().values() if v.is_floating_point()):
            raise TrainingError("the weights are no numbers any more: they were not written.")
        if isinstance(network, RangedNetwork) and network.wants_ranges and not stopped:
            self._widen_ranges(network)
        path = request.output / request.weights_name
        save_weights(path, network, self._header(), half=request.half)
        return path

    def _widen_ranges(self, network: RangedNetwork) -> None:
        rng = np.random.default_rng((self.request.seed, RANGE_CROPS))
        crops = ReadableCrops(self.request.datasets, self.request.crops)
        for _ in range(RANGE_CROPS):
            crop, _target = crops.draw(rng)
            network.widen_ranges(crop[None].to(self._device))

    def _header(self) -> WeightsInfo:
        request = self.request
        facts = {
            **request.info.facts,
            "steps": self.clock.step,
            "seconds": round(self.clock.seconds),
            "batch_size": request.batch_size,
            "crop": request.crops.size,
            "data": {d.name: d.weight for d in request.datasets},
        }
        if self._set_aside:
            facts["set_aside"] = sorted(path.name for path in self._set_aside)
        if self._lost:
            facts["lost_steps"] = self._lost
        return replace(request.info, facts=facts)


def _pretrained_backbone(network: nn.Module) -> Any:
    """The network's backbone; None if it has none or it begins from scratch."""
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, nn.Module) or getattr(backbone, "from_scratch", False):
        return None
    return backbone


def _keep_statistics(network: nn.Module) -> None:
    """Keep the running statistics of a pretrained backbone's BatchNorm: small batches would spoil ImageNet's.
    Every other backbone learns them."""
    backbone = _pretrained_backbone(network)
    if backbone is None:
        return
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
