"""Means of a network's weights: along one training (an exponential moving average, EMA), and of several.

The mean of trainings that began with the same weights is often better than each of them (model soups,
Wortsman et al., arXiv 2203.05482).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.errors import WeightsError
from models.weights import WeightsInfo, describe_misfit

if TYPE_CHECKING:
    from collections.abc import Sequence


class WeightAverage:
    """Keeps a slowly following copy of every floating-point tensor of a network.

    The decay grows with the steps taken, (1 + n) / (10 + n), up to `decay`: early weights are forgotten.
    """

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.steps = 0
        self.values: dict[str, Tensor] = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        followed: list[Tensor] = []
        current: list[Tensor] = []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                followed.append(self.values[name])
                current.append(value)
            else:
                self.values[name].copy_(value)
        torch._foreach_lerp_(followed, current, 1.0 - decay)

    def copy_to(self, network: nn.Module) -> None:
        """Load the averaged weights into a network of the same shape."""
        network.load_state_dict(self.values)


def mean_weights(
    several: Sequence[tuple[WeightsInfo, dict[str, Tensor]]],
) -> tuple[WeightsInfo, dict[str, Tensor]]:
    """The mean of the weights of several trainings of one network, with the header of the first.

    Args:
        several: at least one, each a header and the tensors by name.

    Returns:
        A header and float32 tensors, counters as in the first; one training alone as it is.

    Raises:
        WeightsError: they are not of the same network, with the same sizes and classes.
    """
    (info, tensors), *others = several
    for other, theirs in others:
        same = (other.architecture, other.config, other.categories) == (
            info.architecture,
            info.config,
            info.categories,
        )
        if not same or describe_misfit(tensors, theirs) is not None:
            raise WeightsError(
                "only weights of the same network, of the same sizes and classes, have a mean."
            )
    if not others:
        return info, tensors
    tables = [tensors, *(theirs for _, theirs in others)]
    mean = {
        name: torch.stack([table[name].float() for table in tables]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
        if all(name in table for table in tables)
    }
    return info, mean
