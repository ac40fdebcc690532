"""What a loss is called with, drawn from a training's data sets without end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.data.crops import draw_crop
from models.data.sample import collate
from models.training.prefetch import Prefetcher, ProcessPrefetcher
from models.training.trainable import Loss, PreparingLoss

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.training.request import TrainingRequest


def endless_batches(
    request: TrainingRequest, loss: Loss, start_step: int, device: torch.device
) -> Prefetcher[Any] | ProcessPrefetcher[Any]:
    """Batches made ahead of the steps, drawn differently after every resumption and in every process.

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
) -> Callable[[], Any]:
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
