"""The panoptic network's row of the registry."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from models.errors import SegmenterError
from models.networks.family import NetworkFamily
from models.networks.fcn.family import read_fcn_head
from models.networks.mask_rcnn.family import read_mask_rcnn, read_mask_x_rcnn
from models.networks.panoptic.encoding import NAME, PanopticSegmenter
from models.networks.panoptic.loss import PanopticLoss
from models.networks.panoptic.network import INSTANCE_NETWORKS, PanopticConfig, PanopticNetwork
from models.networks.proposals.family import MASK_STRIDE
from models.networks.yolact.family import read_yolact
from models.training.sizes_as_text import change_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.weights_pattern import Shapes, Sizes


def fit_stuff(config: PanopticConfig, old: tuple[str, ...], new: tuple[str, ...]) -> PanopticConfig:
    """The sizes for other categories; which of them are stuff is kept by name."""
    stuff = tuple(new.index(old[i]) for i in config.stuff if i < len(old) and old[i] in new)
    return replace(config, classes=len(new), stuff=stuff)


def choose_backbone(config: PanopticConfig, name: str, width: int) -> PanopticConfig:
    """The sizes with another backbone, which is the instance network's."""
    return replace(config, instance_sizes={**config.instance_sizes, "backbone": name, "resnet_width": width})


def change_parts(
    config: PanopticConfig, changes: Mapping[str, str], categories: tuple[str, ...]
) -> PanopticConfig:
    """Sizes by name: `stuff` names categories, with commas; `instance.NAME` is a size of the instance
    network.

    Raises:
        SegmenterError: there is no such size, network or category.
    """
    own = {k: v for k, v in changes.items() if k != "stuff" and not k.startswith("instance.")}
    changed: PanopticConfig = change_sizes(config, own, categories)
    if "stuff" in changes:
        names = [name.strip() for name in changes["stuff"].split(",") if name.strip()]
        unknown = [name for name in names if name not in categories]
        if unknown:
            raise SegmenterError(f"the data has no category {', '.join(unknown)} that could be stuff.")
        indices = tuple(sorted(categories.index(name) for name in names))
        changed = replace(changed, classes=len(categories), stuff=indices)
    instance = {k.removeprefix("instance."): v for k, v in changes.items() if k.startswith("instance.")}
    if instance:
        usual = INSTANCE_NETWORKS[changed.instance][0](**changed.instance_sizes)
        sizes = change_sizes(usual, instance, categories)
        wanted = {name: getattr(sizes, name) for name in instance}
        changed = replace(changed, instance_sizes={**changed.instance_sizes, **wanted})
    return changed


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
    head = read_fcn_head(shapes.below("semantic."))
    instance_sizes = {k: v for k, v in sizes.items() if k != "classes"}
    stuff = tuple(range(things or 0, head["classes"]))
    return {**head, "stuff": stuff, "instance": name, "instance_sizes": instance_sizes}, head["classes"]


PANOPTIC = NetworkFamily(
    name=NAME,
    title="Panoptic",
    config=PanopticConfig,
    network=lambda config, _classes, pretrained: PanopticNetwork(config, pretrained_backbone=pretrained),
    loss=lambda config: PanopticLoss(config.instance),
    segmenter=partial(PanopticSegmenter, stride=1),
    mask_stride=MASK_STRIDE,
    fit=fit_stuff,
    with_backbone=choose_backbone,
    change=change_parts,
    signs=("instance.", "semantic.hidden.", "semantic.score.", "semantic.final."),
    read_sizes=read_panoptic,
)
