"""The whole loss of deep metric learning: embedding plus lambda times mask classification.

Fathi et al., arXiv 1703.10277, section 3: both terms over the same randomly drawn pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.data.label_map import instance_labels
from models.layers.distance import squared_distances
from models.networks.deep_metric_learning.metric import draw_pixels, embedding_gap, metric_loss
from models.networks.deep_metric_learning.network import STRIDE, TAUS, DeepMetricNetwork, tau_to_gap

if TYPE_CHECKING:
    from models.data.sample import Batch, CropTarget

BACKGROUND_CLASS = 0
SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class DeepMetricSettings:
    """Attributes:
    pixels: K, drawn per instance (the background is one).
    classification: lambda at the end of its ramp.
    ramp_steps: steps over which lambda grows from 0.
    """

    pixels: int = 10
    classification: float = 0.2
    ramp_steps: int = 300


def mask_classes(
    embedding: Tensor,
    drawn: Tensor,
    labels: Tensor,
    categories: Tensor,
    *,
    use_square: bool = True,
) -> Tensor:
    """The true class of the masks m(p, tau) that drawn pixels grow.

    Args:
        embedding: (D, P) of all pixels.
        drawn: (S,) indices of pixels p.
        labels: (P,) of `instance_labels`; unknown pixels take no part in the IoU.
        categories: (N,) of the objects.

    Returns:
        (S, T) int64: category + 1 of the object with IoU > 0.5 with the mask, else background.
    """
    if len(categories) == 0:
        return torch.zeros((len(drawn), len(TAUS)), dtype=torch.int64, device=embedding.device)
    pixels = embedding.detach().T
    gap = embedding_gap(squared_distances(pixels[drawn], pixels), use_square=use_square)
    limits = gap.new_tensor([tau_to_gap(tau) for tau in TAUS])
    known = labels >= 0
    grown = ((gap[:, None] <= limits[:, None]) & known).float()
    objects = torch.arange(1, len(categories) + 1, device=labels.device)
    truth = (labels[None] == objects[:, None]).float()
    common = grown @ truth.T
    either = grown.sum(dim=2, keepdim=True) + truth.sum(dim=1) - common
    iou, owner = (common / either.clamp(min=1.0)).max(dim=2)
    return torch.where(iou > SAME_OBJECT_IOU, categories[owner] + 1, BACKGROUND_CLASS)


class DeepMetricLoss:
    """Sum of the terms over a batch; counts its own calls for the ramp of lambda."""

    def __init__(self, settings: DeepMetricSettings | None = None) -> None:
        self.settings = settings or DeepMetricSettings()
        self.steps = 0

    @property
    def classification_weight(self) -> float:
        """lambda of the current step."""
        share = min(1.0, self.steps / max(1, self.settings.ramp_steps))
        return self.settings.classification * share

    def __call__(
        self, network: DeepMetricNetwork, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms, each a scalar: "loss", "embedding" and "classification"."""
        features = network(batch.images.to(next(network.parameters()).device))
        if batch.targets[0].masks.shape[1] != features.embedding.shape[2]:
            raise ValueError(f"masks must be at stride {STRIDE}")
        rows = [
            self._one_picture(features.embedding[i], features.classes[i], target, network, generator)
            for i, target in enumerate(batch.targets)
        ]
        embedding, classification = (torch.stack([row[i] for row in rows]).mean() for i in range(2))
        loss = embedding + self.classification_weight * classification
        self.steps += 1
        return {
            "loss": loss,
            "embedding": embedding.detach(),
            "classification": classification.detach(),
        }

    def _one_picture(
        self,
        embedding: Tensor,
        classes: Tensor,
        target: CropTarget,
        network: DeepMetricNetwork,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Both terms of one picture: embedding (D, h, w), classes (T, C + 1, h, w)."""
        labels = instance_labels(target)
        drawn = draw_pixels(labels, self.settings.pixels, generator).to(embedding.device)
        if len(drawn) == 0:
            return embedding.sum() * 0.0, classes.sum() * 0.0
        labels = labels.flatten().to(embedding.device)
        use_square = network.config.squared
        pixels = embedding.flatten(1)
        term = metric_loss(pixels[:, drawn].T, labels[drawn], use_square=use_square)
        categories = target.categories.to(embedding.device)
        truth = mask_classes(pixels, drawn, labels, categories, use_square=use_square)
        logits = classes.flatten(2)[:, :, drawn].permute(2, 0, 1)
        return term, F.cross_entropy(logits.flatten(0, 1), truth.flatten())
