"""The parts of FCOS (Tian et al., arXiv 1904.01355): levels P3 to P7, towers, the dense head, locations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.convolution import HalvingConv2d
from models.layers.fpn import FeaturePyramid
from models.layers.normalization import GroupNorm

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDES = (8, 16, 32, 64, 128)
# Largest distance to a side of the box that each level regresses, pixels (section 3.2).
SIZE_LIMITS = (0.0, 64.0, 128.0, 256.0, 512.0, math.inf)
PRIOR = 0.01  # probability of a class at a location before training
LARGEST_EXPONENT = 8.0


class FcosPyramid(nn.Module):
    """P3, P4, P5 of a feature pyramid, and P6, P7 by convolutions of stride 2 on P5 and P6."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.fpn = FeaturePyramid(channels, width)
        self.p6 = HalvingConv2d(width, width)
        self.p7 = HalvingConv2d(width, width)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """C3, C4, C5 -> P3 to P7."""
        levels: list[Tensor] = self.fpn(features)[:-1]
        levels.append(self.p6(levels[-1]))
        levels.append(self.p7(F.relu(levels[-1])))
        return levels


class Scale(nn.Module):
    """A learned factor, one per level where levels share a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def small_normal(inputs: int, outputs: int, *, bias: float = 0.0) -> nn.Conv2d:
    """A 3 x 3 convolution, weights drawn from N(0, 0.01) as everywhere in FCOS's head."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.normal_(convolution.weight, std=0.01)
    nn.init.constant_(convolution.bias, bias)  # type: ignore[arg-type]
    return convolution


def conv_tower(width: int, convolutions: int) -> nn.Sequential:
    """3 x 3 convolution, GroupNorm, ReLU, several times over.

    GroupNorm has 32 groups, fewer in narrow networks: P7 of a small picture is a single cell, over which
    a group needs several channels.
    """
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        convolution = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        layers += [convolution, GroupNorm(math.gcd(32, width // 4), width), nn.ReLU()]
    return nn.Sequential(*layers)


@dataclass(frozen=True, slots=True)
class DenseLevel:
    """What the head says at one level.

    Attributes:
        classes: (B, C, h, w) logits.
        sides: (B, 4, h, w) distances to the left, top, right and bottom of the box, in strides, positive.
        centerness: (B, 1, h, w) logits.
        box_tower: (B, width, h, w), for heads beside the box branch.
    """

    classes: Tensor
    sides: Tensor
    centerness: Tensor
    box_tower: Tensor


class FcosHead(nn.Module):
    """Two towers shared by all levels; centerness sits on the box branch."""

    def __init__(
        self, width: int, classes: int, *, convolutions: int = 4, levels: int = len(STRIDES)
    ) -> None:
        super().__init__()
        self.class_tower = conv_tower(width, convolutions)
        self.box_tower = conv_tower(width, convolutions)
        self.classes = small_normal(width, classes, bias=-math.log((1.0 - PRIOR) / PRIOR))
        self.sides = small_normal(width, 4)
        self.centerness = small_normal(width, 1)
        self.scales = nn.ModuleList([Scale() for _ in range(levels)])

    def forward(self, levels: Sequence[Tensor]) -> list[DenseLevel]:
        return [self._level(x, scale) for x, scale in zip(levels, self.scales, strict=True)]

    def _level(self, x: Tensor, scale: nn.Module) -> DenseLevel:
        box_tower = self.box_tower(x)
        exponent = scale(self.sides(box_tower)).float().clamp(max=LARGEST_EXPONENT)
        return DenseLevel(
            classes=self.classes(self.class_tower(x)).float(),
            sides=exponent.exp(),
            centerness=self.centerness(box_tower).float(),
            box_tower=box_tower,
        )


@dataclass(frozen=True, slots=True)
class Locations:
    """Where the dense predictions stand, all levels in a row.

    Attributes:
        points: (L, 2), x and y in pixels of the network's input: the centres of the cells.
        strides: (L,).
        smallest, largest: (L,) range of the largest side distance that a location answers for, pixels.
    """

    points: Tensor
    strides: Tensor
    smallest: Tensor
    largest: Tensor


def dense_locations(
    sizes: Sequence[tuple[int, int]], device: torch.device, strides: Sequence[int] = STRIDES
) -> Locations:
    """The locations of levels with (rows, columns), in row-major order."""
    points, counts = [], []
    for (rows, columns), stride in zip(sizes, strides, strict=True):
        ys, xs = torch.meshgrid(
            torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
        )
        points.append((torch.stack([xs, ys], dim=2).float().flatten(0, 1) + 0.5) * stride)
        counts.append(rows * columns)
    repeats = torch.tensor(counts, device=device)

    def spread(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device).repeat_interleave(repeats)

    count = len(counts)
    return Locations(
        points=torch.cat(points),
        strides=spread(strides),
        smallest=spread(SIZE_LIMITS[:count]),
        largest=spread((*SIZE_LIMITS[1:count], math.inf)),
    )


def flatten_levels(maps: Sequence[Tensor]) -> Tensor:
    """(B, C, h_l, w_l) of every level -> (B, L, C), in the order of `dense_locations`."""
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)


def sides_to_boxes(points: Tensor, sides: Tensor) -> Tensor:
    """(L, 2) and (..., L, 4) distances in pixels -> (..., L, 4) boxes x0, y0, x1, y1."""
    return torch.cat([points - sides[..., :2], points + sides[..., 2:]], dim=-1)
