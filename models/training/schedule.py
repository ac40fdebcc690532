"""Optimiser groups and the learning-rate curve."""

from __future__ import annotations

import torch
from torch import nn

WARM_UP_STEPS = 100
DECAY_POWER = 0.9


def build_optimizer(
    network: nn.Module, *, rate: float, backbone_rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW in four groups: backbone or not, decayed (weights of products) or not (norms and biases)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            # A pyramid may live in the module named "backbone", yet it is as new as the heads.
            parts = name.split(".")
            pretrained = "backbone" in parts and "fpn" not in parts
            key = (pretrained, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "initial_lr": backbone_rate if in_backbone else rate,
                "lr": 0.0,
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (in_backbone, decays), parameters in groups.items()
        ]
    )


def learning_rate_factor(step: int, progress: float) -> float:
    """Linear warm-up over the first steps, then polynomial decay with `progress` in [0, 1]."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return float(warm_up * max(0.0, 1.0 - progress) ** DECAY_POWER)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Scale every group's initial rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
