"""What the inference worker is asked and answers: frozen messages between the window and its thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


Region: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Make that model the one in use.

    Attributes:
        name: architecture as `models` registers it ("seednet").
        weights: a weights file instead of the active one.
    """

    name: str
    weights: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodeImage:
    """Encode a picture, or the half-open box `region` of it at full input resolution.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        key: what the picture is called in the cache; equal keys mean equal pixels.
    """

    image: NDArray[np.uint8]
    key: str
    model: LoadModel
    region: Region | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FindObjects:
    """Ask an encoding for every object it sees."""

    encoding: Any


@dataclass(frozen=True, slots=True, eq=False)
class LookCloser:
    """Look for small objects in the next part of the picture; one at a time, so that nobody waits long.

    Attributes:
        found: what FindObjects found in all of it.
        parts: so many parts have been looked at.
        seen: what they showed.
    """

    encoding: Any
    image: NDArray[np.uint8]
    found: Sequence[Any]
    model: LoadModel
    parts: int = 0
    seen: Sequence[Any] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LookedCloser:
    """Answer to LookCloser.

    Attributes:
        seen: what this part and those before it showed.
        objects: everything that was found, once the last part has been looked at; None before.
    """

    seen: Sequence[Any]
    objects: Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class ListModels:
    """Which models there are; asked after the first load, because answering needs torch.

    Attributes:
        store: folder of the user's own models.
        activate: version to make the active one first; "" goes back to the shipped model.
    """

    store: Path
    activate: str | None = None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model of the list; `model` is what to ask `LoadModel` for."""

    version: str
    title: str
    model: LoadModel
    active: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """What the worker does now, for the status bar."""

    title: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """Answer to LoadModel.

    Attributes:
        version: for example "seednet-1".
        categories: labels the model can name; may be empty.
        device: where it runs.
        notice: what the user should know about how it runs, or "".
    """

    name: str
    version: str
    categories: tuple[str, ...] = ()
    device: str = "cpu"
    notice: str = ""
