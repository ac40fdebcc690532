"""The loss of spatial embeddings with learned bandwidth (Neven et al., arXiv 1906.11109, sections 3.1, 3.2).

Lovász hinge on 2 phi - 1 per object, spread of sigma inside an object, and the seed maps' regression to phi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.data.label_map import instance_labels
from models.losses.lovasz import lovasz_hinge
from models.networks.spatial_embeddings.network import (
    SpatialEmbeddings,
    SpatialEmbeddingsConfig,
    SpatialFeatures,
    bandwidth,
    cluster_probability,
    pixel_coordinates,
)

if TYPE_CHECKING:
    from models.data.sample import Batch, CropTarget


@dataclass(frozen=True, slots=True)
class SpatialLossSettings:
    """Weights of the terms; `foreground` is the weight of the objects' pixels in the seed term, in the map
    of their own class and in those of the others alike: if they counted less there, a pixel whose class is
    unclear would belong to every class."""

    instance: float = 1.0
    variance: float = 10.0
    seed: float = 1.0
    foreground: float = 10.0


@dataclass(frozen=True, slots=True)
class SpatialTerms:
    """One picture's terms, scalars."""

    instance: Tensor
    variance: Tensor
    seed: Tensor


def spatial_terms(
    embedding: Tensor,
    sigma: Tensor,
    seeds: Tensor,
    labels: Tensor,
    categories: Tensor,
    *,
    learned_center: bool,
    foreground: float = 10.0,
) -> SpatialTerms:
    """The three terms of one picture, all objects at once.

    Args:
        embedding: (2, h, w).
        sigma: (S, h, w), S 1 or 2.
        seeds: (C, h, w) in (0, 1).
        labels: (h, w) int64 of `instance_labels`.
        categories: (N,) of the objects.
    """
    height, width = labels.shape
    flat = labels.flatten()
    known = flat >= 0
    numbers = torch.arange(1, len(categories) + 1, device=flat.device)
    belongs = flat[None] == numbers[:, None]
    visible = belongs.any(dim=1)
    belongs, categories = belongs[visible], categories[visible]
    share = belongs.float() / belongs.sum(dim=1, keepdim=True).clamp(min=1)
    vectors, sigmas = embedding.flatten(1), sigma.flatten(1)
    # The spread is taken before the exponential (section 3.1.3) and pulls the pixels, not their mean.
    mean_sigma = share @ sigmas.T
    square = (sigmas[None] - mean_sigma.detach()[:, :, None]).square().mean(dim=1)
    if learned_center:
        centers = share @ vectors.T
    else:
        centers = share @ pixel_coordinates(height, width, flat.device).flatten(1).T
    phi = cluster_probability(centers, bandwidth(mean_sigma), vectors)
    count = max(1, len(categories))
    hinge = lovasz_hinge(2.0 * phi - 1.0, belongs, known.expand_as(belongs))
    return SpatialTerms(
        instance=hinge.sum() / count,
        variance=(square * share).sum() / count,
        seed=_seed_term(seeds.flatten(1), phi.detach(), belongs, categories, known, foreground),
    )


def _seed_term(
    seeds: Tensor, phi: Tensor, belongs: Tensor, categories: Tensor, known: Tensor, foreground: float
) -> Tensor:
    """Squared error of every class's seed map: phi on its objects, 0 elsewhere; mean over the pixels.

    Args:
        seeds: (C, P); phi and belongs: (N, P); known: (P,).
    """
    is_class = torch.arange(len(seeds), device=seeds.device)[:, None] == categories[None]
    target = is_class.float() @ (phi * belongs)
    weight = torch.where(belongs.any(dim=0), foreground, 1.0) * known
    return ((seeds - target).square() * weight).sum() / seeds.shape[1]


class SpatialEmbeddingsLoss:
    """Weighted sum of the terms over a batch; masks come at full resolution."""

    def __init__(self, settings: SpatialLossSettings | None = None) -> None:
        self.settings = settings or SpatialLossSettings()

    def __call__(
        self, network: SpatialEmbeddings, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms, each a scalar: "loss", "instance", "variance" and "seed"."""
        features = network(batch.images.to(next(network.parameters()).device))
        if batch.targets[0].masks.shape[1:] != batch.images.shape[2:]:
            raise ValueError("masks must be at stride 1")
        rows = [
            self._one_picture(features, i, target, network.config) for i, target in enumerate(batch.targets)
        ]
        instance = torch.stack([row.instance for row in rows]).mean()
        variance = torch.stack([row.variance for row in rows]).mean()
        seed = torch.stack([row.seed for row in rows]).mean()
        weights = self.settings
        loss = weights.instance * instance + weights.variance * variance + weights.seed * seed
        return {
            "loss": loss,
            "instance": instance.detach(),
            "variance": variance.detach(),
            "seed": seed.detach(),
        }

    def _one_picture(
        self, features: SpatialFeatures, index: int, target: CropTarget, config: SpatialEmbeddingsConfig
    ) -> SpatialTerms:
        device = features.embedding.device
        with torch.autocast(device.type, enabled=False):
            return spatial_terms(
                features.embedding[index],
                features.sigma[index],
                features.seeds[index],
                instance_labels(target).to(device),
                target.categories.to(device),
                learned_center=config.learned_center,
                foreground=self.settings.foreground,
            )
