"""How weights without a header look: by which names a network is told, and its sizes by which shapes.

SeedHue's own files say in their header what they hold; a torch checkpoint, or a safetensors file of someone
else, does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from models.backbones.efficientnet_lite import STAGES
from models.backbones.resnet import DEPTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

Shape: TypeAlias = tuple[int, ...]
Sizes: TypeAlias = tuple[dict[str, Any], int | None]  # by name, and the number of classes (None without any)


class SizeError(ValueError):
    """Shapes that tell no sizes; the message goes on after "but"."""


class Shapes:
    """Shapes by name; a name that is missing is told by name."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = dict(shapes)

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def dimension(self, name: str, axis: int) -> int:
        """One side of a tensor.

        Raises:
            SizeError: there is no such tensor, or it has fewer sides.
        """
        shape = self._shapes.get(name)
        if shape is None:
            raise SizeError(f"{name} is missing")
        if axis >= len(shape):
            raise SizeError(f"{name} has the shape {shape}")
        return shape[axis]

    def below(self, prefix: str) -> Shapes:
        """Those under a prefix, without it."""
        return Shapes({k.removeprefix(prefix): v for k, v in self._shapes.items() if k.startswith(prefix)})

    def count(self, pattern: str) -> int:
        """How many of the numbered names 0, 1, 2, … there are; the pattern holds one {}."""
        number = 0
        while pattern.format(number) in self._shapes:
            number += 1
        return number

    def any_ends_with(self, suffix: str) -> bool:
        return any(name.endswith(suffix) for name in self._shapes)


@dataclass(frozen=True, slots=True)
class WeightsPattern:
    """How the weights of one network look.

    Attributes:
        signs: beginnings of names that tell it from the others.
        read: shapes -> its sizes, and its number of classes (None if it has none).
        config: dataclass of sizes.
        network: (config, classes) -> the network, to compare names and shapes with.
    """

    signs: tuple[str, ...]
    read: Callable[[Shapes], Sizes]
    config: Callable[..., Any]
    network: Callable[[Any, int], nn.Module]

    def likeness(self, names: Mapping[str, Any]) -> tuple[float, int]:
        """Share of its signs that are there, and how many that are: larger is more alike."""
        found = sum(any(name.startswith(sign) for name in names) for sign in self.signs)
        return found / len(self.signs), found


def read_backbone(shapes: Shapes) -> dict[str, Any]:
    """Name and width of a backbone by its own names."""
    if "_conv_stem.weight" in shapes:
        count = shapes.count("_blocks.{}._project_conv.weight")
        for name, stages in STAGES.items():
            if sum(stage[0] for stage in stages) == count:
                return {"backbone": name, "resnet_width": 64}
        raise SizeError(f"there is no EfficientNet-Lite here with {count} blocks")
    width = shapes.dimension("conv1.weight", 0)
    bottleneck = "layer1.0.conv3.weight" in shapes
    blocks = tuple(shapes.count(f"layer{stage}.{{}}.conv1.weight") for stage in range(1, 5))
    for depth, known in DEPTHS.items():
        if known.blocks == blocks and known.bottleneck == bottleneck:
            return {"backbone": f"resnet-{depth}", "resnet_width": width}
    raise SizeError(f"there is no ResNet here with {', '.join(map(str, blocks))} blocks in its stages")
