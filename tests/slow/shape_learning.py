"""Trains a network on generated shapes and judges it on unseen ones; shared by the learning tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from models.data.augment import ColorJitter
from models.data.crops import CropSettings
from models.data.shapes import make_shapes
from models.evaluation.coco import CocoReport, evaluate_coco
from models.registry import load_segmenter
from models.training.engine import TrainingRequest, run_training
from models.training.events import StepDone
from models.training.trainable import TrainableModel

SIZE = 128
JITTER = ColorJitter(0.1, 0.1, 0.1, 8.0, grey_probability=0.0, blur_probability=0.0, noise_probability=0.0)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training reached on unseen shapes, and at what cost.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of all threads together; on a machine that does nothing else, up to twice `seconds`
            with two cores.
    """

    report: CocoReport
    seconds: float
    cpu_seconds: float
    steps: int


def learn_shapes(
    model: TrainableModel,
    folder: Path,
    *,
    minutes: float,
    batch_size: int = 8,
    rate: float = 2e-3,
    backbone_rate: float = 1e-3,
    frozen_blocks: int = 0,
    on_terms: Callable[[int, dict[str, float]], None] = lambda _step, _terms: None,
) -> Learned:
    """Train for `minutes` on 400 pictures, then judge the masks on 60 others, class by class."""
    train = make_shapes(folder / "train", count=400, size=SIZE, seed=1)
    unseen = make_shapes(folder / "unseen", count=60, size=SIZE, seed=2)
    assert model.info.categories in ((), train.categories)
    crops = CropSettings(
        size=SIZE,
        long_side=(110, 150),
        mask_stride=model.crops.mask_stride,
        cutout_probability=0.0,
        jitter=JITTER,
    )
    steps = 0

    def on_event(event: object) -> None:
        nonlocal steps
        if isinstance(event, StepDone):
            steps = event.step
            on_terms(event.step, event.losses)

    torch.manual_seed(0)
    start, cpu_start = time.monotonic(), time.process_time()
    path = run_training(
        model.network,
        model.loss,
        TrainingRequest(
            (train,),
            folder / "out",
            replace(model.info, config={**model.info.config, "long_side": SIZE}),
            minutes=minutes,
            batch_size=batch_size,
            crops=crops,
            rate=rate,
            backbone_rate=backbone_rate,
            frozen_blocks=frozen_blocks,
        ),
        on_event=on_event,
    )
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
    segmenter = load_segmenter(model.info.architecture, weights=path, device="cpu")
    report = evaluate_coco(segmenter, unseen, class_agnostic=False)
    return Learned(report, seconds, cpu_seconds, steps)
