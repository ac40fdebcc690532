"""How deep inside a mask each of its cells lies, in chessboard steps."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def depths(masks: Tensor) -> Tensor:
    """Steps, also diagonal ones, to the nearest cell outside; beyond the map everything is outside.

    Args:
        masks: (..., h, w) bool.

    Returns:
        (..., h, w) float32, 0 outside and 1 along the border of a mask.
    """
    if masks.numel() == 0:
        return masks.float()
    return _measured(masks) if masks.device.type == "cpu" else _eroded(masks)


def _measured(masks: Tensor) -> Tensor:
    """All maps below each other, a row of zeros between them, in one distance transform."""
    height, width = masks.shape[-2:]
    maps = masks.reshape(-1, height, width).numpy().view(np.uint8)
    stack = np.zeros((1 + len(maps) * (height + 1), width + 2), np.uint8)
    inside = (slice(None), slice(0, height), slice(1, width + 1))
    stack[1:].reshape(len(maps), height + 1, width + 2)[inside] = maps
    found = cv2.distanceTransform(stack, cv2.DIST_C, 3)
    within = found[1:].reshape(len(maps), height + 1, width + 2)[inside]
    return torch.from_numpy(np.ascontiguousarray(within)).view(masks.shape)


def _eroded(masks: Tensor) -> Tensor:
    """The number of erosions that each cell survives, counting the first state."""
    height, width = masks.shape[-2:]
    left = masks.reshape(-1, 1, height, width).to(torch.float16)
    depth = torch.zeros_like(left, dtype=torch.float32)
    for _ in range((min(height, width) + 1) // 2):
        depth += left
        left = 1.0 - F.max_pool2d(F.pad(1.0 - left, (1, 1, 1, 1), value=1.0), 3, 1)
    return depth.view(masks.shape)
