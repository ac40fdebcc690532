"""The networks by name. A new one is one folder or file beside this one, and one line here
(docs/how-to/add-a-network.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import SegmenterError
from models.networks.deep_metric_learning.family import DEEP_METRIC_LEARNING
from models.networks.embedmask.family import EMBEDMASK
from models.networks.fcn.family import FCN_FAMILY
from models.networks.mask_rcnn.family import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN
from models.networks.panoptic.family import PANOPTIC
from models.networks.spatial_embeddings.family import SPATIAL_EMBEDDINGS
from models.networks.yolact.family import YOLACT
from models.seednet.segmenter import build_seednet
from models.seednet.training.lessons import trainable_seednet
from models.seednet.weights_pattern import PATTERN, shipped_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.networks.family import NetworkFamily
    from models.segmenter import Segmenter
    from models.training.trainable import TrainableModel
    from models.weights_pattern import WeightsPattern


@dataclass(frozen=True, slots=True)
class Architecture:
    """One line of the registry.

    Attributes:
        title: what the window calls it.
        build: (info, tensors, source=, device=) -> Segmenter.
        trainable: (categories, pretrained_backbone=, start=) -> TrainableModel; `start` is the header and
            tensors of weights to continue from, or None for fresh heads. Those of a `NetworkFamily` also
            take `config` and `sizes`.
        pattern: how its weights look without a header; None if nothing tells them.
        default_weights: the file shipped with SeedHue, or None.
    """

    name: str
    title: str
    build: Callable[..., Segmenter]
    trainable: Callable[..., TrainableModel]
    pattern: WeightsPattern | None
    default_weights: Callable[[], Path] | None = None


def _line(family: NetworkFamily) -> Architecture:
    return Architecture(family.name, family.title, family.build, family.trainable, family.pattern)


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        Architecture("seednet", "SeedNet", build_seednet, trainable_seednet, PATTERN, shipped_weights),
        _line(DEEP_METRIC_LEARNING),
        _line(EMBEDMASK),
        _line(SPATIAL_EMBEDDINGS),
        _line(MASK_RCNN),
        _line(MASK_SCORING_RCNN),
        _line(MASK_X_RCNN),
        _line(YOLACT),
        _line(FCN_FAMILY),
        _line(PANOPTIC),
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
