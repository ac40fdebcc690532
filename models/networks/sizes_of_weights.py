"""Reads the sizes of each network out of the shapes of its tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from models.backbones.efficientnet_lite import STAGES
from models.backbones.resnet import DEPTHS
from models.networks.deep_metric_learning.network import TAUS
from models.networks.embedmask.network import EmbedMaskConfig
from models.networks.fcn.network import VARIANTS
from models.networks.mask_rcnn.network import MASK_SIDE
from models.networks.yolact.network import ANCHOR_RATIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape: TypeAlias = tuple[int, ...]
Sizes: TypeAlias = tuple[dict[str, Any], int | None]

STEPS = "num_batches_tracked"
TORCHVISION_LONG_SIDE = 1344  # torchvision resizes to at most 1333; the next multiple of 32


class SizeError(ValueError):
    """Shapes that tell no sizes; the message goes on after "but"."""


class Shapes:
    """Shapes by name; a name that is missing is told by name."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = dict(shapes)

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def dimension(self, name: str, axis: int) -> int:
        """One side of a tensor.

        Raises:
            SizeError: there is no such tensor, or it has fewer sides.
        """
        shape = self._shapes.get(name)
        if shape is None:
            raise SizeError(f"{name} is missing")
        if axis >= len(shape):
            raise SizeError(f"{name} has the shape {shape}")
        return shape[axis]

    def below(self, prefix: str) -> Shapes:
        """Those under a prefix, without it."""
        return Shapes({k.removeprefix(prefix): v for k, v in self._shapes.items() if k.startswith(prefix)})

    def count(self, pattern: str) -> int:
        """How many of the numbered names 0, 1, 2, … there are; the pattern holds one {}."""
        number = 0
        while pattern.format(number) in self._shapes:
            number += 1
        return number

    def any_ends_with(self, suffix: str) -> bool:
        return any(name.endswith(suffix) for name in self._shapes)


def read_backbone(shapes: Shapes) -> dict[str, Any]:
    """Name and width of a backbone by its own names."""
    if "_conv_stem.weight" in shapes:
        count = shapes.count("_blocks.{}._project_conv.weight")
        for name, stages in STAGES.items():
            if sum(stage[0] for stage in stages) == count:
                return {"backbone": name, "resnet_width": 64}
        raise SizeError(f"there is no EfficientNet-Lite here with {count} blocks")
    width = shapes.dimension("conv1.weight", 0)
    bottleneck = "layer1.0.conv3.weight" in shapes
    blocks = tuple(shapes.count(f"layer{stage}.{{}}.conv1.weight") for stage in range(1, 5))
    for depth, known in DEPTHS.items():
        if known.blocks == blocks and known.bottleneck == bottleneck:
            return {"backbone": f"resnet-{depth}", "resnet_width": width}
    raise SizeError(f"there is no ResNet here with {', '.join(map(str, blocks))} blocks in its stages")


def read_seednet(shapes: Shapes) -> Sizes:
    embedding = shapes.dimension("embedding.weight", 0)
    refined = shapes.count("refiner.detail.{}.weight") > 0
    cuts, calibrator = "level_scorer.cuts.cut.weight", "level_scorer.calibrator.cut.weight"
    objectness = "object_scorer.look.1.weight"
    return {
        "backbone": read_backbone(shapes.below("backbone."))["backbone"],
        "width": shapes.dimension("top_down.lateral.0.weight", 0),
        "embedding": embedding,
        "levels": shapes.dimension("seed_head.answer.weight", 0) // (2 * embedding + 1),
        "query_hidden": shapes.dimension("seed_head.hidden.0.weight", 0),
        "scorer_channels": shapes.dimension("appearance.1.weight", 0),
        "scorer_hidden": shapes.dimension("level_scorer.ious.weight", 1),
        "refiner": shapes.dimension("refiner.stem.weight", 0) if refined else 0,
        "cut_scorer": shapes.dimension(cuts, 0) if cuts in shapes else 0,
        "click_depth": "level_scorer.cuts.depth.weight" in shapes,
        "calibrator": shapes.dimension(calibrator, 0) if calibrator in shapes else 0,
        "objectness": shapes.dimension(objectness, 0) if objectness in shapes else 0,
        "ranges": "ranges.left0" in shapes,
    }, None


def read_deep_metric(shapes: Shapes) -> Sizes:
    return {
        **read_backbone(shapes.below("backbone.")),
        "width": shapes.dimension("top_down.lateral.0.weight", 0),
        "embedding": shapes.dimension("embedding.1.weight", 0),
    }, shapes.dimension("classifier.1.weight", 0) // len(TAUS) - 1


def read_embedmask(shapes: Shapes) -> Sizes:
    """The second variant has coordinates in its embeddings; what else sets it apart follows from that."""
    spatial = "proposals.coordinate_scales.0.factor" in shapes
    variant = EmbedMaskConfig.ijcai() if spatial else EmbedMaskConfig.arxiv()
    return {
        **read_backbone(shapes.below("backbone.")),
        "width": shapes.dimension("pyramid.fpn.layer_blocks.0.weight", 0),
        "convolutions": sum(f"head.class_tower.{3 * i}.weight" in shapes for i in range(16)),
        "embedding": shapes.dimension("proposals.query.weight", 0),
        "spatial": spatial,
        "margin_from_boxes": shapes.dimension("proposals.margin.weight", 1) == 4,
        "mean_positives": variant.mean_positives,
        "smooth_weight": variant.smooth_weight,
        "box_padding": variant.box_padding,
        "mask_threshold": variant.mask_threshold,
    }, shapes.dimension("head.classes.weight", 0)


def read_spatial_embeddings(shapes: Shapes) -> Sizes:
    return {
        "width": shapes.dimension("encoder.7.norm.weight", 0) / 128.0,
        "sigmas": shapes.dimension("instance_decoder.6.weight", 1) - 2,
    }, shapes.dimension("seed_decoder.6.weight", 1)


def read_mask_rcnn(shapes: Shapes) -> Sizes:
    """A ResNet without step counters is torchvision's, whose frozen BatchNorm has no epsilon."""
    body = shapes.below("backbone.body.")
    classes = shapes.dimension("roi_heads.box_predictor.cls_score.weight", 0) - 1
    sizes = {
        **read_backbone(body),
        "classes": classes,
        "width": shapes.dimension("rpn.head.conv.weight", 0),
        "hidden": shapes.dimension("roi_heads.box_predictor.cls_score.weight", 1),
    }
    if sizes["backbone"].startswith("resnet") and not body.any_ends_with(STEPS):
        sizes |= {"batch_norm_eps": 0.0, "long_side": TORCHVISION_LONG_SIDE}
    return sizes, classes


def read_mask_x_rcnn(shapes: Shapes) -> Sizes:
    sizes, classes = read_mask_rcnn(shapes)
    predictor = shapes.below("roi_heads.mask_predictor.")
    cells = predictor.dimension("gist.fc.weight", 1) / sizes["width"]
    transfer = {
        "transfer_hidden": predictor.dimension("transfer.fc1.weight", 0),
        "gist_pooling": max(1, round(MASK_SIDE / math.sqrt(max(1.0, cells)))),
    }
    return {**sizes, **transfer}, classes


def read_yolact(shapes: Shapes) -> Sizes:
    classes = shapes.dimension("head.classes.weight", 0) // len(ANCHOR_RATIOS) - 1
    return {
        **read_backbone(shapes.below("backbone.")),
        "classes": classes,
        "width": shapes.dimension("head.hidden.weight", 0),
        "prototypes": shapes.dimension("protonet.prototypes.weight", 0),
        "rescoring": "rescoring.iou.weight" in shapes,
    }, classes


def _read_fcn_head(head: Shapes) -> dict[str, Any]:
    skips = min(head.count("skips.{}.weight"), len(VARIANTS) - 1)
    return {
        "classes": head.dimension("score.weight", 0) - 1,
        "hidden": head.dimension("score.weight", 1),
        "variant": VARIANTS[skips],
    }


def read_fcn(shapes: Shapes) -> Sizes:
    head = _read_fcn_head(shapes.below("head."))
    return {**read_backbone(shapes.below("backbone.")), **head}, head["classes"]


def read_panoptic(shapes: Shapes) -> Sizes:
    """Which categories are stuff no shape tells, only how many: the last ones."""
    instance = shapes.below("instance.")
    if "protonet.prototypes.weight" in instance:
        name, read = "yolact", read_yolact
    elif "roi_heads.mask_predictor.transfer.fc1.weight" in instance:
        name, read = "mask-x-rcnn", read_mask_x_rcnn
    else:
        scoring = "mask_iou_head.iou.weight" in instance
        name, read = ("mask-scoring-rcnn" if scoring else "mask-rcnn"), read_mask_rcnn
    sizes, things = read(instance)
    head = _read_fcn_head(shapes.below("semantic."))
    instance_sizes = {k: v for k, v in sizes.items() if k != "classes"}
    stuff = tuple(range(things or 0, head["classes"]))
    return {**head, "stuff": stuff, "instance": name, "instance_sizes": instance_sizes}, head["classes"]
