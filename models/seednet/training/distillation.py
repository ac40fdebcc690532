"""The lesson "distill": a SeedNet with a new backbone learns to see what a trained one with another sees.

Regression of a teacher's intermediate features, as the hints of FitNets (Romero et al., arXiv 1412.6550):
every cell of every level is a target, so that a step teaches more than the few objects of a crop could. What
reads these features, the heads and the refiner, can then be taken over from the teacher as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from models.data.sample import Batch
    from models.seednet.network import SeedNet

LEAST_VARIANCE = 1e-3  # share of the level's mean square; channels that hardly vary hardly count


class DistillationLoss:
    """Squared errors of the pyramid's levels and of the embedding, in units of the teacher's variance.

    Args:
        teacher: a trained network whose pyramid has the same width.
    """

    def __init__(self, teacher: SeedNet) -> None:
        self._teacher = teacher.eval().requires_grad_(False)

    def __call__(self, network: SeedNet, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms "level0" (stride 4) to "level3" (stride 32) and "embedding"; "loss" is their sum."""
        images = batch.images.to(next(network.parameters()).device)
        teacher = self._teacher.to(images.device)
        with torch.no_grad():
            _, wanted = teacher.pyramid(images)
            wanted_embedding = teacher.embedding(wanted[0])
        _, found = network.pyramid(images)
        terms = {f"level{i}": _error(f, w) for i, (f, w) in enumerate(zip(found, wanted, strict=True))}
        terms["embedding"] = _error(teacher.embedding(found[0]), wanted_embedding)
        return {"loss": torch.stack(list(terms.values())).sum(), **{k: v.detach() for k, v in terms.items()}}


def _error(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of (B, C, h, w) maps, each channel in units of its variance."""
    found, wanted = found.float(), wanted.float()
    variance = wanted.var(dim=(0, 2, 3), keepdim=True) + LEAST_VARIANCE * wanted.square().mean()
    return ((found - wanted).square() / variance).mean()
