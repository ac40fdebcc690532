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
from models.networks.deep_metric_learning.encoding import DEEP_METRIC_LEARNING
from models.networks.embedmask.encoding import EMBEDMASK
from models.networks.fcn.encoding import FCN_FAMILY
from models.networks.mask_rcnn.torchvision_names import COCO_CATEGORIES, published_name
from models.networks.panoptic.encoding import PANOPTIC
from models.networks.proposals.families import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN, YOLACT
from models.networks.sizes_of_weights import (
    Shapes,
    SizeError,
    Sizes,
    read_backbone,
    read_deep_metric,
    read_embedmask,
    read_fcn,
    read_mask_rcnn,
    read_mask_x_rcnn,
    read_panoptic,
    read_seednet,
    read_spatial_embeddings,
    read_yolact,
)
from models.networks.spatial_embeddings.encoding import SPATIAL_EMBEDDINGS
from models.seednet.network import SeedNet, SeedNetConfig
from models.weights import WeightsInfo, describe_misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.networks.family import NetworkFamily

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One network that a file may hold.

    Attributes:
        signs: beginnings of names that tell it from the others.
        read: shapes -> its sizes, and its number of classes (None if it has none).
        config: dataclass of sizes.
        network: (config, classes) -> the network, to compare names and shapes with.
    """

    name: str
    signs: tuple[str, ...]
    read: Callable[[Shapes], Sizes]
    config: Callable[..., Any]
    network: Callable[[Any, int], nn.Module]

    def likeness(self, names: Mapping[str, Any]) -> tuple[float, int]:
        """Share of its signs that are there, and how many that are: larger is more alike."""
        found = sum(any(name.startswith(sign) for name in names) for sign in self.signs)
        return found / len(self.signs), found


def _of(family: NetworkFamily, read: Callable[[Shapes], Sizes], *signs: str) -> Candidate:
    return Candidate(
        family.name,
        signs,
        read,
        family.config,
        lambda config, classes: family.network(config, classes, False),
    )


TWO_STAGES = ("backbone.fpn.", "rpn.head.", "roi_heads.box_predictor.")
CANDIDATES = (
    Candidate(
        "seednet",
        ("top_down.", "embedding.", "seediness.", "seed_head.", "level_scorer."),
        read_seednet,
        SeedNetConfig,
        lambda config, _classes: SeedNet(config, pretrained_backbone=False),
    ),
    _of(DEEP_METRIC_LEARNING, read_deep_metric, "top_down.", "embedding.", "classifier."),
    _of(EMBEDMASK, read_embedmask, "pyramid.fpn.", "head.class_tower.", "proposals.", "pixels."),
    _of(SPATIAL_EMBEDDINGS, read_spatial_embeddings, "encoder.", "instance_decoder.", "seed_decoder."),
    _of(MASK_RCNN, read_mask_rcnn, *TWO_STAGES, "roi_heads.mask_predictor.mask_fcn_logits."),
    _of(
        MASK_SCORING_RCNN,
        read_mask_rcnn,
        *TWO_STAGES,
        "roi_heads.mask_predictor.mask_fcn_logits.",
        "mask_iou_head.",
    ),
    _of(
        MASK_X_RCNN,
        read_mask_x_rcnn,
        *TWO_STAGES,
        "roi_heads.mask_predictor.transfer.",
        "roi_heads.mask_predictor.gist.",
    ),
    _of(YOLACT, read_yolact, "pyramid.lateral.", "protonet.", "head.coefficients.", "semantic."),
    _of(FCN_FAMILY, read_fcn, "head.hidden.", "head.score.", "head.final."),
    _of(PANOPTIC, read_panoptic, "instance.", "semantic.hidden.", "semantic.score.", "semantic.final."),
)


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
    best = max(CANDIDATES, key=lambda candidate: candidate.likeness(named))
    if best.likeness(named)[0] < ENOUGH:
        return _recognize_backbone(named, shapes, source)
    looks = f"{source}: this looks like {best.name}"
    try:
        sizes, classes = best.read(shapes)
        config = best.config(**sizes)
    except (SizeError, TypeError) as error:
        raise WeightsError(f"{looks}, but {error}.") from error
    _compare(named, lambda: best.network(config, classes or 0), looks)
    names = _category_names(classes, categories, source)
    assumed = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in sizes}
    return Recognized(WeightsInfo(best.name, best.name, asdict(config), names), named, assumed)


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
