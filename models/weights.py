"""Weights files: safetensors with the architecture's name and sizes in the header."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import WeightsError


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """The header of a weights file.

    Attributes:
        architecture: registry name.
        version: what the segmenter calls itself, for example "seednet-1".
        config: the architecture's sizes.
        categories: class names, empty for class-agnostic networks.
        facts: anything else worth keeping: parent, scores, steps, data.
    """

    architecture: str
    version: str
    config: dict[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def save_weights(path: Path, network: nn.Module, info: WeightsInfo, *, half: bool = False) -> None:
    """Write atomically; `half` stores floating-point tensors as float16."""
    save_tensors(path, network.state_dict(), info, half=half)


def save_tensors(path: Path, state: dict[str, Tensor], info: WeightsInfo, *, half: bool = False) -> None:
    """`save_weights` for a state dict, whatever network it belongs to."""
    tensors = {
        name: (t.half() if half and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in state.items()
        if not name.endswith("num_batches_tracked")
    }
    header = {
        "seedhue": json.dumps(
            {
                "architecture": info.architecture,
                "version": info.version,
                "config": info.config,
                "categories": list(info.categories),
                "facts": info.facts,
            }
        )
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    save_file(tensors, str(temporary), metadata=header)
    os.replace(temporary, path)


def read_weights(path: Path) -> tuple[WeightsInfo | None, dict[str, Tensor]]:
    """Read a safetensors file, or a torch file of plain tensors.

    Returns:
        The header (None if the file was not written by SeedHue) and the tensors by name.

    Raises:
        WeightsError: the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for damaged or unsafe files
        raise WeightsError(f"{path}: not a readable weights file ({type(error).__name__}).") from error
    if isinstance(state, dict):
        for key in ("state_dict", "model", "network"):
            if isinstance(state.get(key), dict):
                state = state[key]
                break
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path}: holds no table of named tensors.")
    return None, state


def _read_safetensors(path: Path) -> tuple[WeightsInfo | None, dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file.") from error
    return _parse_header(path, metadata), tensors


def _parse_header(path: Path, metadata: dict[str, str]) -> WeightsInfo | None:
    if "seedhue" not in metadata:
        return None
    try:
        header = json.loads(metadata["seedhue"])
        return WeightsInfo(
            architecture=str(header["architecture"]),
            version=str(header["version"]),
            config=dict(header["config"]),
            categories=tuple(str(c) for c in header["categories"]),
            facts=dict(header.get("facts", {})),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: the header is damaged.") from error


def load_into(network: nn.Module, tensors: dict[str, Tensor], *, source: str) -> None:
    """Load tensors into a network, all of them, with a clear message if they do not fit.

    Raises:
        WeightsError: names or shapes differ.
    """
    own = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    given = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - given.keys())
    surplus = sorted(given.keys() - own.keys())
    shapes = sorted(k for k in own.keys() & given.keys() if own[k].shape != given[k].shape)
    if missing or surplus or shapes:
        parts = [
            f"{len(names)} {what} (first: {names[0]})"
            for names, what in ((missing, "missing"), (surplus, "unknown"), (shapes, "of another shape"))
            if names
        ]
        raise WeightsError(f"{source}: these weights belong to another network: {', '.join(parts)}.")
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in given.items()}, strict=False)


def load_matching(network: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Load the tensors that fit by name and shape; for a network whose heads are made for other classes.

    Returns:
        The network's names that were not found and keep the values they had.
    """
    own = network.state_dict()
    fitting = {k: v.to(own[k].dtype) for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict(fitting, strict=False)
    return sorted(k for k in own.keys() - fitting.keys() if not k.endswith("num_batches_tracked"))
