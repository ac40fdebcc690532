"""Which seeds a crop is asked for in training, and which further clicks would correct the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.data.sample import CropTarget

ERROR_WINDOW = 7  # cells; a correction falls where most of so wide a square is wrong
ERROR_POWER = 3.0
LEAST_CELLS = 4  # of an object that seeds are drawn in
CENTRAL_POWER = 4.0  # of a cell's depth, how likely a seed near the middle falls on it
DEEPEST = 0.99  # of the largest depth; a seed in the very middle falls on a cell at least so deep


@dataclass(frozen=True, slots=True)
class DrawnSeeds:
    """Seeds of one crop: points (S, 2) as shares of width and height, and the object of each, (S,)."""

    points: Tensor
    owner: Tensor


def draw_objects(target: CropTarget, generator: torch.Generator, *, objects: int) -> list[int]:
    """At most so many of a crop's objects that are large enough to click on, by index, in random order."""
    covered = (target.masks >= 0.5).sum(dim=(1, 2))
    usable = torch.nonzero((covered >= LEAST_CELLS) & target.has_mask).flatten()
    order = torch.randperm(len(usable), generator=generator)[:objects]
    chosen: list[int] = usable[order].tolist()
    return chosen


def draw_seeds(
    target: CropTarget,
    objects: Sequence[int],
    generator: torch.Generator,
    *,
    count: int,
    central: float,
    deepest: float = 0.0,
) -> DrawnSeeds:
    """Draw seeds inside the objects in turn: anywhere, rather where an object is thick, or only there.

    Args:
        objects: indices of `draw_objects`.
        count: of the seeds, of all objects together; none if there are no objects.
        central: share of seeds drawn near the middle of the object rather than anywhere in it.
        deepest: share of seeds, besides, drawn where the object is thickest.
    """
    if not objects:
        return DrawnSeeds(torch.zeros((0, 2)), torch.zeros((0,), dtype=torch.int64))
    height, width = target.masks.shape[1:]
    points = torch.zeros((count, 2))
    for turn, index in enumerate(objects[:count]):
        inside = (target.masks[index] >= 0.5).to(torch.uint8).numpy()
        depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        cells = np.flatnonzero(inside)
        depths = depth.ravel()[cells].astype(np.float64)
        near, deep = np.cumsum(depths**CENTRAL_POWER), np.cumsum(depths >= DEEPEST * depths.max())
        mine = range(turn, count, len(objects))
        for at, drawn in zip(mine, torch.rand((len(mine), 4), generator=generator).tolist(), strict=True):
            kind, place, right, down = drawn
            if kind < deepest + central:
                likely = deep if kind < deepest else near
                found = int(np.searchsorted(likely, place * likely[-1], side="right"))
            else:
                found = int(place * len(cells))
            row, column = divmod(int(cells[min(found, len(cells) - 1)]), width)
            points[at, 0], points[at, 1] = (column + right) / width, (row + down) / height
    owners = torch.tensor([objects[at % len(objects)] for at in range(count)])
    return DrawnSeeds(points, owners)


def draw_corrections(predicted: Tensor, truth: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Clicks that a user would add: deep inside what is wrong; positive where something is missing.

    Args:
        predicted, truth: (S, h, w) bool, on the generator's device.
        count: clicks per seed; each seed gets between one and so many.

    Returns:
        (S, count, 3) float32: x and y in cells, and the sign; 0 where a seed gets fewer clicks or where
        nothing is wrong.
    """
    seeds, _, width = truth.shape
    device = truth.device
    wrong = (predicted ^ truth).float()
    depth = F.avg_pool2d(wrong[:, None], ERROR_WINDOW, stride=1, padding=ERROR_WINDOW // 2)[:, 0]
    weight = (depth.pow(ERROR_POWER) * wrong).flatten(1)
    some = weight.sum(dim=1, keepdim=True) > 0
    weight = torch.where(some, weight, 1.0)
    pick = torch.multinomial(weight, count, replacement=True, generator=generator)
    jitter = torch.rand((seeds, count, 2), generator=generator, device=device)
    last = torch.randint(1, count + 1, (seeds, 1), generator=generator, device=device)
    given = torch.arange(count, device=device) < last
    sign = torch.where(truth.flatten(1).gather(1, pick), 1.0, -1.0) * (given & some)
    x, y = pick % width + jitter[..., 0], pick // width + jitter[..., 1]
    return torch.stack([x, y, sign], dim=2)
