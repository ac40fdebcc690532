"""The photograph with its objects tinted and outlined: a picture of the annotation for people. Qt-free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from converters.files.palette import voc_palette
from converters.shapes.geometry import rasterize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from converters.annotation import ImageAnnotation

TINT = 0.4
OUTLINE_SHARE = 1 / 400  # of the longer side


def draw_overlay(image: NDArray[np.uint8], annotation: ImageAnnotation) -> NDArray[np.uint8]:
    """Tint every object in its label's colour and draw its outline, holes included.

    Args:
        image: (H, W, 3) uint8 RGB of the annotation's size; it is not changed.
    """
    height, width = image.shape[:2]
    out = image.copy()
    palette = voc_palette()
    colors = {label: palette[1 + i % 255] for i, label in enumerate(annotation.labels)}
    thickness = max(1, round(max(height, width) * OUTLINE_SHARE))
    kernel = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    for instance in annotation.instances:
        mask = rasterize(instance.geometry, height, width)
        if mask.is_empty:
            continue
        color = colors[instance.label].astype(np.float32)
        window = out[mask.y0 : mask.y1, mask.x0 : mask.x1]
        inside = mask.array
        window[inside] = np.rint(window[inside] * (1 - TINT) + color * TINT).astype(np.uint8)
        padded = np.pad(inside, 1).astype(np.uint8)
        rim = inside & ~cv2.erode(padded, kernel, borderValue=0)[1:-1, 1:-1].astype(np.bool_)
        window[rim] = color.astype(np.uint8)
    return out
