"""Copy-paste composition: cut-outs with soft alpha set into other photographs.

After Ghiasi et al., "Simple Copy-Paste" (CVPR 2021), with two differences: besides objects of the data
sets there are photographs of single objects with their own mattes, and the objects that lie inside a
cut-out one (the garments of a person) are pasted with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from converters.errors import ConverterError
from converters.files.images import opened_picture
from models.data.dataset import Dataset, draw_object
from models.data.object_cutouts import Cutout, CutoutSource, cut_object, find_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CUTOUT_SUFFIXES = (".webp", ".png")
FILE_SHARE = 0.35  # of the cut-outs drawn from a library of files and objects
LARGEST_ENLARGEMENT = 1.6  # of an object: beyond it its blur would give the pasted one away
TURN_DEGREES = 12.0  # standard deviation


@lru_cache(maxsize=512)
def _read_cutout(path: Path) -> NDArray[np.uint8]:
    """(h, w, 4) uint8 RGBA, cropped to where alpha is not zero."""
    try:
        with opened_picture(path) as picture:
            rgba = np.array(picture.convert("RGBA"))
    except OSError as error:
        raise ConverterError(f"the picture cannot be read ({error}).", path=path) from error
    rows, columns = np.nonzero(rgba[:, :, 3] > 8)
    if rows.size == 0:
        return rgba[:1, :1]
    return rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@dataclass(frozen=True, slots=True)
class CutoutLibrary:
    """What can be pasted: photographs of single objects with an alpha channel, and objects of data sets.

    Attributes:
        paths: RGBA files.
        sources: by data set, the pictures whose objects are cut out.
        file_share: of the cut-outs, drawn from the files if there are both.
    """

    paths: tuple[Path, ...] = ()
    sources: tuple[tuple[CutoutSource, ...], ...] = ()
    file_share: float = FILE_SHARE

    @classmethod
    def from_folder(cls, folder: Path) -> CutoutLibrary:
        return cls(tuple(sorted(p for p in folder.iterdir() if p.suffix in CUTOUT_SUFFIXES)))

    def with_objects_of(self, datasets: Sequence[Dataset]) -> CutoutLibrary:
        """This library and the objects of data sets, whose categories must count alike.

        Raises:
            ValueError: a data set has no object that can be cut out.
        """
        sources = tuple(find_sources(dataset) for dataset in datasets)
        empty = [d.name for d, found in zip(datasets, sources, strict=True) if not found]
        if empty:
            raise ValueError(f"no object of {', '.join(empty)} is large and whole enough to be cut out.")
        return replace(self, sources=self.sources + sources)

    def without(self, path: Path) -> CutoutLibrary:
        """This library without a file or picture that cannot be read."""
        kept = (tuple(s for s in sources if s.picture.path != path) for sources in self.sources)
        return replace(
            self,
            paths=tuple(p for p in self.paths if p != path),
            sources=tuple(sources for sources in kept if sources),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.paths or self.sources)

    def draw(self, size: int, rng: np.random.Generator) -> Cutout:
        """A random cut-out, mirrored, turned and scaled so that its longer side is `size` pixels.

        An object of a data set stays smaller where `size` would enlarge it too far. Data sets are drawn
        uniformly, then their pictures, then objects by the square root of their area.
        """
        if self.paths and (not self.sources or rng.random() < self.file_share):
            cutout = Cutout(_read_cutout(self.paths[int(rng.integers(len(self.paths)))]))
        else:
            sources = self.sources[int(rng.integers(len(self.sources)))]
            source = sources[int(rng.integers(len(sources)))]
            cutout = cut_object(source.picture, draw_object(source.objects, rng), rng)
            size = min(size, int(LARGEST_ENLARGEMENT * cutout.long_side))
        cutout = cutout.resized(size)
        if rng.random() < 0.5:
            cutout = cutout.mirrored()
        return cutout.turned(float(rng.normal(0.0, TURN_DEGREES)))


def paste(image: NDArray[np.uint8], cutout: NDArray[np.uint8], left: int, top: int) -> None:
    """Composite an (h, w, 4) RGBA cut-out onto an (H, W, 3) picture, in place; it may hang over."""
    x0, y0, x1, y1 = _overlap(image.shape[:2], cutout.shape[:2], left, top)
    if x0 >= x1 or y0 >= y1:
        return
    piece = cutout[y0 - top : y1 - top, x0 - left : x1 - left]
    weight = piece[:, :, 3:].astype(np.float32) / np.float32(255.0)
    below = image[y0:y1, x0:x1]
    below[:] = np.rint(below + weight * (piece[:, :, :3] - below.astype(np.float32)))


def paste_coverage(
    coverage: NDArray[np.uint8], left: int, top: int, *, size: int, stride: int
) -> NDArray[np.float32]:
    """What share of each cell of a crop's mask grid a pasted object covers.

    Args:
        coverage: (h, w) uint8 at the crop's resolution, pasted at (left, top).
        size: side of the crop, pixels.
        stride: side of a cell, pixels.

    Returns:
        (size // stride, size // stride) float32 in [0, 1].
    """
    side = size // stride
    grid = np.zeros((side, side), np.float32)
    x0, y0, x1, y1 = _overlap((side * stride, side * stride), coverage.shape[:2], left, top)
    if x0 >= x1 or y0 >= y1:
        return grid
    column, row = x0 // stride, y0 // stride
    width, height = -(-x1 // stride) - column, -(-y1 // stride) - row
    # Only the cells that the object reaches: they are whole blocks, so their means are the same.
    block = np.zeros((height * stride, width * stride), np.uint8)
    block[y0 - row * stride : y1 - row * stride, x0 - column * stride : x1 - column * stride] = coverage[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
    means = block.astype(np.float32)
    if stride > 1:
        means = np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    grid[row : row + height, column : column + width] = means / np.float32(255.0)
    return grid


def _overlap(
    outer: tuple[int, ...], inner: tuple[int, ...], left: int, top: int
) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of an (h, w) pasted at (left, top), as far as it lies in the (H, W)."""
    return max(0, left), max(0, top), min(outer[1], left + inner[1]), min(outer[0], top + inner[0])
