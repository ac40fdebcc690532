"""Weights files: safetensors with the architecture's name and sizes in the header."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from converters.files.replacing import replacing
from models.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

BOOKKEEPING = "num_batches_tracked"  # BatchNorm counts its steps; no answer depends on it
# Under which keys training programs keep the table of weights; the averaged ones first.
TABLES = ("average", "state_dict", "model_state_dict", "model", "network")
SIDES = (32, 4096)  # pixels of `long_side`, what pictures are scaled to
LARGEST_SIZE = 1 << 16  # of anything a network is made of; a header that names more lies
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
    """Write atomically; `half` stores floating-point tensors as float16.

    Raises:
        WeightsError: the file cannot be written, for example because the disk is full.
    """
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
    with writing(path) as temporary:
        save_file(tensors, str(temporary), metadata=header)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary file that becomes the weights file `path` once all of it is on the disk.

    Raises:
        WeightsError: it cannot be written; nothing is left behind, and a file that was there is as before.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except (SafetensorError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WeightsError(
            f"{path}: the weights could not be written ({reason}). Free some space or choose another folder."
        ) from error


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
    named = isinstance(state, dict) and all(isinstance(name, str) for name in state)
    if not named or not all(isinstance(v, Tensor) for v in state.values()):
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
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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


def stored_sizes(make: Callable[..., Any], values: Mapping[str, Any], *, source: str) -> Any:
    """The sizes that a header names, each of its kind and no larger than a network can be.

    Args:
        make: a dataclass of sizes, all with defaults, or what makes one of them.

    Raises:
        WeightsError: there is no such size, or its value is none.
    """
    try:
        usual, config = make(), make(**values)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{source}: written by another version of SeedHue ({error}).") from error
    for one in fields(config):
        value = getattr(config, one.name)
        possible = is_like(value, getattr(usual, one.name)) and _is_possible(value)
        if not possible or (one.name == "long_side" and not SIDES[0] <= value <= SIDES[1]):
            shown = ascii(value)[:40]
            raise WeightsError(f'{source}: the header is damaged: its size "{one.name}" cannot be {shown}.')
    return config


def is_like(value: Any, usual: Any) -> bool:
    """Whether a value may stand where the usual one stands."""
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(usual, bool) and isinstance(value, bool)
    if isinstance(usual, tuple):  # JSON makes lists of them
        listed = isinstance(value, tuple | list) and all(isinstance(v, int | float) for v in value)
        return listed and (not usual or len(value) == len(usual))
    if usual is None or (value is None and isinstance(usual, float)):
        return value is None or isinstance(value, int | float)
    if isinstance(usual, float):
        return isinstance(value, int | float)
    return isinstance(value, type(usual))


def _is_possible(value: Any) -> bool:
    numbers = value if isinstance(value, tuple | list) else (value,)
    return all(
        math.isfinite(n) and 0 <= n <= LARGEST_SIZE
        for n in numbers
        if isinstance(n, int | float) and not isinstance(n, bool)
    )


def check_on_paper(network: Callable[[], nn.Module], tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Compare names and shapes with a network that takes no memory: a header's sizes may be anything.

    Raises:
        WeightsError: no network has such sizes, or it is not the one that the tensors are of.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # about layers of nothing
            wanted = network().state_dict()
    except (ValueError, RuntimeError, TypeError, LookupError, ArithmeticError, AssertionError) as error:
        raise WeightsError(f"{source}: its sizes fit no network ({error}).") from error
    misfit = describe_misfit(wanted, tensors)
    if misfit is not None:
        raise WeightsError(f"{source}: these weights belong to another network: {misfit}.")


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
