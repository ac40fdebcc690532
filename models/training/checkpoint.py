"""A training's state on disk, so that it can go on after an interruption or with a longer budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from converters.files.replacing import replacing
from models.errors import CheckpointError
from models.weights import describe_misfit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.training.averaging import WeightAverage

CHECKPOINT_NAME = "checkpoint.pt"
DAMAGED = "this checkpoint is damaged or cut off"
FOREIGN = "this checkpoint is of another training"


def save_checkpoint(
    folder: Path,
    *,
    network: nn.Module,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    """Write atomically; the file holds only tensors and numbers.

    Raises:
        OSError: it cannot be written; the checkpoint before is still there.
    """
    with replacing(folder / CHECKPOINT_NAME) as temporary:
        try:
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
        except RuntimeError as error:  # so torch calls a full disk
            raise OSError(f"the state could not be written ({str(error).splitlines()[0]})") from error


def load_checkpoint(
    folder: Path, *, network: nn.Module, average: WeightAverage, optimizer: torch.optim.Optimizer
) -> tuple[int, float] | None:
    """Restore a state in place; nothing is changed unless all of it fits.

    Returns:
        (step, seconds already spent), or None if the folder holds no checkpoint.

    Raises:
        CheckpointError: the file is damaged, or of another training.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return None
    state = _read(path)
    wanted = network.state_dict()
    for name in ("network", "average"):
        misfit = describe_misfit(wanted, state[name])
        if misfit is not None:
            raise CheckpointError(path, f"{FOREIGN}: {misfit}")
        if not all(bool(t.isfinite().all()) for t in state[name].values() if t.is_floating_point()):
            raise CheckpointError(path, "the weights in this checkpoint are no numbers")
    try:
        _check_optimizer(optimizer, state["optimizer"])
        optimizer.load_state_dict(state["optimizer"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(path, f"{FOREIGN}: other parts of the network were learning") from error
    network.load_state_dict(state["network"])
    device = next(network.parameters()).device
    average.values = {k: v.to(device) for k, v in state["average"].items()}
    average.steps = state["average_steps"]
    return state["step"], float(state["seconds"])


def _read(path: Path) -> dict[str, Any]:
    """The state, with everything in it of the right kind."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for damaged files
        raise CheckpointError(path, DAMAGED) from error
    if not isinstance(state, dict):
        raise CheckpointError(path, DAMAGED)
    counts = all(isinstance(state.get(name), int) and state[name] >= 0 for name in ("step", "average_steps"))
    seconds = state.get("seconds")
    timed = isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
    tables = all(_is_table(state.get(name)) for name in ("network", "average"))
    if not (counts and timed and tables and isinstance(state.get("optimizer"), dict)):
        raise CheckpointError(path, DAMAGED)
    return state


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


def _check_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """`load_state_dict` compares numbers of parameters, not their shapes: these would fail at the first step.

    Raises:
        ValueError: the state is of other parameters.
    """
    own = [p for group in optimizer.param_groups for p in group["params"]]
    places = [place for group in state["param_groups"] for place in group["params"]]
    for parameter, place in zip(own, places, strict=True):
        mean = state["state"].get(place, {}).get("exp_avg")
        if mean is not None and mean.shape != parameter.shape:
            raise ValueError("a parameter of another shape")
