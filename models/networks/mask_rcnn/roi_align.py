"""RoIAlign (He et al., Mask R-CNN, arXiv 1703.06870, section 3) in plain torch.

Every bin of every region is the mean of bilinear samples, and a bilinear sample is a weighted sum of
four feature vectors. So the whole layer, for all regions, pictures and pyramid levels together, is one
weighted sum of rows picked from one table: an embedding bag. No loop over regions, bins or levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.boxes import box_area

if TYPE_CHECKING:
    from collections.abc import Sequence

Bilinear = tuple[Tensor, Tensor]


def pyramid_level(boxes: Tensor, levels: int, *, canonical_size: float = 224.0) -> Tensor:
    """Which of `levels` maps (0 has stride 4) serves each box: arXiv 1612.03144, equation 1.

    A box of `canonical_size` squared goes to the map of stride 16.
    """
    side = box_area(boxes).sqrt()
    return (2.0 + torch.log2(side / canonical_size + 1e-6)).floor().clamp(0, levels - 1).long()


def _bilinear(position: Tensor, size: Tensor) -> Bilinear:
    """The two cells on either side of each sample along one axis, and their weights.

    Args:
        position: (R, n) in cells, cell i has its centre at i; size: (R, 1) cells.

    Returns:
        Indices (R, n, 2) and weights (R, n, 2), zero for samples more than a cell outside.
    """
    inside = ((position >= -1.0) & (position <= size)).float()
    clamped = torch.minimum(position.clamp(min=0.0), (size - 1).float())
    low = clamped.floor()
    share = clamped - low
    high = torch.minimum(low + 1, (size - 1).float())
    index = torch.stack([low, high], dim=2).long()
    return index, torch.stack([1.0 - share, share], dim=2) * inside[..., None]


def _samples(start: Tensor, length: Tensor, bins: int, ratio: int) -> Tensor:
    """(R, bins * ratio) positions: `ratio` evenly spaced samples in each of the bins."""
    steps = (torch.arange(bins * ratio, device=start.device) + 0.5) / (bins * ratio)
    return start[:, None] + length[:, None] * steps


def roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    pictures: Tensor,
    levels: Tensor,
    *,
    strides: Sequence[float],
    size: int,
    sampling_ratio: int = 2,
    aligned: bool = False,
) -> Tensor:
    """Pool each box to a square grid.

    Args:
        features: maps (B, C, H_l, W_l), fine to coarse.
        boxes: (R, 4) in input pixels.
        pictures, levels: (R,) int64, which picture and which map each box is read from.
        strides: input pixels per cell of each map.
        size: bins per side of the result.
        aligned: cell i has its centre at i + 1/2, as pixels have. The published networks were trained
            with centres at i, hence the default.

    Returns:
        (R, C, size, size) float32.
    """
    channels = features[0].shape[1]
    if len(boxes) == 0:
        return features[0].new_zeros((0, channels, size, size), dtype=torch.float32)
    table = torch.cat([f.float().permute(0, 2, 3, 1).reshape(-1, channels) for f in features])
    index, weight = _table_samples(
        [f.shape for f in features], boxes, pictures, levels, strides, size, sampling_ratio, aligned
    )
    pooled = F.embedding_bag(index, table, mode="sum", per_sample_weights=weight)
    return pooled.view(len(boxes), size, size, channels).permute(0, 3, 1, 2)


def _table_samples(
    shapes: Sequence[torch.Size],
    boxes: Tensor,
    pictures: Tensor,
    levels: Tensor,
    strides: Sequence[float],
    size: int,
    ratio: int,
    aligned: bool,
) -> tuple[Tensor, Tensor]:
    """Rows of the table of all maps and their weights, (R * size², (2 ratio)²) each."""
    device = boxes.device
    facts = [(s[2], s[3], s[0] * s[2] * s[3]) for s in shapes]
    height = torch.tensor([f[0] for f in facts], device=device)[levels][:, None]
    width = torch.tensor([f[1] for f in facts], device=device)[levels][:, None]
    before = torch.tensor([sum(f[2] for f in facts[:i]) for i in range(len(facts))], device=device)
    scale = torch.tensor([1.0 / s for s in strides], device=device)[levels]
    x0, y0, x1, y1 = (boxes.float() * scale[:, None] - (0.5 if aligned else 0.0)).unbind(dim=1)
    columns = _bilinear(_samples(x0, (x1 - x0).clamp(min=1.0), size, ratio), width)
    rows = _bilinear(_samples(y0, (y1 - y0).clamp(min=1.0), size, ratio), height)
    first = before[levels] + pictures * (height * width).squeeze(1)
    # Axes: region, bin row, bin column, then 2 * ratio rows and columns that the bin sums over.
    row_index, row_weight = (t.view(len(boxes), size, 1, 2 * ratio, 1) for t in rows)
    column_index, column_weight = (t.view(len(boxes), 1, size, 1, 2 * ratio) for t in columns)
    index = first.view(-1, 1, 1, 1, 1) + row_index * width.view(-1, 1, 1, 1, 1) + column_index
    weight = row_weight * column_weight / (ratio * ratio)
    bag = (2 * ratio) ** 2
    return index.reshape(-1, bag), weight.reshape(-1, bag)


def crop_masks(masks: Tensor, boxes: Tensor, owners: Tensor, *, stride: float, size: int) -> Tensor:
    """What each box sees of its own mask: the target of a mask head.

    Args:
        masks: (N, h, w) coverage in [0, 1], `stride` input pixels per cell.
        boxes: (R, 4) in input pixels; owners: (R,) int64, the mask of each.

    Returns:
        (R, size, size) float32 in [0, 1].
    """
    pooled = roi_align(
        [masks[:, None]],
        boxes,
        owners,
        torch.zeros_like(owners),
        strides=[stride],
        size=size,
        sampling_ratio=1 if stride > 1 else 2,
        aligned=True,
    )
    return pooled[:, 0]
