"""EfficientNet-Lite quantized to int8, for processors that multiply 8-bit integers several times as fast.

Integer-arithmetic-only inference (Jacob et al., arXiv 1712.05877, sections 2.1 to 2.4), after a training
without it. Weights have a scale for each filter. Activations have one for each channel: it is folded into the
filters before and after, so that every channel uses all of the 256 values (cross-layer equalisation, Nagel et
al., arXiv 1906.04721, section 4.1), and what clips the largest value, 6 or less, is the integer's end.

The stem and the first block stay in float32: their filters take differences of large values, and an error
there is handed on by all blocks after them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.backbones.efficientnet_lite import EfficientNetLite, InvertedResidual, SameConv2d

if TYPE_CHECKING:
    from models.backbones.activation_ranges import ActivationRanges

FIRST = 1  # of the blocks in integers
SMALLEST = 1e-3  # largest value of a channel that is always zero
CLIPPED = 6.0  # where ReLU6 ends
ZERO = 128  # stands for 0 between blocks, where values have either sign
EVEN_SIZE = (32, 32)  # all maps that are halved have even sides, as pictures are padded
STEPS, HALF_STEPS = 255, 127  # from 0 to the largest value, and where values have either sign


class Int8Conv:
    """A convolution of uint8 maps by int8 filters.

    Args:
        convolution: with its BatchNorm folded in.
        given: (C,) what a step of each channel of the input is worth, leaving: (C',) of the output.
        zeros: the values that stand for 0 in the input and in the output.
    """

    def __init__(
        self, convolution: nn.Conv2d, given: Tensor, leaving: Tensor, zeros: tuple[int, int]
    ) -> None:
        filters, self._padding = convolution.weight, [0, 0]
        if isinstance(convolution, SameConv2d):
            filters, padding = convolution.evenly_padded(EVEN_SIZE)
            self._padding = list(padding)
        per_input = given[:, None] if convolution.groups > 1 else given[None, :]
        weight = filters * per_input[:, :, None, None] / leaving[:, None, None, None]
        scale = (weight.abs().amax(dim=(1, 2, 3)) / HALF_STEPS).clamp(min=torch.finfo(torch.float32).tiny)
        integers = (weight / scale[:, None, None, None]).round().to(torch.int8)
        bias = convolution.bias if convolution.bias is not None else torch.zeros_like(leaving)
        self._bias = (bias / leaving).contiguous()
        self._scale, self._no_shift = scale, torch.zeros(len(scale), dtype=torch.int64)
        self._stride, self._groups = list(convolution.stride), convolution.groups
        self._zeros = zeros
        self._weight = torch.ops.onednn.qconv_prepack(
            integers, scale, 1.0, zeros[0], self._stride, self._padding, [1, 1], self._groups
        )

    def __call__(self, x: Tensor) -> Tensor:
        """uint8 (B, C, H, W) -> (B, C', H', W'); what would lie beyond 0 or 255 is clipped."""
        out: Tensor = torch.ops.onednn.qconv2d_pointwise(
            *self._common(x), self._bias, *self._shape(), 1.0, self._zeros[1], None, "none", [], ""
        )
        return out

    def added_to(self, before: Tensor, x: Tensor) -> Tensor:
        """The same, plus `before`, which has the output's steps and zero and is overwritten."""
        out: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            *(*self._common(x), before, self._bias, *self._shape(), 1.0, self._zeros[1], None),
            *(1.0, self._zeros[1], "sum", 1.0, "none", [], ""),
        )
        return out

    def _common(self, x: Tensor) -> tuple[Tensor, float, int, Tensor, Tensor, Tensor]:
        return x, 1.0, self._zeros[0], self._weight, self._scale, self._no_shift

    def _shape(self) -> tuple[list[int], list[int], list[int], int]:
        return self._stride, self._padding, [1, 1], self._groups


class Int8Block:
    """An `InvertedResidual` in integers; given and leaving are (C,) steps of the maps between blocks."""

    def __init__(
        self, block: InvertedResidual, expanded: Tensor, filtered: Tensor, given: Tensor, leaving: Tensor
    ) -> None:
        self._residual = block.residual
        self._expand = Int8Conv(block.expansion, given, expanded, (ZERO, 0))
        self._filter = Int8Conv(block.filtering, expanded, filtered, (0, 0))
        self._project = Int8Conv(block.projection, filtered, leaving, (0, ZERO))

    def __call__(self, x: Tensor) -> Tensor:
        hidden = self._filter(self._expand(x))
        return self._project.added_to(x, hidden) if self._residual else self._project(hidden)


class Int8Backbone(nn.Module):
    """Stands where an `EfficientNetLite` stands, for inference on a processor.

    Args:
        backbone: with its BatchNorms folded in, on the CPU; only what stays in float32 is left in it.
        ranges: measured.
    """

    def __init__(self, backbone: EfficientNetLite, ranges: ActivationRanges) -> None:
        super().__init__()
        self.spec = backbone.spec
        self._levels = backbone.last_of_levels
        steps = _steps_between_blocks(backbone, ranges)
        self._entering, self._steps = steps[FIRST - 1], steps
        self._blocks = [
            Int8Block(
                block,
                _clipped_steps(ranges.of("expanded", index)),
                _clipped_steps(ranges.of("filtered", index)),
                steps[index - 1],
                steps[index],
            )
            for index, block in enumerate(backbone.blocks)
            if index >= FIRST
        ]
        self._beginning = backbone
        backbone.drop_blocks_from(FIRST)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """See `EfficientNetLite.pyramid`; float32."""
        x = self._beginning.stem(x)
        for first in self._beginning.blocks:
            x = first(x)
        scaled = x.float() * (1.0 / self._entering)[:, None, None]
        x = scaled.add_(ZERO).round_().clamp_(0, STEPS).to(torch.uint8)
        x = x.contiguous(memory_format=torch.channels_last)
        features: list[Tensor] = []
        for index, block in enumerate(self._blocks, FIRST):
            x = block(x)
            if index in self._levels:
                features.append((x.float() - ZERO) * self._steps[index][:, None, None])
        return features


@cache
def can_compute_int8() -> bool:
    """Whether this processor has products of 8-bit integers that are faster than those of float32.

    AVX-512 VNNI it must be: with AVX2 alone, sums of two products overflow, or filters need to be so coarse
    that the error doubles; its own VNNI gains little.
    """
    there = hasattr(torch.ops.onednn, "qconv2d_pointwise") and hasattr(torch.ops.onednn, "qconv_prepack")
    told = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return there and bool(told.get("avx512_vnni", False))


def _clipped_steps(largest: Tensor) -> Tensor:
    """What each of the values up to 255 is worth, of channels between 0 and so much."""
    return largest.float().clamp(SMALLEST, CLIPPED) / STEPS


def _steps_between_blocks(backbone: EfficientNetLite, ranges: ActivationRanges) -> list[Tensor]:
    """The steps of what each block leaves; the same for all that are added to each other."""
    largest: list[Tensor] = []
    for index, block in enumerate(backbone.blocks):
        own = ranges.of("left", index).float()
        largest.append(torch.maximum(own, largest[-1]) if block.residual else own)
    for index in range(len(largest) - 1, 0, -1):
        if backbone.blocks[index].residual:
            largest[index - 1] = largest[index]
    return [values.clamp(min=SMALLEST) / HALF_STEPS for values in largest]
