"""What SeedNet's loss wants to know of a batch: seeds, their masks, seediness. Drawn beside the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from models.seednet.training.drawn_clicks import DrawnSeeds, draw_objects, draw_seeds
from models.seednet.training.tensor_batch import TensorBatch

if TYPE_CHECKING:
    from models.data.sample import Batch, CropTarget


@dataclass(frozen=True, slots=True)
class SeedBatch(TensorBatch):
    """B crops with S seeds each, picture by picture. Coverages are kept as uint8, 255 for 1.

    Attributes:
        images: (B, 3, H, W) uint8 RGB.
        masks: (M, h, w) uint8 coverage of the objects that are asked for, of all crops.
        points: (B S, 2) float32, the seeds as shares of width and height.
        owner: (B S,) int64 index into `masks` of the object that a seed was drawn in.
        around: (B S,) int64, of one further object that contains the seed; -1 where there is none.
        usable: (B,) bool, False for crops without an object; their seeds mean nothing.
        seediness: (B, h, w) uint8, how good a seed each cell is.
        known: (B, h, w) bool, where that is known.
    """

    images: Tensor
    masks: Tensor
    points: Tensor
    owner: Tensor
    around: Tensor
    usable: Tensor
    seediness: Tensor
    known: Tensor

    def mask_of(self, index: Tensor) -> Tensor:
        """(S, 1, h, w) float32 coverage of the objects `index` (S,)."""
        return self.masks[index][:, None].float() / 255.0

    def clicks(self) -> Tensor:
        """(B S, 1, 3): the seeds as positive clicks, x and y in cells of the masks."""
        height, width = self.masks.shape[1:]
        cells = self.points * self.points.new_tensor([width, height])
        return torch.cat([cells, torch.ones_like(cells[:, :1])], dim=1)[:, None]

    @classmethod
    def drawn(
        cls,
        batch: Batch,
        generator: torch.Generator,
        *,
        objects: int,
        seeds: int,
        central: float,
        deepest: float = 0.0,
    ) -> SeedBatch:
        """Draw seeds in every crop; see `draw_objects` and `draw_seeds`.

        Args:
            objects: of each crop at most so many are asked for.
            seeds: in each of these; where a crop has fewer objects than another, more.
        """
        chosen = [draw_objects(target, generator, objects=objects) for target in batch.targets]
        count = seeds * max(1, *(len(c) for c in chosen))
        masks: list[Tensor] = []
        points, owner, around = [], [], []
        for target, own in zip(batch.targets, chosen, strict=True):
            drawn = draw_seeds(target, own, generator, count=count, central=central, deepest=deepest)
            if own:
                first = len(masks)
                index, others = _asked_objects(target, drawn, masks)
                points.append(drawn.points)
                owner.append(index + first)
                around.append(torch.where(others < 0, others, others + first))
            else:
                points.append(torch.full((count, 2), 0.5))
                owner.append(torch.zeros(count, dtype=torch.int64))
                around.append(torch.full((count,), -1))
        height, width = batch.targets[0].masks.shape[1:]
        depths = [seediness_target(target) for target in batch.targets]
        return cls(
            images=batch.images,
            masks=_as_bytes(torch.stack(masks or [torch.zeros((height, width))])),
            points=torch.cat(points),
            owner=torch.cat(owner),
            around=torch.cat(around),
            usable=torch.tensor([len(own) > 0 for own in chosen]),
            seediness=_as_bytes(torch.stack([value for value, _ in depths])),
            known=torch.stack([known for _, known in depths]),
        )


def _as_bytes(coverage: Tensor) -> Tensor:
    return (coverage * 255.0).round().to(torch.uint8)


def _asked_objects(target: CropTarget, drawn: DrawnSeeds, masks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Append the masks that the seeds need; where each seed's own and the one around it stand among them."""
    height, width = target.masks.shape[1:]
    columns = (drawn.points[:, 0] * width).long().clamp(max=width - 1)
    rows = (drawn.points[:, 1] * height).long().clamp(max=height - 1)
    contains = target.masks[:, rows, columns].T >= 0.5  # (S, N)
    contains[torch.arange(len(drawn.owner)), drawn.owner] = False
    around = torch.where(contains.any(dim=1), contains.float().argmax(dim=1), -1)
    wanted = torch.unique(torch.cat([drawn.owner, around[around >= 0]]))
    masks += [target.masks[int(i)] for i in wanted]
    place = torch.full((len(target.masks) + 1,), -1)
    place[wanted] = torch.arange(len(wanted))
    return place[drawn.owner], place[around]


def seediness_target(target: CropTarget) -> tuple[Tensor, Tensor]:
    """How good a seed each pixel is: its depth in the smallest object around it, 1 at the deepest.

    Returns:
        (h, w) float32 target and (h, w) bool of the pixels where it is known.
    """
    value = np.zeros(tuple(target.masks.shape[1:]), np.float32)
    order = torch.argsort(target.masks.sum(dim=(1, 2)), descending=True)
    for index in order.tolist():
        inside = (target.masks[index] >= 0.5).to(torch.uint8).numpy()
        if not inside.any():
            continue
        depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        np.copyto(value, np.sqrt(depth / depth.max()), where=inside.view(bool))
    known = np.full(value.shape, target.exhaustive) | (value > 0)
    return torch.from_numpy(value), torch.from_numpy(known)
