"""Reference boxes ("anchors") laid over the grids of a feature pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def cell_anchors(size: float, ratios: Sequence[float]) -> Tensor:
    """(A, 4) anchors of one area size² around the origin, whole pixels; ratio = height / width.

    Rounded as in the reference implementation of Faster R-CNN, so that published weights meet the
    anchors they were trained with.
    """
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()
    half = torch.stack([size / root, size * root], dim=1) / 2
    return torch.cat([-half, half], dim=1).round()


def grid_anchors(cells: Tensor, rows: int, columns: int, stride: tuple[float, float]) -> Tensor:
    """The (A, 4) anchors repeated at every cell of a grid: (rows * columns * A, 4), row by row.

    Args:
        stride: pixels per cell along y and x; the anchor of cell (0, 0) is centred on the corner (0, 0),
            as in Faster R-CNN.
    """
    ys = torch.arange(rows, device=cells.device) * stride[0]
    xs = torch.arange(columns, device=cells.device) * stride[1]
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    shift = torch.stack([x, y, x, y], dim=-1)
    return (shift[:, :, None] + cells).reshape(-1, 4).float()


def pyramid_anchors(
    grids: Sequence[tuple[int, int]],
    image_size: tuple[int, int],
    sizes: Sequence[float],
    ratios: Sequence[float],
    *,
    device: torch.device,
) -> list[Tensor]:
    """Faster R-CNN with a feature pyramid (arXiv 1612.03144, section 4.1): one area per level.

    Args:
        grids: (rows, columns) of each level, fine to coarse.
        sizes: square root of the anchors' area at each level.
    """
    height, width = image_size
    return [
        grid_anchors(cell_anchors(size, ratios).to(device), rows, columns, (height // rows, width // columns))
        for (rows, columns), size in zip(grids, sizes, strict=True)
    ]


def square_anchors(
    grids: Sequence[tuple[int, int]],
    image_size: tuple[int, int],
    sizes: Sequence[float],
    ratios: Sequence[float],
    *,
    device: torch.device,
) -> Tensor:
    """YOLACT's anchors of all levels in a row, (sum of rows * columns * A, 4), centred on the cells.

    The released YOLACT makes every anchor a square of side size * sqrt(ratio), by what its author calls
    a bug; its published figures were reached with it, so it is kept.
    """
    height, width = image_size
    root = torch.tensor(ratios, dtype=torch.float32, device=device).sqrt()
    levels: list[Tensor] = []
    for (rows, columns), size in zip(grids, sizes, strict=True):
        stride_y, stride_x = height / rows, width / columns
        half = (size / 2 * root)[:, None]
        center = torch.tensor([stride_x / 2, stride_y / 2], device=device)
        cells = torch.cat([center - half, center + half], dim=1)
        levels.append(grid_anchors(cells, rows, columns, (stride_y, stride_x)))
    return torch.cat(levels)
