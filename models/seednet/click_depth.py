"""How deep inside masks a seed lies, and how deep the deepest cell does: an Euclidean distance transform.

On a processor OpenCV measures, inside the box that each mask needs. Elsewhere the exact transform
(Felzenszwalb & Huttenlocher, Theory of Computing 8, 2012, section 2) is written out: distances g along the
columns, then along the rows the least of (x - k)^2 + g(k)^2, here by trying every k. That reads each cell as
often as the map is wide, so it is done in windows of one size, also around what each mask needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.boxes import masks_to_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURED = 4000  # cells of a box, or about so many of a larger one's, in even steps
WINDOW = 80  # cells
CHUNK_BYTES = 2**30  # of candidates that are compared at once


def seed_depths(cuts: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Distances, in cells, to the nearest cell outside; beyond the map everything is outside.

    Args:
        cuts: (S, K, T, h, w) bool; of each T masks the first contains the others.
        seeds: (S, 2), x and y in cells.

    Returns:
        (S, K, T) float32 each: at the cell the seed lies in, and the largest one in the mask. A cell at a
        mask's border has distance 1, one outside 0.
    """
    height, width = cuts.shape[3:]
    columns, rows = seeds.long().unbind(dim=1)
    columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
    if cuts.device.type == "cpu":
        return _measured(cuts.numpy(), rows.tolist(), columns.tolist())
    return window_depths(cuts, rows, columns)


def _measured(cuts: NDArray[np.bool_], rows: list[int], columns: list[int]) -> tuple[Tensor, Tensor]:
    found = np.zeros((2, *cuts.shape[:3]), np.float32)
    for seed, level in np.ndindex(*cuts.shape[:2]):
        masks = cuts[seed, level].view(np.uint8)
        left, top, width, height = cv2.boundingRect(masks[0])
        if width:
            row, column = rows[seed] - top, columns[seed] - left
            window = masks[:, top : top + height, left : left + width]
            step = max(1, round((height * width / MEASURED) ** 0.5))
            depth = _stacked_transform(window[:, ::step, ::step])
            found[1, seed, level] = step * depth.max(axis=(1, 2))
            if 0 <= row < height and 0 <= column < width:
                found[0, seed, level] = step * depth[:, row // step, column // step]
    at_seed, deepest = torch.from_numpy(found)
    return at_seed, deepest


def _stacked_transform(masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(T, h, w) of as many masks: one transform of all below each other, with zeros between them."""
    count, height, width = masks.shape
    stack = np.zeros((1 + count * (height + 1), width + 2), np.uint8)
    inside = (slice(None), slice(0, height), slice(1, width + 1))
    stack[1:].reshape(count, height + 1, width + 2)[inside] = masks
    found = cv2.distanceTransform(stack, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found[1:].reshape(count, height + 1, width + 2)[inside], np.float32)


def window_depths(cuts: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """`seed_depths` of seeds in the cells of these rows and columns, (S,), without OpenCV.

    Each seed's masks are brought to WINDOW x WINDOW cells, of a larger box every second, third, and so on.
    """
    height, width = cuts.shape[3:]
    boxes = masks_to_boxes(cuts[:, :, 0].flatten(0, 1)).long().view(*cuts.shape[:2], 4, 1)
    left, top, right, bottom = boxes.unbind(dim=2)
    step = (
        torch.maximum(bottom - top, right - left)
        .add(WINDOW - 1)
        .div(WINDOW, rounding_mode="floor")
        .clamp(min=1)
    )
    steps = torch.arange(WINDOW, device=cuts.device) * step
    down, across = top + steps, left + steps  # (S, K, WINDOW)
    cells = down.clamp(max=height - 1)[..., None] * width + across.clamp(max=width - 1)[..., None, :]
    cells = cells.flatten(2)[:, :, None].expand(-1, -1, cuts.shape[2], -1)
    inside = (down < bottom)[..., None] & (across < right)[..., None, :]
    window = cuts.flatten(3).gather(3, cells).view(*cuts.shape[:3], WINDOW, WINDOW) & inside[:, :, None]
    depth = distances_inside(window) * step[..., None, None]
    row, column = rows[:, None, None], columns[:, None, None]
    in_box = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    at = ((row - top) // step * WINDOW + (column - left) // step).where(in_box, 0)
    at_seed = depth.flatten(3).gather(3, at[..., None].expand(-1, -1, cuts.shape[2], -1))[..., 0]
    return at_seed * in_box, depth.amax(dim=(3, 4))


def distances_inside(masks: Tensor) -> Tensor:
    """(..., h, w) bool -> float32, of every cell the distance to the nearest one outside."""
    height, width = masks.shape[-2:]
    flat = masks.reshape(-1, height, width)
    chunk = max(1, CHUNK_BYTES // (4 * height * width * (width + 2)))
    parts = [_transform(part) for part in torch.split(flat, chunk)] if len(flat) else [flat.float()]
    return torch.cat(parts).view(masks.shape)


def _transform(masks: Tensor) -> Tensor:
    """`distances_inside` of (N, h, w)."""
    outside = ~F.pad(masks, (1, 1, 1, 1))
    height, width = outside.shape[1:]
    at = torch.arange(height, device=masks.device)[:, None]
    above = torch.where(outside, at, -1).cummax(dim=1).values
    below = torch.where(outside, at, height).flip(1).cummin(dim=1).values.flip(1)
    along = torch.minimum(at - above, below - at)[:, 1:-1].float().square()  # (N, h, w + 2)
    places = torch.arange(width, device=masks.device)
    across = (places[1:-1, None] - places).float().square()  # (w, w + 2)
    return (along[:, :, None] + across).amin(dim=3).sqrt()
