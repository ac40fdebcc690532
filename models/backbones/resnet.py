"""ResNet-18, -50 and -101 (He et al., arXiv 1512.03385).

Module names and shapes are those of torchvision's published checkpoints, so that their state dicts load
without a mapping; as there, the stride of a bottleneck sits in its 3 x 3 convolution ("v1.5").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.efficientnet_lite import PyramidSpec

# ImageNet's RGB mean and standard deviation, pixels in [0, 255].
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_DEVIATION = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class ResNetDepth:
    """Blocks per stage, and which block they are (paper, table 1)."""

    blocks: tuple[int, int, int, int]
    bottleneck: bool


DEPTHS = {
    18: ResNetDepth((2, 2, 2, 2), False),
    50: ResNetDepth((3, 4, 6, 3), True),
    101: ResNetDepth((3, 4, 23, 3), True),
}


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity or projected shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1 x 1 down, 3 x 3, 1 x 1 up to four times the width, beside the shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """The network with its ImageNet classifier; `pyramid` gives the features a decoder wants.

    Args:
        depth: 18, 50 or 101.
        width: channels of the stem; 64 is the published network.
        dilated: whether the last two stages keep their resolution and dilate instead (as for dense
            prediction at stride 8), leaving strides 4, 8, 8, 8.

    Attributes:
        from_scratch: whether it begins with random weights; then a training freezes no part of it.
    """

    from_scratch = False

    def __init__(self, depth: int = 50, *, width: int = 64, dilated: bool = False) -> None:
        super().__init__()
        shape = DEPTHS[depth]
        block: type[BasicBlock] | type[Bottleneck] = Bottleneck if shape.bottleneck else BasicBlock
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels, dilation, reached, strides = width, 1, 4, []
        for index, repeats in enumerate(shape.blocks):
            stride = 1 if index == 0 else 2
            first_dilation = dilation
            if dilated and index >= 2:
                stride, dilation = 1, 2 * dilation
            reached *= stride
            strides.append(reached)
            blocks: list[nn.Module] = []
            for i in range(repeats):
                inner = first_dilation if i == 0 else dilation
                outer = stride if i == 0 else 1
                blocks.append(block(channels, width << index, stride=outer, dilation=inner))
                channels = (width << index) * block.expansion
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 1000)
        levels = tuple((width << index) * block.expansion for index in range(4))
        self.spec = PyramidSpec(channels=levels, strides=tuple(strides))
        self._initialize()

    def _initialize(self) -> None:
        """He initialisation; each block begins as its shortcut (Goyal et al. 2017, section 5.1), which
        keeps activations bounded also while BatchNorm's statistics are not trained."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    @staticmethod
    def normalize(images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 255] -> what the published weights expect."""
        mean = images.new_tensor(PIXEL_MEAN, dtype=torch.float32)
        deviation = images.new_tensor(PIXEL_DEVIATION, dtype=torch.float32)
        return (images.float() - mean[:, None, None]) / deviation[:, None, None]

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Normalised (B, 3, H, W) -> features of the four stages, `spec.channels` and `spec.strides`."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1)
        features: list[Tensor] = []
        for stage in self._stages():
            x = stage(x)
            features.append(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) -> (B, 1000) ImageNet class logits."""
        logits: Tensor = self.fc(self.pyramid(x)[-1].mean(dim=(2, 3)))
        return logits

    def freeze_early_blocks(self, count: int) -> None:
        """Keep the stem and the first `count` residual blocks at their loaded weights (no gradient)."""
        blocks = [block for stage in self._stages() for block in stage]
        for module in (self.conv1, self.bn1, *blocks[:count]):
            module.requires_grad_(False)

    def _stages(self) -> list[nn.Sequential]:
        stages = (self.get_submodule(f"layer{index}") for index in range(1, 5))
        return [stage for stage in stages if isinstance(stage, nn.Sequential)]
