"""Deep metric learning's row of the registry."""

from __future__ import annotations

from functools import partial

from models.grid.segmenter import FeatureSegmenter
from models.networks.deep_metric_learning.encoding import DeepMetricEncoding
from models.networks.deep_metric_learning.loss import DeepMetricLoss
from models.networks.deep_metric_learning.network import STRIDE, TAUS, DeepMetricConfig, DeepMetricNetwork
from models.networks.family import NetworkFamily
from models.weights_pattern import Shapes, Sizes, read_backbone

NAME = "deep-metric-learning"


def read_deep_metric(shapes: Shapes) -> Sizes:
    return {
        **read_backbone(shapes.below("backbone.")),
        "width": shapes.dimension("top_down.lateral.0.weight", 0),
        "embedding": shapes.dimension("embedding.1.weight", 0),
    }, shapes.dimension("classifier.1.weight", 0) // len(TAUS) - 1


DEEP_METRIC_LEARNING = NetworkFamily(
    name=NAME,
    title="Deep metric learning",
    config=DeepMetricConfig,
    network=lambda config, classes, pretrained: DeepMetricNetwork(
        classes, config, pretrained_backbone=pretrained
    ),
    loss=lambda _config: DeepMetricLoss(),
    segmenter=partial(FeatureSegmenter, NAME, DeepMetricEncoding, stride=STRIDE),
    mask_stride=STRIDE,
    signs=("top_down.", "embedding.", "classifier."),
    read_sizes=read_deep_metric,
)
