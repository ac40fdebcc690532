"""SeedNet's weights as they were once stored, under the names and in the units of today: the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.seednet.scores import DEPTH_CENTER, DEPTH_SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

CLICKED, DEPTH, BIAS = (
    f"level_scorer.cuts.{name}" for name in ("clicked.weight", "depth.weight", "cut.bias")
)


def up_to_date(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The cut scorer once saw how deep a click lies as shares, which are now centred and spread."""
    found = dict(tensors)
    if CLICKED in found and BIAS in found:
        weight = found.pop(CLICKED).float()
        found[DEPTH] = weight / torch.tensor(DEPTH_SCALE)
        found[BIAS] = found[BIAS].float() + weight @ torch.tensor(DEPTH_CENTER)
    return found
