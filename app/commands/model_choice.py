"""Which weights a model name stands for: the user's active version, else the shipped one. Qt-free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.project.folders import data_dir

if TYPE_CHECKING:
    from models import Segmenter
    from models.store import ModelStore


def user_model_store() -> ModelStore:
    """The store of this user's fine-tuned and imported models."""
    from models.store import ModelStore

    return ModelStore(data_dir() / "models")


def load_chosen_segmenter(
    name: str | None = None, weights: Path | None = None, *, device: str = "auto"
) -> Segmenter:
    """Load a model by its registry name or by the name of one of the user's versions.

    Args:
        name: None for whatever network a weights file is of, without one for SeedNet.
        weights: a weights file instead of the active version's.

    Raises:
        SegmenterError: there is no such model.
    """
    from models import load_segmenter
    from models.networks.recognition import architecture_of

    if weights is not None:
        return load_segmenter(name or architecture_of(weights), weights=weights, device=device)
    name = name or "seednet"
    stored = user_model_store().models()
    for model in stored:
        if model.weights is not None and (
            model.version == name or (model.active and model.architecture == name)
        ):
            return load_segmenter(model.architecture, weights=model.weights, device=device)
    return load_segmenter(name, device=device)


def find_weights(name: str) -> Path:
    """The weights file of that name, or else of one of the user's versions.

    A name that is neither comes back as a path, for whoever reads it to say that there is no such file.
    """
    from models import WeightsError

    path = Path(name)
    if path.is_file():
        return path
    try:
        return user_model_store().weights_of(name)
    except WeightsError:
        return path
