"""SeedNet as a segmenter: loads weights, encodes a picture and its mirror image."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.backbones.batch_norm_folding import fuse_batch_norms
from models.backbones.int8 import Int8Backbone, can_compute_int8
from models.device.cuda_graphs import GraphReplay
from models.device.precision import inference_precision
from models.errors import Cancelled
from models.grid.frame import GridFrame
from models.seednet.click.outline import EdgeGuide
from models.seednet.encoding import SeedNetEncoding
from models.seednet.network import STRIDE, SeedNet, SeedNetConfig
from models.seednet.older_weights import up_to_date
from models.segmenter import (
    Region,
    RgbImage,
    Segmenter,
    check_image,
    clip_region,
)
from models.weights import WeightsInfo, check_on_paper, load_into

if TYPE_CHECKING:
    from models.seednet.features import SeedFeatures, SeedView

logger = logging.getLogger(__name__)
ShouldStop = Callable[[], bool] | None


class SeedNetSegmenter(Segmenter):
    """Holds the network on its device; falls back to the CPU when the device's memory is full."""

    name = "seednet"

    def __init__(self, network: SeedNet, *, version: str, device: torch.device) -> None:
        self.version = version
        self.device = device.type
        self._device = device
        self._network = fuse_batch_norms(network.eval()).to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.requires_grad_(False)
        ranges = network.ranges
        if device.type == "cpu" and ranges is not None and ranges.measured and can_compute_int8():
            network.backbone = Int8Backbone(network.backbone, ranges)  # type: ignore[assignment]
        self._features_of_both = GraphReplay(
            partial(_features_of_both, network), lambda both: (both[0].copied(), both[1].copied())
        )

    def encode(
        self,
        image: RgbImage,
        region: Region | None = None,
        should_stop: ShouldStop = None,
    ) -> SeedNetEncoding:
        check_image(image)
        height, width = image.shape[:2]
        part, side = clip_region(region, height, width), self._network.config.long_side
        frame = GridFrame.fit(part, long_side=side, stride=STRIDE)
        there = GridFrame.fit(part, long_side=round(side * self._network.config.mirror), stride=STRIDE)
        prepared = frame.prepare(image)
        mirrored = there.prepare_mirror_image(prepared, frame)
        _stop_if(should_stop)
        features, mirror = self._read(prepared, mirrored)
        _stop_if(should_stop)
        guide = EdgeGuide(image, frame, prepared)
        features, mirror = features.cropped(*frame.grid_size), mirror.cropped(*there.grid_size)
        return SeedNetEncoding(self._network, features, mirror, frame, guide, self.version)

    def _read(self, prepared: RgbImage, mirrored: RgbImage) -> tuple[SeedFeatures, SeedView]:
        """What the network sees in the picture and in its mirror image, (H, W, 3) each."""
        try:
            with torch.inference_mode(), inference_precision(self._device):
                return self._features_of_both(self._batch(prepared), self._batch(mirrored))
        except torch.OutOfMemoryError:
            if self._device.type == "cpu":
                raise
            self.notice = f"The memory of {self._device.type} is full; SeedHue goes on with the CPU."
            logger.warning(self.notice)
            self._device, self.device = torch.device("cpu"), "cpu"
            self._network.to(self._device)
            self._features_of_both.forget()
            return self._read(prepared, mirrored)

    def _batch(self, pixels: RgbImage) -> Tensor:
        """(1, 3, H, W) on the network's device."""
        return torch.from_numpy(pixels).to(self._device).permute(2, 0, 1)[None]


def _features_of_both(network: SeedNet, picture: Tensor, mirrored: Tensor) -> tuple[SeedFeatures, SeedView]:
    """Of a picture and its mirror image, (1, 3, H, W) uint8 RGB each, H and W multiples of 32."""
    return network.features(picture), network.view(mirrored)


def _stop_if(should_stop: ShouldStop) -> None:
    if should_stop is not None and should_stop():
        raise Cancelled


def build_seednet(
    info: WeightsInfo, tensors: dict[str, Tensor], *, source: str, device: torch.device
) -> SeedNetSegmenter:
    """The segmenter for a weights file.

    Raises:
        WeightsError: the sizes in the header are unknown, or the tensors do not fit them.
    """
    config = SeedNetConfig.checked(info.config, source=source)
    current = up_to_date(tensors)
    check_on_paper(lambda: SeedNet(config, pretrained_backbone=False), current, source=source)
    network = SeedNet(config, pretrained_backbone=False)
    load_into(network, current, source=source)
    return SeedNetSegmenter(network, version=info.version, device=device)
