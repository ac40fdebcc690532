"""A network behind the segmenter's face: fits the picture to its input and runs it once."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from models.backbones.batch_norm_folding import fuse_batch_norms
from models.device.precision import inference_precision
from models.errors import Cancelled
from models.grid.frame import GridFrame
from models.segmenter import Encoding, Region, RgbImage, Segmenter, check_image, clip_region

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

Features = TypeVar("Features")


class GridSegmenter(Segmenter, Generic[Features]):
    """Holds a network on its device; falls back to the CPU when the device's memory is full.

    Args:
        long_side: pixels that the longer side of what is encoded is resized to.
        stride: input pixels per cell of the encoding's grid.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        version: str,
        categories: tuple[str, ...],
        device: torch.device,
        long_side: int,
        stride: int,
    ) -> None:
        self.version = version
        self.categories = categories
        self.device = device.type
        self._device = device
        self._long_side, self._stride = long_side, stride
        self._network = fuse_batch_norms(network.eval()).to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.requires_grad_(False)

    @abstractmethod
    def run_network(self, pixels: Tensor) -> Features:
        """(1, 3, H, W) RGB in [0, 255] on the device -> what the encoding keeps."""

    @abstractmethod
    def make_encoding(self, features: Features, frame: GridFrame, size: tuple[int, int]) -> Encoding:
        """The face over the features of a picture of (height, width)."""

    def encode(
        self,
        image: RgbImage,
        region: Region | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Encoding:
        check_image(image)
        height, width = image.shape[:2]
        part = clip_region(region, height, width)
        frame = GridFrame.fit(part, long_side=self._long_side, stride=self._stride)
        pixels = torch.from_numpy(frame.prepare(image)).permute(2, 0, 1)[None]
        if should_stop is not None and should_stop():
            raise Cancelled
        features = self._run(pixels)
        if should_stop is not None and should_stop():
            raise Cancelled
        return self.make_encoding(features, frame, (height, width))

    def _run(self, pixels: Tensor) -> Features:
        try:
            with torch.inference_mode(), inference_precision(self._device):
                return self.run_network(pixels.to(self._device))
        except torch.OutOfMemoryError:
            if self._device.type == "cpu":
                raise
            self.notice = f"The memory of {self._device.type} is full; SeedHue goes on with the CPU."
            logger.warning(self.notice)
            self._device, self.device = torch.device("cpu"), "cpu"
            self._network.to(self._device)
            return self._run(pixels)


class FeatureSegmenter(GridSegmenter[Any]):
    """Any network whose features its encoding takes as they are, with the network's sizes.

    Args:
        name: registry name.
        encoding: (features, frame, size, version, categories=, config=) -> `Encoding`.
        network: has its sizes as `config`.
    """

    def __init__(
        self, name: str, encoding: Callable[..., Encoding], network: nn.Module, **facts: Any
    ) -> None:
        self.name = name
        self._encoding = encoding
        super().__init__(network, **facts)

    def run_network(self, pixels: Tensor) -> Any:
        return self._network(pixels)

    def make_encoding(self, features: Any, frame: GridFrame, size: tuple[int, int]) -> Encoding:
        config: Any = self._network.config
        return self._encoding(features, frame, size, self.version, categories=self.categories, config=config)
