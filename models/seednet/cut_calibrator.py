"""The last word on a seed's cuts, by so few facts about each that no picture can be known by heart.

The scorers before it look at features, and after hours of training they also recognize the pictures that
they learnt from: they are surer there than elsewhere. What is seen here is what they predict for all the cuts
of a seed, the cuts' shapes, and how deep inside them the seed lies. A cut is seen together with
all the others (Zaheer et al., Deep Sets, arXiv 1703.06114), as in the cut scorer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CutCalibrator(nn.Module):
    """Corrects predicted IoUs; corrects nothing to begin with.

    Args:
        shape_facts: how many there are of each cut besides its predicted IoU.
        levels, thresholds: K and T, each seed's cuts.
        width: of its layers.
    """

    def __init__(self, *, shape_facts: int, levels: int, thresholds: int, width: int) -> None:
        super().__init__()
        self.cut = nn.Linear(2 * (1 + shape_facts), width)
        self.level = nn.Parameter(torch.zeros(levels, 1, width))
        self.threshold = nn.Parameter(torch.zeros(thresholds, width))
        self.together = nn.Linear(3 * width, width)
        self.correction = nn.Linear(width, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, facts: Tensor) -> Tensor:
        """(S, K, T) logits of IoUs, corrected.

        Args:
            facts: (S, K, T, 1 + shape_facts): the predicted logit, then what `CutScorer` tells of the shape.
        """
        predicted, shapes = facts[..., :1], facts[..., 1:]
        others = (predicted - predicted.amax(dim=(1, 2), keepdim=True), shapes - _mean(shapes))
        own = F.relu(self.cut(torch.cat([facts, *others], dim=3)) + self.level + self.threshold)
        around = (_mean(own), own.amax(dim=(1, 2), keepdim=True))
        together = torch.cat([own, *(o.expand_as(own) for o in around)], dim=3)
        correction: Tensor = self.correction(F.relu(self.together(together)))
        return (predicted + correction)[..., 0]


def _mean(facts: Tensor) -> Tensor:
    """(S, 1, 1, F) over the cuts of each seed."""
    return facts.mean(dim=(1, 2), keepdim=True)
