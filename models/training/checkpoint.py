"""A training's state on disk, so that it can go on after an interruption or with a longer budget."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path

    from models.training.averaging import WeightAverage

CHECKPOINT_NAME = "checkpoint.pt"


def save_checkpoint(
    folder: Path,
    *,
    network: nn.Module,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    """Write atomically; the file holds only tensors and numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (CHECKPOINT_NAME + ".tmp")
    torch.save(
        {
            "network": network.state_dict(),
            "average": average.values,
            "average_steps": average.steps,
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seconds": seconds,
        },
        temporary,
    )
    os.replace(temporary, folder / CHECKPOINT_NAME)


def load_checkpoint(
    folder: Path, *, network: nn.Module, average: WeightAverage, optimizer: torch.optim.Optimizer | None
) -> tuple[int, float] | None:
    """Restore a state in place.

    Returns:
        (step, seconds already spent), or None if the folder holds no checkpoint.
    """
    path = folder / CHECKPOINT_NAME
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    average.values = state["average"]
    average.steps = int(state["average_steps"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["seconds"])
