"""A small SeedNet with all its parts, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.training.seed_loss import mirror_images

if TYPE_CHECKING:
    from models.seednet.features import SeedMasks

COMPLETE = SeedNetConfig(
    width=16,
    embedding=6,
    query_hidden=24,
    scorer_channels=8,
    scorer_hidden=16,
    refiner=8,
    cut_scorer=8,
    click_depth=True,
    calibrator=12,
    objectness=10,
)


def small_seednet(config: SeedNetConfig = COMPLETE) -> SeedNet:
    """With random weights; its cut scorer has something to say."""
    torch.manual_seed(0)
    network = SeedNet(config, pretrained_backbone=False).eval()
    torch.nn.init.normal_(network.level_scorer.cuts.correction.weight)
    return network


@torch.no_grad()
def ask(network: SeedNet, images: Tensor, points: Tensor) -> tuple[SeedMasks, Tensor]:
    """The masks of (S, 2) points, shares of width and height, equally many of each picture (B, 3, H, W), and
    the seediness (B, h, w) in [0, 1]."""
    features = network.features(images)
    seediness = network.seediness_of(features.view)[:, 0].sigmoid()
    mirror = network.view(mirror_images(images, network.config.mirror))
    query, logits = network.ask(features.view, points, mirror)
    cells = points * points.new_tensor(seediness.shape[:0:-1])
    clicks = torch.cat([cells, torch.ones_like(cells[:, :1])], dim=1)[:, None]
    return network.judge(features, query, logits, clicks), seediness
