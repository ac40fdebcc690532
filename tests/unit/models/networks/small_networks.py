"""Every network of the registry, as small as it gets, for tests that go through all of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from models.networks.deep_metric_learning.family import DEEP_METRIC_LEARNING
from models.networks.embedmask.family import EMBEDMASK
from models.networks.fcn.family import FCN_FAMILY
from models.networks.mask_rcnn.family import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN
from models.networks.panoptic.family import PANOPTIC
from models.networks.spatial_embeddings.family import SPATIAL_EMBEDDINGS
from models.networks.yolact.family import YOLACT
from models.seednet.network import SeedNet, SeedNetConfig
from models.weights import WeightsInfo

if TYPE_CHECKING:
    from models.networks.family import NetworkFamily

CATEGORIES = ("circle", "square", "star")
RESNET = {"backbone": "resnet-18", "resnet_width": 8}
ANCHORS = (16, 24, 32, 48, 64)
TWO_STAGE = {**RESNET, "width": 16, "hidden": 24, "proposals": 30, "anchor_sizes": ANCHORS}
SEEDNET = SeedNetConfig(width=16, embedding=6, levels=2, query_hidden=24, scorer_channels=8, scorer_hidden=16)

# Registry name (and a variant of it): family and sizes.
SMALL: dict[str, tuple[NetworkFamily, dict[str, Any]]] = {
    "deep-metric-learning": (DEEP_METRIC_LEARNING, {**RESNET, "width": 16, "embedding": 5}),
    "embedmask": (EMBEDMASK, {**RESNET, "width": 16, "convolutions": 2, "embedding": 7}),
    "spatial-embeddings": (SPATIAL_EMBEDDINGS, {"width": 0.25, "min_pixels": 12}),
    "mask-rcnn": (MASK_RCNN, TWO_STAGE),
    "mask-scoring-rcnn": (MASK_SCORING_RCNN, TWO_STAGE),
    "mask-x-rcnn": (MASK_X_RCNN, {**TWO_STAGE, "transfer_hidden": 12}),
    "yolact": (YOLACT, {**RESNET, "width": 16, "prototypes": 6, "anchor_sizes": ANCHORS}),
    "fcn": (FCN_FAMILY, {**RESNET, "hidden": 12}),
    "panoptic": (PANOPTIC, {"instance": "mask-rcnn", "instance_sizes": TWO_STAGE, "hidden": 12}),
}


def small_network(
    name: str, *, long_side: int = 64, seed: int = 0, **changes: Any
) -> tuple[nn.Module, WeightsInfo]:
    """A network with random weights, and its header."""
    torch.manual_seed(seed)
    if name == "seednet":
        network = SeedNet(SEEDNET, pretrained_backbone=False)
        return network.eval(), WeightsInfo("seednet", "seednet-small", asdict(SEEDNET))
    family, sizes = SMALL[name]
    counts = {"classes": len(CATEGORIES)} if name == "panoptic" else {}
    config = family.config(**{"long_side": long_side, **counts, **sizes, **changes})
    model = family.trainable(CATEGORIES, pretrained_backbone=False, config=config)
    return model.network.eval(), model.info


def shake(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Move every number a little, BatchNorm's statistics too: as if the network had learnt something."""
    generator = generator or torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator) * 0.1
                tensor.add_(noise if "running_var" in name else noise - 0.05)
