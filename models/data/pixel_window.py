"""A box of a picture's pixels, which may reach beyond the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTSIDE_GREY = 127  # what the networks take for nothing


def pixel_window(
    image: NDArray[np.uint8], box: tuple[int, int, int, int], *, continued: bool = False
) -> NDArray[np.uint8]:
    """The pixels (y1 - y0, x1 - x0, 3) of a box (x0, y0, x1, y1) that shares some with an (H, W, 3) picture.

    Args:
        continued: whether the picture's border goes on outside of it; else that is grey.
    """
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    inner = image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    pads = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if not any(pads):
        return inner
    border = cv2.BORDER_REPLICATE if continued else cv2.BORDER_CONSTANT
    return np.asarray(cv2.copyMakeBorder(inner, *pads, border, value=(OUTSIDE_GREY,) * 3), np.uint8)
