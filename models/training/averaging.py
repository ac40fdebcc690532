"""Exponential moving average of a network's weights (Polyak averaging)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value.detach(), 1.0 - decay)
            else:
                self.values[name].copy_(value)

    def copy_to(self, network: nn.Module) -> None:
        """Load the averaged weights into a network of the same shape."""
        network.load_state_dict(self.values)
