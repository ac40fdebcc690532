"""Small annotated crops for the tests of losses."""

from __future__ import annotations

import torch

from models.data.sample import Batch, CropTarget


def crop_target(masks, categories=None, *, exhaustive=True, has_mask=None):
    """A target of the given (N, h, w) masks, all whole."""
    masks = torch.as_tensor(masks, dtype=torch.float32)
    count = len(masks)
    return CropTarget(
        masks=masks,
        categories=torch.tensor(categories if categories is not None else [0] * count, dtype=torch.int64),
        exhaustive=exhaustive,
        whole=torch.ones(count, dtype=torch.bool),
        has_mask=torch.tensor(has_mask if has_mask is not None else [True] * count),
    )


def rectangles(side, *boxes):
    """(N, side, side) masks of half-open boxes (x0, y0, x1, y1)."""
    masks = torch.zeros(len(boxes), side, side)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = 1.0
    return masks


def coloured_batch(size, stride, *, pictures=2, seed=0, categories=(0, 1)):
    """Pictures with two coloured rectangles each, masks at `stride`."""
    generator = torch.Generator().manual_seed(seed)
    boxes = ((size // 8, size // 8, size // 2, size // 2), (size // 2, size // 2, size - 8, size - 8))
    full = rectangles(size, *boxes)
    images = torch.randint(0, 60, (pictures, 3, size, size), generator=generator)
    for image in images:
        for mask in full:
            color = torch.randint(100, 256, (3, 1, 1), generator=generator)
            image[:] = torch.where(mask.bool(), color, image)
    masks = torch.nn.functional.avg_pool2d(full, stride)
    target = crop_target(masks, list(categories))
    return Batch(images.to(torch.uint8), (target,) * pictures)
