"""Which network an unlabelled table of tensors belongs to, told by its names and shapes.

SeedHue's own files say so in their header. A torch checkpoint, or a safetensors file of someone else, does
not; but names tell the network, and shapes tell its widths, its backbone and the number of its classes.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models.backbones.choice import CLASSIFIER, build_backbone
from models.errors import WeightsError
from models.networks.mask_rcnn.torchvision_names import COCO_CATEGORIES, published_name
from models.networks.registry import ARCHITECTURES
from models.weights import WeightsInfo, describe_misfit, read_header, read_weights
from models.weights_pattern import Shapes, SizeError, read_backbone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

WRAPPER = re.compile(r"^(?:module\.|_orig_mod\.)+")  # of DataParallel and torch.compile
ENOUGH = 0.5  # of a network's telling names


@dataclass(frozen=True, slots=True)
class Recognized:
    """What a table of tensors is.

    Attributes:
        info: a header for it. `info.architecture` is a registry name, or that of a backbone alone.
        tensors: under the network's own names.
        assumed: sizes that no shape tells, at their usual values.
    """

    info: WeightsInfo
    tensors: dict[str, Tensor]
    assumed: dict[str, Any]


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


def recognize(tensors: Mapping[str, Tensor], *, source: str, categories: tuple[str, ...] = ()) -> Recognized:
    """Find the network, read its sizes and compare every name and shape.

    Args:
        source: what messages call the tensors.
        categories: names of the classes, in the network's order; by default COCO's for 90 of them, else
            numbers.

    Raises:
        WeightsError: no network here has such names, or one has but not quite these; it says which.
    """
    named = {published_name(WRAPPER.sub("", name)): tensor for name, tensor in tensors.items()}
    shapes = Shapes({name: tuple(tensor.shape) for name, tensor in named.items()})
    patterns = {name: a.pattern for name, a in ARCHITECTURES.items() if a.pattern is not None}
    network = max(patterns, key=lambda name: patterns[name].likeness(named))
    best = patterns[network]
    if best.likeness(named)[0] < ENOUGH:
        return _recognize_backbone(named, shapes, source)
    looks = f"{source}: this looks like {network}"
    try:
        sizes, classes = best.read(shapes)
        config = best.config(**sizes)
    except (SizeError, TypeError) as error:
        raise WeightsError(f"{looks}, but {error}.") from error
    _compare(named, lambda: best.network(config, classes or 0), looks)
    names = _category_names(classes, categories, source)
    assumed = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in sizes}
    return Recognized(WeightsInfo(network, network, asdict(config), names), named, assumed)


def _recognize_backbone(named: dict[str, Tensor], shapes: Shapes, source: str) -> Recognized:
    """A backbone alone, as published for ImageNet; its classifier is left out."""
    try:
        sizes = read_backbone(shapes)
    except SizeError as error:
        some = ", ".join(sorted(named)[:3])
        raise WeightsError(
            f"{source}: no network of SeedHue has such names ({some}, …), and it is no backbone: {error}."
        ) from error
    name, width = sizes["backbone"], sizes["resnet_width"]
    body = {k: v for k, v in named.items() if not k.startswith(CLASSIFIER)}
    looks = f"{source}: this looks like the backbone {name}"
    _compare(body, lambda: build_backbone(name, pretrained=False, resnet_width=width), looks)
    return Recognized(WeightsInfo(name, name, {"width": width}), body, {})


def _compare(named: Mapping[str, Tensor], network: Callable[[], nn.Module], looks: str) -> None:
    """Raise unless the names and shapes are the network's; nothing of it is computed."""
    try:
        with torch.device("meta"):
            wanted = network().state_dict()
    except (ValueError, RuntimeError, IndexError) as error:  # sizes that no such network has
        raise WeightsError(f"{looks}, but its sizes fit no network ({error}).") from error
    misfit = describe_misfit(wanted, named)
    if misfit is not None:
        raise WeightsError(f"{looks}, but its tensors do not fit: {misfit}.")


def _category_names(classes: int | None, given: tuple[str, ...], source: str) -> tuple[str, ...]:
    if given and len(given) != (classes or 0):
        raise WeightsError(f"{source}: it has {classes or 'no'} classes, but {len(given)} names were given.")
    if classes is None:
        return ()
    if not given and classes == len(COCO_CATEGORIES):
        return COCO_CATEGORIES
    return given or tuple(f"class {number}" for number in range(1, classes + 1))
