"""EmbedMask's row of the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models.errors import SegmenterError
from models.grid.segmenter import FeatureSegmenter
from models.networks.embedmask.encoding import EmbedMaskEncoding
from models.networks.embedmask.loss import MASK_STRIDE, EmbedMaskLoss
from models.networks.embedmask.network import EMBEDDING_STRIDE, EmbedMask, EmbedMaskConfig
from models.networks.family import NetworkFamily
from models.training.sizes_as_text import change_sizes
from models.weights_pattern import Shapes, Sizes, read_backbone

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "embedmask"
VARIANTS = {"arxiv": EmbedMaskConfig.arxiv, "ijcai": EmbedMaskConfig.ijcai}


def change_variant(
    config: EmbedMaskConfig, changes: Mapping[str, str], categories: tuple[str, ...]
) -> EmbedMaskConfig:
    """Sizes by name; `variant` is one of the two published ones, with all that it means.

    Raises:
        SegmenterError: there is no such variant or size.
    """
    changes = dict(changes)
    if "variant" in changes:
        name = changes.pop("variant")
        if name not in VARIANTS:
            raise SegmenterError(f'EmbedMask has no variant "{name}"; there are: {", ".join(VARIANTS)}.')
        config = VARIANTS[name]()
    changed: EmbedMaskConfig = change_sizes(config, changes, categories)
    return changed


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


EMBEDMASK = NetworkFamily(
    name=NAME,
    title="EmbedMask",
    config=EmbedMaskConfig,
    network=lambda config, classes, pretrained: EmbedMask(classes, config, pretrained_backbone=pretrained),
    loss=lambda _config: EmbedMaskLoss(),
    segmenter=partial(FeatureSegmenter, NAME, EmbedMaskEncoding, stride=EMBEDDING_STRIDE),
    mask_stride=MASK_STRIDE,
    change=change_variant,
    signs=("pyramid.fpn.", "head.class_tower.", "proposals.", "pixels."),
    read_sizes=read_embedmask,
)
