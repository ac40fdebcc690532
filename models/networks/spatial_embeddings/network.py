"""Instance segmentation by jointly optimising spatial embeddings and clustering bandwidth.

Neven, De Brabandere, Proesmans & Van Gool, CVPR 2019 (arXiv 1906.11109):

    e_i      = x_i + tanh(o_i)                       pixel i points at its object's centre  (section 3.1)
    phi_k(i) = exp(-sum_d s_kd (e_id - C_kd)^2)      i belongs to object k                  (equation 6, 11)
    s        = exp(10 sigma)                         learned bandwidth; the 1 / (2 sigma^2) of the paper
    seed_i   ~ phi_k(i)                              how close a pixel lies to its object's centre

ERFNet's encoder is shared by two decoders: offsets and bandwidth, and one seed map per class.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.backbones.erfnet import DEEP_DROPOUT, ErfNetDecoder, ErfNetEncoder
from models.layers.distance import weighted_squared_distances

PIXELS_PER_UNIT = 1024.0  # of the coordinates x_i: an offset reaches up to 1024 pixels
BANDWIDTH_GAIN = 10.0
INITIAL_SIGMA = 1.0  # phi > 1/2 within 5.7 pixels of the centre


@dataclass(frozen=True, slots=True)
class SpatialEmbeddingsConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        width: channels relative to the published ERFNet.
        sigmas: 1 for circular, 2 for elliptical clusters.
        learned_center: C_k is the mean of the object's embeddings; otherwise its centroid.
        min_pixels: an object found automatically has at least so many pixels of the network's input.
    """

    width: float = 1.0
    sigmas: int = 1
    learned_center: bool = True
    dropout: float = DEEP_DROPOUT
    min_pixels: int = 128
    long_side: int = 768


@dataclass(frozen=True, slots=True)
class SpatialFeatures:
    """What one pass leaves behind.

    Attributes:
        embedding: (B, 2, H, W) e_i, x and y in units of PIXELS_PER_UNIT.
        sigma: (B, 1 or 2, H, W), before the exponential.
        seeds: (B, C, H, W) in (0, 1).
    """

    embedding: Tensor
    sigma: Tensor
    seeds: Tensor


def pixel_coordinates(height: int, width: int, device: torch.device) -> Tensor:
    """(2, height, width): x_i of every pixel, x then y."""
    ys, xs = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    return torch.stack([xs, ys]).float() / PIXELS_PER_UNIT


def bandwidth(sigma: Tensor) -> Tensor:
    """s = exp(10 sigma), the precision of a cluster."""
    return torch.exp(BANDWIDTH_GAIN * sigma)


def cluster_probability(centers: Tensor, precision: Tensor, embedding: Tensor) -> Tensor:
    """phi of N clusters at P pixels.

    Args:
        centers: (N, 2).
        precision: (N, 1) or (N, 2) s.
        embedding: (2, P).

    Returns:
        (N, P) in [0, 1].
    """
    return torch.exp(-weighted_squared_distances(centers, precision, embedding))


class SpatialEmbeddings(nn.Module):
    """ERFNet with two decoders."""

    def __init__(self, classes: int, config: SpatialEmbeddingsConfig | None = None) -> None:
        super().__init__()
        self.config = config or SpatialEmbeddingsConfig()
        self.encoder = ErfNetEncoder(self.config.width, dropout=self.config.dropout)
        self.instance_decoder = ErfNetDecoder(2 + self.config.sigmas, self.config.width)
        self.seed_decoder = ErfNetDecoder(classes, self.config.width)
        with torch.no_grad():
            last = self.instance_decoder.last
            assert last.bias is not None
            last.weight.zero_()
            last.bias[:2].zero_()
            last.bias[2:].fill_(INITIAL_SIGMA)

    def forward(self, images: Tensor) -> SpatialFeatures:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 8."""
        encoded = self.encoder(images.float() / 255.0)
        instance = self.instance_decoder(encoded).float()
        grid = pixel_coordinates(instance.shape[2], instance.shape[3], instance.device)
        return SpatialFeatures(
            embedding=torch.tanh(instance[:, :2]) + grid,
            sigma=instance[:, 2:],
            seeds=self.seed_decoder(encoded).float().sigmoid(),
        )
