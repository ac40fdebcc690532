"""From a registry name to a loaded model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.device.choice import choose_device
from models.device.threads import stay_within_quota
from models.errors import WeightsError
from models.networks.recognition import read_any_weights
from models.networks.registry import Architecture, find_architecture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from models.segmenter import Segmenter


def load_segmenter(
    name: str = "seednet",
    *,
    weights: Path | str | None = None,
    device: str = "auto",
    categories: Sequence[str] = (),
) -> Segmenter:
    """Load a model by its registry name.

    Args:
        weights: a weights file; None takes the one shipped with SeedHue, or, where none is shipped, a
            network with fresh heads on its pretrained backbone, which must be trained to be of use.
        device: "auto", "cpu", "cuda" or "mps".
        categories: class names of a fresh network, by default one class "object"; a weights file brings
            its own.

    Raises:
        SegmenterError: unknown name or device.
        WeightsError: the weights are missing, damaged or of another network.
    """
    stay_within_quota()
    architecture = find_architecture(name)
    if weights is not None:
        path = Path(weights)
    elif architecture.default_weights is not None:
        path = architecture.default_weights()
    else:
        return _fresh(architecture, tuple(categories) or ("object",), choose_device(device))
    info, tensors = read_any_weights(path)
    if info.architecture != name:
        raise WeightsError(f"{path}: holds a {info.architecture} model, not {name}.")
    return architecture.build(info, tensors, source=str(path), device=choose_device(device))


def _fresh(architecture: Architecture, categories: tuple[str, ...], device: torch.device) -> Segmenter:
    model = architecture.trainable(categories)
    info = replace(model.info, version=f"{architecture.name}-untrained")
    segmenter = architecture.build(info, model.network.state_dict(), source="a fresh network", device=device)
    segmenter.notice = f"{architecture.name} has learnt nothing yet: train it, or import weights for it."
    return segmenter
