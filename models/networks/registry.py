"""The networks by name. A new one is one file in `architectures` and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.device.choice import choose_device
from models.errors import SegmenterError, WeightsError
from models.networks.deep_metric_learning.encoding import DEEP_METRIC_LEARNING
from models.networks.embedmask.encoding import EMBEDMASK
from models.networks.fcn.encoding import FCN_FAMILY
from models.networks.panoptic.encoding import PANOPTIC
from models.networks.proposals.families import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN, YOLACT
from models.networks.recognition import recognize
from models.networks.spatial_embeddings.encoding import SPATIAL_EMBEDDINGS
from models.seednet.segmenter import build_seednet, shipped_weights
from models.seednet.training.lessons import trainable_seednet
from models.segmenter import Segmenter
from models.weights import WeightsInfo, read_header, read_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.networks.family import NetworkFamily
    from models.training.trainable import TrainableModel

Builder = Callable[..., Segmenter]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One line of the registry.

    Attributes:
        title: what the window calls it.
        build: (info, tensors, source=, device=) -> Segmenter.
        trainable: (categories, pretrained_backbone=, start=) -> TrainableModel; `start` is the header and
            tensors of weights to continue from, or None for fresh heads. Those of a `NetworkFamily` also
            take `config` and `sizes`.
        default_weights: the file shipped with SeedHue, or None.
    """

    name: str
    title: str
    build: Builder
    trainable: Callable[..., TrainableModel]
    default_weights: Callable[[], Path] | None = None


def _line(title: str, family: NetworkFamily) -> Architecture:
    return Architecture(family.name, title, family.build, family.trainable)


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        Architecture("seednet", "SeedNet", build_seednet, trainable_seednet, shipped_weights),
        _line("Deep metric learning", DEEP_METRIC_LEARNING),
        _line("EmbedMask", EMBEDMASK),
        _line("Spatial embeddings", SPATIAL_EMBEDDINGS),
        _line("Mask R-CNN", MASK_RCNN),
        _line("Mask Scoring R-CNN", MASK_SCORING_RCNN),
        _line("Mask^X R-CNN", MASK_X_RCNN),
        _line("YOLACT", YOLACT),
        _line("FCN", FCN_FAMILY),
        _line("Panoptic", PANOPTIC),
    )
}


def find_architecture(name: str) -> Architecture:
    """The registry's line for a name.

    Raises:
        SegmenterError: there is none.
    """
    if name not in ARCHITECTURES:
        raise SegmenterError(f'there is no model called "{name}"; there are: {", ".join(ARCHITECTURES)}.')
    return ARCHITECTURES[name]


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
    architecture = find_architecture(name)
    if weights is not None:
        path = Path(weights)
    elif architecture.default_weights is not None:
        path = architecture.default_weights()
    else:
        return _fresh(architecture, tuple(categories) or ("object",), choose_device(device))
    info, tensors = _read_for(architecture, path)
    return architecture.build(info, tensors, source=str(path), device=choose_device(device))


def read_any_weights(path: Path) -> tuple[WeightsInfo, dict[str, Tensor]]:
    """A model's weights, or a backbone's alone, with a header; one is made for a file without.

    Raises:
        WeightsError: the file is damaged, or of no network known here.
    """
    info, tensors = read_weights(path)
    if info is not None:
        return info, tensors
    found = recognize(tensors, source=str(path))
    return found.info, found.tensors


def architecture_of(path: Path) -> str:
    """The registry name of the network, or the name of the backbone alone, that a weights file is of.

    Raises:
        WeightsError: the file is missing, damaged, or of no network known here.
    """
    info = read_header(path) if path.suffix == ".safetensors" else None
    return (info or read_any_weights(path)[0]).architecture


def _fresh(architecture: Architecture, categories: tuple[str, ...], device: torch.device) -> Segmenter:
    model = architecture.trainable(categories)
    info = replace(model.info, version=f"{architecture.name}-untrained")
    segmenter = architecture.build(info, model.network.state_dict(), source="a fresh network", device=device)
    segmenter.notice = f"{architecture.name} has learnt nothing yet: train it, or import weights for it."
    return segmenter


def _read_for(architecture: Architecture, path: Path) -> tuple[WeightsInfo, dict[str, Tensor]]:
    info, tensors = read_any_weights(path)
    if info.architecture != architecture.name:
        raise WeightsError(f"{path}: holds a {info.architecture} model, not {architecture.name}.")
    return info, tensors
