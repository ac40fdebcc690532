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

from models.data.crops import draw_crop
from models.device.precision import mixed_precision
from models.training.averaging import WeightAverage
from models.training.batches import endless_batches
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.events import Finished, PhaseStarted, StepDone, TrainingEvent
from models.training.progress import TermMeans, TrainingClock
from models.training.schedule import build_optimizer, learning_rate_factor, set_learning_rate
from models.training.trainable import GatheringLoss, Loss, RangedNetwork
from models.weights import WeightsInfo, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.training.request import TrainingRequest

CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 0.5
GRADIENT_NORM = 5.0
RANGE_CROPS = 40  # that a network's ranges are measured in after a training


class Training:
    """Trains a network in place and writes its averaged weights; resumes from a checkpoint.

    Its time runs from the moment it is made.

    Args:
        network: any of the registry's, on its device, in training shape.
        loss: maps (network, batch, generator) to named terms; "loss" is minimised.
        should_stop: asked before every step; True ends the training and keeps what was learnt.
        on_event: told what happens, in the caller's thread.
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

    def run(self) -> Path:
        """Take steps until the budget is spent.

        Returns:
            The weights file. It is written also when `should_stop` ends the training early.
        """
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.train()
        _keep_statistics(self.network)
        self._on_event(PhaseStarted("training"))
        stopped = self._spend_budget()
        if isinstance(self.loss, GatheringLoss):  # after a stop, too: what was gathered would be lost
            self._teach_gathered(self.loss.steps)
        self._on_event(PhaseStarted("saving"))
        self._save_checkpoint()
        path = self._write_weights(stopped)
        self._on_event(Finished(self.clock.step, self.clock.seconds, path, stopped))
        return path

    def _spend_budget(self) -> bool:
        """Steps until the budget is spent; True if `should_stop` ended them."""
        last_report = last_save = time.monotonic()
        with endless_batches(self.request, self.loss, self.clock.step, self._device) as batches:
            for batch in batches:
                if self._should_stop():
                    return True
                if self.clock.progress >= 1.0:
                    return False
                self._step(batch)
                now = time.monotonic()
                if now - last_report >= REPORT_SECONDS:
                    self._report(self.clock.progress, self.clock.seconds_left)
                    last_report = now
                if now - last_save >= CHECKPOINT_SECONDS:
                    self._save_checkpoint()
                    last_save = time.monotonic()
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

    def _save_checkpoint(self) -> None:
        save_checkpoint(
            self.request.output,
            network=self.network,
            average=self._average,
            optimizer=self._optimizer,
            step=self.clock.step,
            seconds=self.clock.seconds,
        )

    def _write_weights(self, stopped: bool) -> Path:
        """The averaged weights, with ranges measured anew unless somebody waits for the end."""
        network, request = self.network, self.request
        self._average.copy_to(network)
        network.eval()
        if isinstance(network, RangedNetwork) and network.wants_ranges and not stopped:
            self._widen_ranges(network)
        path = request.output / request.weights_name
        save_weights(path, network, self._header(), half=request.half)
        return path

    def _widen_ranges(self, network: RangedNetwork) -> None:
        rng = np.random.default_rng((self.request.seed, RANGE_CROPS))
        for _ in range(RANGE_CROPS):
            crop, _target = draw_crop(self.request.datasets, self.request.crops, rng)
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
