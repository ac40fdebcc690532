"""Spatial embeddings' row of the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models.grid.segmenter import FeatureSegmenter
from models.networks.family import NetworkFamily
from models.networks.spatial_embeddings.encoding import SpatialEncoding
from models.networks.spatial_embeddings.loss import SpatialEmbeddingsLoss
from models.networks.spatial_embeddings.network import SpatialEmbeddings, SpatialEmbeddingsConfig

if TYPE_CHECKING:
    from models.weights_pattern import Shapes, Sizes

NAME = "spatial-embeddings"


def read_spatial_embeddings(shapes: Shapes) -> Sizes:
    return {
        "width": shapes.dimension("encoder.7.norm.weight", 0) / 128.0,
        "sigmas": shapes.dimension("instance_decoder.6.weight", 1) - 2,
    }, shapes.dimension("seed_decoder.6.weight", 1)


SPATIAL_EMBEDDINGS = NetworkFamily(
    name=NAME,
    title="Spatial embeddings",
    config=SpatialEmbeddingsConfig,
    # ERFNet has no installed ImageNet weights; it begins from scratch either way.
    network=lambda config, classes, _pretrained: SpatialEmbeddings(classes, config),
    loss=lambda _config: SpatialEmbeddingsLoss(),
    segmenter=partial(FeatureSegmenter, NAME, SpatialEncoding, stride=1),
    mask_stride=1,
    signs=("encoder.", "instance_decoder.", "seed_decoder."),
    read_sizes=read_spatial_embeddings,
)
