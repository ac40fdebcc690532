"""A small network, targets and batches that the tests of the two-stage networks share."""

from __future__ import annotations

from dataclasses import asdict

import torch

from models.data.sample import Batch, CropTarget
from models.networks.mask_rcnn.network import MaskRCNNConfig

SMALL = MaskRCNNConfig(
    classes=2,
    backbone="resnet-18",
    resnet_width=8,
    width=16,
    hidden=32,
    proposals=40,
    anchor_sizes=(16, 32, 64, 96, 128),
    long_side=64,
)
SMALL_SIZES = asdict(SMALL)


def two_squares(*, exhaustive: bool = True, has_mask: tuple[bool, bool] = (True, True)) -> CropTarget:
    """Masks of stride 2 in a crop of 64 pixels; boxes (6, 4, 34, 28) and (32, 36, 56, 60)."""
    masks = torch.zeros((2, 32, 32))
    masks[0, 2:14, 3:17] = 1.0
    masks[1, 18:30, 16:28] = 1.0
    whole = torch.tensor([True, True])
    return CropTarget(masks, torch.tensor([0, 1]), exhaustive, whole, torch.tensor(has_mask))


def no_objects() -> CropTarget:
    nothing = torch.zeros(0, dtype=torch.bool)
    return CropTarget(torch.zeros((0, 32, 32)), torch.zeros(0, dtype=torch.int64), True, nothing, nothing)


def small_batch(*targets: CropTarget, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (len(targets), 3, 64, 64), dtype=torch.uint8, generator=generator)
    return Batch(images, targets)
