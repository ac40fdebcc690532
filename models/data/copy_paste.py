"""Copy-paste composition: cut-outs with soft alpha set into other photographs.

After Ghiasi et al., "Simple Copy-Paste" (CVPR 2021), with the difference that the cut-outs carry
their photographed mattes, so the pasted border looks like a real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

CUTOUT_SUFFIXES = (".webp", ".png")


@lru_cache(maxsize=512)
def _read_cutout(path: Path) -> NDArray[np.uint8]:
    """(h, w, 4) uint8 RGBA, cropped to where alpha is not zero."""
    with Image.open(path) as picture:
        rgba = np.array(picture.convert("RGBA"))
    rows, columns = np.nonzero(rgba[:, :, 3] > 8)
    if rows.size == 0:
        return rgba[:1, :1]
    return rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@dataclass(frozen=True, slots=True)
class CutoutLibrary:
    """Photographs of single objects with an alpha channel."""

    paths: tuple[Path, ...]

    @classmethod
    def from_folder(cls, folder: Path) -> CutoutLibrary:
        return cls(tuple(sorted(p for p in folder.iterdir() if p.suffix in CUTOUT_SUFFIXES)))

    def draw(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A random cut-out, mirrored, turned and scaled so that its longer side is `size` pixels."""
        rgba = _read_cutout(self.paths[int(rng.integers(len(self.paths)))])
        if rng.random() < 0.5:
            rgba = rgba[:, ::-1]
        height, width = rgba.shape[:2]
        scale = size / max(height, width)
        new = (max(2, round(width * scale)), max(2, round(height * scale)))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(np.ascontiguousarray(rgba), new, interpolation=interpolation)
        return _turned(np.asarray(resized, np.uint8), float(rng.normal(0.0, 12.0)))


def _turned(rgba: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    height, width = rgba.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    out = (int(height * sin + width * cos) + 1, int(height * cos + width * sin) + 1)
    matrix[:, 2] += (out[0] / 2 - width / 2, out[1] / 2 - height / 2)
    return np.asarray(cv2.warpAffine(rgba, matrix, out, flags=cv2.INTER_LINEAR), np.uint8)


def paste(
    image: NDArray[np.uint8], cutout: NDArray[np.uint8], left: int, top: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Composite an RGBA cut-out onto an (H, W, 3) picture.

    Returns:
        The new picture, and the (H, W) float32 alpha of what was pasted.
    """
    height, width = image.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + cutout.shape[1]), min(height, top + cutout.shape[0])
    alpha = np.zeros((height, width), np.float32)
    if x0 >= x1 or y0 >= y1:
        return image, alpha
    piece = cutout[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha[y0:y1, x0:x1] = piece[:, :, 3] / 255.0
    weight = alpha[y0:y1, x0:x1, None]
    out = image.copy()
    out[y0:y1, x0:x1] = np.rint(piece[:, :, :3] * weight + image[y0:y1, x0:x1] * (1.0 - weight))
    return out, alpha
