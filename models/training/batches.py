"""What a loss is called with, drawn from a training's data sets without end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from models.data.readable import ReadableCrops
from models.data.sample import collate
from models.training.prefetch import Prefetcher, ProcessPrefetcher
from models.training.trainable import Loss, PreparingLoss

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.data.dataset import SetAside
    from models.training.request import TrainingRequest

Made: TypeAlias = tuple[Any, tuple["SetAside", ...]]
"""What a loss is called with, and the files that were set aside on the way there."""


def endless_batches(
    request: TrainingRequest, loss: Loss, start_step: int, device: torch.device
) -> Prefetcher[Made] | ProcessPrefetcher[Made]:
    """Batches made ahead of the steps, drawn differently after every resumption and in every process.

    Each comes with the pictures that this process found not to be readable since the one before.

    Args:
        start_step: how many steps were done before.
        device: of the network.
    """
    maker = partial(_batch_maker, request, loss, start_step)
    if request.processes:
        return ProcessPrefetcher(maker, processes=request.processes, pinned=device.type == "cuda")
    return Prefetcher(maker())


def _batch_maker(
    request: TrainingRequest, loss: Loss, start_step: int, process: int = 0
) -> Callable[[], Made]:
    crops = ReadableCrops(request.datasets, request.crops, request.cutouts)
    rng = np.random.default_rng((request.seed, start_step, process))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def make() -> Made:
        batch = collate([crops.draw(rng) for _ in range(request.batch_size)])
        ready = loss.prepare(batch, generator) if isinstance(loss, PreparingLoss) else batch
        return ready, crops.taken()

    return make
