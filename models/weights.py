"""Weights files: safetensors with the architecture's name and sizes in the header."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BOOKKEEPING = "num_batches_tracked"  # BatchNorm counts its steps; no answer depends on it
# Under which keys training programs keep the table of weights; the averaged ones first.
TABLES = ("average", "state_dict", "model_state_dict", "model", "network")
NAMED = 4  # so many names are given of each kind of misfit


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
        if not name.endswith(BOOKKEEPING)
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
        with warnings.catch_warnings(action="ignore"):  # about foreign pickle protocols, which are refused
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: it holds Python objects, not only tensors, or is no torch file at all. SeedHue runs no "
            "code from a weights file: save the plain state dict, or use safetensors."
        ) from error
    except Exception as error:  # torch raises a dozen types for damaged files
        raise WeightsError(f"{path}: not a readable weights file ({type(error).__name__}).") from error
    if isinstance(state, dict):
        for key in TABLES:
            if isinstance(state.get(key), dict):
                state = state[key]
                break
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path}: holds no table of named tensors.")
    return None, state


def read_header(path: Path) -> WeightsInfo | None:
    """What a safetensors file says it holds, without reading its tensors; None if SeedHue did not write it.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file.")
    with _opened(path) as file:
        return _parse_header(path, file.metadata() or {})


def _read_safetensors(path: Path) -> tuple[WeightsInfo | None, dict[str, Tensor]]:
    with _opened(path) as file:
        info = _parse_header(path, file.metadata() or {})
        return info, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file.") from error


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


def describe_misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    """Which names are missing, unknown, or of another shape; None if all fit."""
    own = {k: tuple(v.shape) for k, v in wanted.items() if not k.endswith(BOOKKEEPING)}
    there = {k: tuple(v.shape) for k, v in given.items() if not k.endswith(BOOKKEEPING)}
    shapes = [
        f"{name} is {_times(there[name])}, not {_times(own[name])}"
        for name in sorted(own.keys() & there.keys())
        if own[name] != there[name]
    ]
    kinds = {
        "missing": sorted(own.keys() - there.keys()),
        "unknown": sorted(there.keys() - own.keys()),
        "of another shape": shapes,
    }
    parts = [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds.items() if names]
    return "; ".join(parts) or None


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Load tensors into a network, all of them, with a clear message if they do not fit.

    Raises:
        WeightsError: names or shapes differ.
    """
    own = network.state_dict()
    misfit = describe_misfit(own, tensors)
    if misfit is not None:
        raise WeightsError(f"{source}: these weights belong to another network: {misfit}.")
    given = {k: v.to(own[k].dtype) for k, v in tensors.items() if k in own}
    network.load_state_dict(given, strict=False)


def load_matching(network: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Load the tensors that fit by name and shape; for a network whose heads are made for other classes.

    Returns:
        The network's names that were not found and keep the values they had.
    """
    own = network.state_dict()
    fitting = {k: v.to(own[k].dtype) for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict(fitting, strict=False)
    return sorted(k for k in own.keys() - fitting.keys() if not k.endswith("num_batches_tracked"))
