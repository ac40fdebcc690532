"""Trains a network on generated shapes and judges it on unseen ones; shared by the learning tests."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models.data.augment import ColorJitter
from models.data.crops import CropSettings
from models.data.shapes import make_shapes
from models.evaluation.coco import CocoReport, evaluate_coco
from models.networks.loading import load_segmenter
from models.training.events import StepDone
from models.training.request import TrainingRequest
from models.training.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.data.dataset import Dataset
    from models.segmenter import Segmenter
    from models.training.trainable import TrainableModel

SIZE = 128
JITTER = ColorJitter(
    0.1,
    0.1,
    0.1,
    8.0,
    grey_probability=0.0,
    blur_probability=0.0,
    noise_probability=0.0,
    jpeg_probability=0.0,
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training reached on unseen shapes, and at what cost.

    Attributes:
        segmenter: what was learnt.
        unseen: what it was judged on.
        seconds: of the training, by the clock.
        cpu_seconds: of all its threads together; on a machine that does nothing else, up to twice `seconds`
            with two cores.
    """

    segmenter: Segmenter
    unseen: Dataset
    report: CocoReport
    seconds: float
    cpu_seconds: float


def learn_shapes(
    model: TrainableModel,
    folder: Path,
    *,
    steps: int,
    batch_size: int = 8,
    rate: float = 2e-3,
    pictures: int = 3000,
    on_terms: Callable[[int, dict[str, float]], None] = lambda _step, _terms: None,
) -> Learned:
    """Train on generated pictures, then judge the masks on 60 others, class by class.

    The budget is counted in steps, so that the learning rate falls alike on a busy and on an idle machine.
    """
    train = make_shapes(folder / "train", count=pictures, size=SIZE, seed=1)
    unseen = make_shapes(folder / "unseen", count=60, size=SIZE, seed=2)
    assert model.info.categories == train.categories
    crops = CropSettings(
        size=SIZE,
        long_side=(110, 150),
        mask_stride=model.crops.mask_stride,
        cutout_probability=0.0,
        jitter=JITTER,
    )

    def on_event(event: object) -> None:
        if isinstance(event, StepDone):
            on_terms(event.step, event.losses)

    start, cpu_start = time.monotonic(), time.process_time()
    path = Training(
        model.network,
        model.loss,
        TrainingRequest(
            (train,),
            folder / "out",
            replace(model.info, config={**model.info.config, "long_side": SIZE}),
            steps=steps,
            batch_size=batch_size,
            crops=crops,
            rate=rate,
            backbone_rate=rate,  # it begins at random, too
        ),
        on_event=on_event,
    ).run()
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
    segmenter = load_segmenter(model.info.architecture, weights=path, device="cpu")
    report = evaluate_coco(segmenter, unseen, class_agnostic=False)
    return Learned(segmenter, unseen, report, seconds, cpu_seconds)
