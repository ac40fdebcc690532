"""From a network's coarse grid to the pixels of a picture, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from converters.annotation import Seed
    from models.segmenter import Region

PADDING_GREY = 127


@dataclass(frozen=True, slots=True)
class GridFrame:
    """How the grid of an encoding lies over the picture.

    Attributes:
        region: the encoded part of the picture, (x0, y0, x1, y1).
        input_height, input_width: the part's size after resizing, before padding.
        padded_height, padded_width: the network's input.
        stride: input pixels per grid cell.
    """

    region: Region
    input_height: int
    input_width: int
    padded_height: int
    padded_width: int
    stride: int

    @classmethod
    def fit(cls, region: Region, *, long_side: int, stride: int, multiple: int = 32) -> GridFrame:
        """Resize a region to whole cells so that its longer side is `long_side`, padded to a multiple."""
        width, height = region[2] - region[0], region[3] - region[1]
        scale = long_side / max(height, width) / stride
        rows, columns = (stride * max(1, round(side * scale)) for side in (height, width))
        return cls(
            region, rows, columns, -(-rows // multiple) * multiple, -(-columns // multiple) * multiple, stride
        )

    @property
    def input_side(self) -> int:
        """Longer side of the part after resizing."""
        return max(self.input_height, self.input_width)

    @property
    def grid_size(self) -> tuple[int, int]:
        """Rows and columns of the grid that show picture rather than padding."""
        return self.input_height // self.stride, self.input_width // self.stride

    @property
    def cells_per_pixel(self) -> tuple[float, float]:
        """Grid cells per picture pixel, along x and y."""
        x0, y0, x1, y1 = self.region
        return self.input_width / self.stride / (x1 - x0), self.input_height / self.stride / (y1 - y0)

    def to_grid(self, x: float, y: float) -> tuple[float, float]:
        """Picture coordinates -> grid coordinates in which cell j covers [j, j + 1)."""
        per_x, per_y = self.cells_per_pixel
        return (x - self.region[0]) * per_x, (y - self.region[1]) * per_y

    def to_share(self, x: float, y: float) -> tuple[float, float]:
        """Picture coordinates -> shares of the encoded part's width and height."""
        x0, y0, x1, y1 = self.region
        return (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)

    def to_picture(self, column: float, row: float) -> tuple[float, float]:
        """Grid coordinates -> picture coordinates."""
        per_x, per_y = self.cells_per_pixel
        return self.region[0] + column / per_x, self.region[1] + row / per_y

    def cell_center(self, row: int, column: int) -> tuple[float, float]:
        """A cell's centre in the picture."""
        return self.to_picture(column + 0.5, row + 0.5)

    def region_around(self, cells: NDArray[np.bool_]) -> Region:
        """The pixels that a nonempty (rows, columns) mask of the grid can touch once it is resampled."""
        rows, columns = np.nonzero(cells)
        left, top = self.to_picture(float(columns.min()) - 1.0, float(rows.min()) - 1.0)
        right, bottom = self.to_picture(float(columns.max()) + 2.0, float(rows.max()) + 2.0)
        x0, y0, x1, y1 = self.region
        return max(x0, int(left)), max(y0, int(top)), min(x1, int(right) + 1), min(y1, int(bottom) + 1)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut, resize and pad the picture: (padded_height, padded_width, 3) uint8."""
        x0, y0, x1, y1 = self.region
        return self._padded(_resized(image[y0:y1, x0:x1], self.input_height, self.input_width))

    def prepare_mirror_image(self, prepared: NDArray[np.uint8], frame: GridFrame) -> NDArray[np.uint8]:
        """What `frame.prepare` gave of the same part, seen in a mirror and in this frame's smaller size."""
        shown = prepared[: frame.input_height, : frame.input_width]
        return self._padded(_resized(shown, self.input_height, self.input_width)[:, ::-1])

    def _padded(self, resized: NDArray[np.uint8]) -> NDArray[np.uint8]:
        padded = np.full((self.padded_height, self.padded_width, 3), PADDING_GREY, np.uint8)
        padded[: self.input_height, : self.input_width] = resized
        return padded

    def resample(
        self, grid: NDArray[np.float32], wanted: Region, size: tuple[int, int], *, outside: float
    ) -> NDArray[np.float32]:
        """Sample a grid map bilinearly at evenly spaced points of a part of the picture.

        Args:
            grid: (rows, columns) float32 of this frame.
            wanted: the part of the picture, (x0, y0, x1, y1).
            size: (rows, columns) of the result.
            outside: value where the picture was not encoded.
        """
        out = self.sample(grid, wanted, size)
        _fill_outside(out, wanted, self.region, outside)
        return out

    def sample(
        self, grid: NDArray[np.float32], wanted: tuple[float, float, float, float], size: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """`resample` of (rows, columns) or (rows, columns, up to 4 channels), the border continued."""
        rows, columns = size[0], size[1]
        if wanted == self.region:  # whole cells: the same samples in a fifth of the time
            resized = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_LINEAR)
            return np.asarray(resized, np.float32)
        step_x, step_y = (wanted[2] - wanted[0]) / columns, (wanted[3] - wanted[1]) / rows
        per_x, per_y = self.cells_per_pixel
        first_column, first_row = self.to_grid(wanted[0] + 0.5 * step_x, wanted[1] + 0.5 * step_y)
        matrix = np.array([[step_x * per_x, 0.0, first_column - 0.5], [0.0, step_y * per_y, first_row - 0.5]])
        sampled = cv2.warpAffine(
            grid,
            matrix,
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(sampled, np.float32)


def _resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (height, width, 3): means over the pixels where it shrinks.

    Means of 2 x 2 first, as long as they come out even: they take a fraction of the time of any other size.
    """
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape[:2]
    while rows % 2 == 0 and columns % 2 == 0 and rows >= 2 * height and columns >= 2 * width:
        rows, columns = rows // 2, columns // 2
        pixels = np.asarray(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    interpolation = cv2.INTER_AREA if height * width < rows * columns else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def _fill_outside(out: NDArray[np.float32], wanted: Region, known: Region, value: float) -> None:
    """Overwrite the samples of `wanted` whose centres lie outside `known`."""
    rows, columns = out.shape
    xs = wanted[0] + (np.arange(columns) + 0.5) * (wanted[2] - wanted[0]) / columns
    ys = wanted[1] + (np.arange(rows) + 0.5) * (wanted[3] - wanted[1]) / rows
    out[:, (xs < known[0]) | (xs >= known[2])] = value
    out[(ys < known[1]) | (ys >= known[3]), :] = value


def mark_seeds(out: NDArray[np.float32], seeds: Sequence[Seed], wanted: Region, value: float) -> None:
    """Write a value at the samples of a region's raster that show the seeds."""
    rows, columns = out.shape
    for seed in seeds:
        column = int((seed.x - wanted[0]) * columns / (wanted[2] - wanted[0]))
        row = int((seed.y - wanted[1]) * rows / (wanted[3] - wanted[1]))
        if seed.x >= wanted[0] and seed.y >= wanted[1] and row < rows and column < columns:
            out[row, column] = value
