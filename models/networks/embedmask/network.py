"""EmbedMask: embedding coupling for one-stage instance segmentation (Ying et al., arXiv 1912.01954).

FCOS finds objects; every location also gives a proposal embedding Q and a margin, every pixel an embedding
p, and the pixels of a proposal's mask are those near its embedding (equation 6):

    phi(p, Q) = exp(-||p - Q||^2 / (2 Sigma^2)) = exp(-sum_d m_d (p_d - Q_d)^2),   m = 1 / (2 Sigma^2)

Two published variants, by `EmbedMaskConfig.arxiv()` and `EmbedMaskConfig.ijcai()`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.backbones.choice import build_backbone
from models.layers.distance import weighted_squared_distances
from models.networks.embedmask.fcos import (
    STRIDES,
    DenseLevel,
    FcosHead,
    FcosPyramid,
    Locations,
    Scale,
    conv_tower,
    dense_locations,
    flatten_levels,
    small_normal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDING_STRIDE = 4
COORDINATE_UNIT = 100.0  # pixels per unit of the spatial dimensions, and of the sides the margin reads
TOWER_UNIT = 32.0
# m such that phi is 1/2 at distance 2.
PRIOR_MARGIN = math.log(-math.log(0.5) / 2.0**2)
LARGEST_EXPONENT = 6.0


@dataclass(frozen=True, slots=True)
class EmbedMaskConfig:
    """Sizes and variant of the network; stored beside its weights.

    Attributes:
        spatial: the first two dimensions of both embeddings carry coordinates, the others are free.
        margin_from_boxes: the margin reads the predicted sides (without gradient into them), one per
            proposal; otherwise the box tower, one per dimension.
        mean_positives: an object's embedding and margin in training are the means over its locations
            whose predicted box fits; otherwise those of the best location.
        smooth_weight: of the term that draws those locations together.
        box_padding: the mask loss sees the object's box, grown by this share; None is the whole picture.
        mask_threshold: phi at a mask's border.
    """

    backbone: str = "efficientnet-lite0"
    resnet_width: int = 64
    width: int = 128
    convolutions: int = 4
    embedding: int = 32
    spatial: bool = False
    margin_from_boxes: bool = True
    mean_positives: bool = True
    smooth_weight: float = 0.1
    box_padding: float | None = 0.1
    mask_threshold: float = 0.5
    long_side: int = 768

    @classmethod
    def arxiv(cls, **sizes: Any) -> EmbedMaskConfig:
        """The first version of the paper: mean embedding, smooth loss, margin from the box."""
        return cls(**sizes)

    @classmethod
    def ijcai(cls, **sizes: Any) -> EmbedMaskConfig:
        """The version of IJCAI 2021: spatial dimensions, margins per dimension, one location per object."""
        variant: dict[str, Any] = {
            "embedding": 16,
            "spatial": True,
            "margin_from_boxes": False,
            "mean_positives": False,
            "smooth_weight": 0.0,
            "box_padding": None,
            "mask_threshold": 0.53,
        }
        return cls(**{**variant, **sizes})

    @property
    def margin_size(self) -> int:
        """Values per margin: one, or one per dimension."""
        return 1 if self.margin_from_boxes else self.embedding


@dataclass(frozen=True, slots=True)
class EmbedMaskFeatures:
    """What one pass leaves behind, the L locations of all levels in a row.

    Attributes:
        pixels: (B, D, H/4, W/4) pixel embedding.
        classes: (B, L, C) logits.
        sides: (B, L, 4) distances to the sides of the box, pixels.
        centerness: (B, L) logits.
        queries: (B, L, D) proposal embedding.
        margins: (B, L, M) m > 0; M is 1 or D.
        locations: of the L.
        finest: (rows, columns) of P3, the first rows * columns locations.
    """

    pixels: Tensor
    classes: Tensor
    sides: Tensor
    centerness: Tensor
    queries: Tensor
    margins: Tensor
    locations: Locations
    finest: tuple[int, int]


def coordinate_maps(height: int, width: int, stride: int, like: Tensor) -> Tensor:
    """(2, height, width): x and y of the centres of cells, in COORDINATE_UNITs."""
    ys, xs = torch.meshgrid(
        torch.arange(height, device=like.device), torch.arange(width, device=like.device), indexing="ij"
    )
    return (torch.stack([xs, ys]).float() + 0.5) * (stride / COORDINATE_UNIT)


def add_to_first_two(maps: Tensor, addend: Tensor) -> Tensor:
    """(B, D, h, w) with (2, h, w) added to the first two channels."""
    return torch.cat([maps[:, :2] + addend, maps[:, 2:]], dim=1)


class ProposalHead(nn.Module):
    """Proposal embedding and margin beside FCOS's box branch."""

    def __init__(self, config: EmbedMaskConfig) -> None:
        super().__init__()
        self.config = config
        self.query = small_normal(config.width, config.embedding)
        margin_inputs = 4 if config.margin_from_boxes else config.width
        self.margin = small_normal(margin_inputs, config.margin_size, bias=PRIOR_MARGIN)
        if config.spatial:
            self.coordinate_scales = nn.ModuleList([Scale() for _ in STRIDES])
            self.margin_scales = nn.ModuleList([Scale() for _ in STRIDES])

    def forward(self, levels: Sequence[DenseLevel]) -> tuple[list[Tensor], list[Tensor]]:
        """Per level: queries (B, D, h, w) and margins (B, M, h, w)."""
        pairs = [self._level(index, level) for index, level in enumerate(levels)]
        return [q for q, _ in pairs], [m for _, m in pairs]

    def _level(self, index: int, level: DenseLevel) -> tuple[Tensor, Tensor]:
        query = self.query(level.box_tower).float()
        if self.config.margin_from_boxes:
            pixels = level.sides.detach() * STRIDES[index]
            exponent = self.margin(pixels / COORDINATE_UNIT).float()
        else:
            exponent = self.margin(level.box_tower / TOWER_UNIT).float()
        margin = exponent.clamp(max=LARGEST_EXPONENT).exp()
        if self.config.spatial:
            grid = coordinate_maps(query.shape[2], query.shape[3], STRIDES[index], query)
            query = add_to_first_two(query, self.coordinate_scales[index](grid))
            spatial = self.margin_scales[index](margin[:, :2]).clamp(min=1e-4)
            margin = torch.cat([spatial, margin[:, 2:]], dim=1)
        return query, margin


class PixelHead(nn.Module):
    """Pixel embedding from P3, brought to stride 4."""

    def __init__(self, config: EmbedMaskConfig) -> None:
        super().__init__()
        self.tower = conv_tower(config.width, config.convolutions)
        self.embedding = small_normal(config.width, config.embedding)
        self.coordinate_scale = Scale() if config.spatial else None

    def forward(self, p3: Tensor) -> Tensor:
        """(B, width, H/8, W/8) -> (B, D, H/4, W/4)."""
        maps = self.embedding(self.tower(p3)).float()
        maps = F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
        if self.coordinate_scale is not None:
            grid = coordinate_maps(maps.shape[2], maps.shape[3], EMBEDDING_STRIDE, maps)
            maps = add_to_first_two(maps, self.coordinate_scale(grid))
        return maps


class EmbedMask(nn.Module):
    """Backbone, P3 to P7, FCOS's head, the proposal head and the pixel head."""

    def __init__(
        self, classes: int, config: EmbedMaskConfig | None = None, *, pretrained_backbone: bool = True
    ) -> None:
        super().__init__()
        self.config = config or EmbedMaskConfig()
        width = self.config.width
        self.backbone = build_backbone(
            self.config.backbone, pretrained=pretrained_backbone, resnet_width=self.config.resnet_width
        )
        self.pyramid = FcosPyramid(self.backbone.spec.channels[1:], width)
        self.head = FcosHead(width, classes, convolutions=self.config.convolutions)
        self.proposals = ProposalHead(self.config)
        self.pixels = PixelHead(self.config)

    def forward(self, images: Tensor) -> EmbedMaskFeatures:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32."""
        levels = self.pyramid(self.backbone.pyramid(self.backbone.normalize(images))[1:])
        dense = self.head(levels)
        queries, margins = self.proposals(dense)
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        locations = dense_locations(sizes, images.device)
        return EmbedMaskFeatures(
            pixels=self.pixels(levels[0]),
            classes=flatten_levels([d.classes for d in dense]),
            sides=flatten_levels([d.sides for d in dense]) * locations.strides[:, None],
            centerness=flatten_levels([d.centerness for d in dense])[..., 0],
            queries=flatten_levels(queries),
            margins=flatten_levels(margins),
            locations=locations,
            finest=sizes[0],
        )


def embedding_distance(queries: Tensor, margins: Tensor, pixels: Tensor) -> Tensor:
    """sum_d m_d (p_d - Q_d)²: (N, D), (N, M) and (D, P) -> (N, P); phi is exp of its negative."""
    return weighted_squared_distances(queries, margins, pixels)
