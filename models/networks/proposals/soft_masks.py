"""Soft masks of proposals: what each is at a point, and how one looks on any part of the picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.layers.detections import CROP_PADDING, BoxMasks, Detections

if TYPE_CHECKING:
    from models.grid.frame import GridFrame
    from models.segmenter import Region

FloatArray = NDArray[np.float32]


class SoftMasks(ABC):
    """N soft masks over one picture; outside its box a mask is 0.

    Attributes:
        boxes: (N, 4) float32 in input pixels.
        frame: of stride 1: its grid is the network's input.
    """

    def __init__(self, boxes: FloatArray, frame: GridFrame) -> None:
        self.boxes = boxes
        self.frame = frame

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held."""

    @abstractmethod
    def _values_at(self, column: float, row: float) -> FloatArray:
        """(N,) each mask, without its box, at a point of the input."""

    @abstractmethod
    def _grid(self, index: int) -> tuple[FloatArray, tuple[float, float, float, float]]:
        """Mask `index` without its box: (h, w) values, and the input pixels (x0, y0, x1, y1) they span."""

    def at(self, x: float, y: float) -> FloatArray:
        """(N,) probability that each mask covers a point of the picture."""
        column, row = self.frame.to_grid(x, y)
        x0, y0, x1, y1 = self.boxes.T
        inside = (column >= x0) & (column < x1) & (row >= y0) & (row < y1)
        return np.where(inside, self._values_at(column, row), np.float32(0.0))

    def picture_box(self, index: int) -> tuple[float, float, float, float]:
        """Box `index` in picture coordinates, clipped to the encoded part."""
        x0, y0, x1, y1 = (float(v) for v in self.boxes[index])
        left, top = self.frame.to_picture(x0, y0)
        right, bottom = self.frame.to_picture(x1, y1)
        part = self.frame.region
        return max(left, part[0]), max(top, part[1]), min(right, part[2]), min(bottom, part[3])

    def render(self, index: int, wanted: Region, size: tuple[int, int]) -> FloatArray:
        """Mask `index` at (rows, columns) even samples of a part of the picture; 0 outside its box."""
        step_x, step_y = (wanted[2] - wanted[0]) / size[1], (wanted[3] - wanted[1]) / size[0]
        x0, y0, x1, y1 = self.picture_box(index)
        left, right = _samples_between(x0, x1, wanted[0], step_x, size[1])
        top, bottom = _samples_between(y0, y1, wanted[1], step_y, size[0])
        out = np.zeros(size, np.float32)
        if left < right and top < bottom:
            first = wanted[0] + (left + 0.5) * step_x, wanted[1] + (top + 0.5) * step_y
            shape = bottom - top, right - left
            out[top:bottom, left:right] = self._resample(index, first, (step_x, step_y), shape)
        return out

    def _resample(
        self, index: int, first: tuple[float, float], step: tuple[float, float], size: tuple[int, int]
    ) -> FloatArray:
        """Bilinear samples of a mask's grid, the first at a picture point, then every `step` pixels."""
        grid, (x0, y0, x1, y1) = self._grid(index)
        per_x, per_y = self.frame.cells_per_pixel
        scale_x, scale_y = grid.shape[1] / max(x1 - x0, 1e-6), grid.shape[0] / max(y1 - y0, 1e-6)
        column, row = self.frame.to_grid(*first)
        matrix = np.array(
            [
                [step[0] * per_x * scale_x, 0.0, (column - x0) * scale_x - 0.5],
                [0.0, step[1] * per_y * scale_y, (row - y0) * scale_y - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sampled = cv2.warpAffine(grid, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(sampled, np.float32)


def _samples_between(low: float, high: float, start: float, step: float, count: int) -> tuple[int, int]:
    """The half-open range of samples whose centres lie in [low, high)."""
    first = int(np.ceil((low - start) / step - 0.5))
    end = int(np.ceil((high - start) / step - 0.5))
    return max(0, first), min(count, end)


class BoxSoftMasks(SoftMasks):
    """Every mask is a square grid stretched over its box (Mask R-CNN)."""

    def __init__(self, boxes: FloatArray, probability: FloatArray, frame: GridFrame) -> None:
        super().__init__(boxes, frame)
        self._probability = probability

    @property
    def nbytes(self) -> int:
        return self._probability.nbytes + self.boxes.nbytes

    def _values_at(self, column: float, row: float) -> FloatArray:
        count, side = self._probability.shape[:2]
        x0, y0, x1, y1 = self.boxes.T
        u = np.clip((column - x0) / np.maximum(x1 - x0, 1e-6) * side - 0.5, 0, side - 1)
        v = np.clip((row - y0) / np.maximum(y1 - y0, 1e-6) * side - 0.5, 0, side - 1)
        left, top = u.astype(int), v.astype(int)
        right, bottom = np.minimum(left + 1, side - 1), np.minimum(top + 1, side - 1)
        du, dv = u - left, v - top
        each = np.arange(count)
        above = self._probability[each, top, left] * (1 - du) + self._probability[each, top, right] * du
        below = self._probability[each, bottom, left] * (1 - du) + self._probability[each, bottom, right] * du
        return np.asarray(above * (1 - dv) + below * dv, np.float32)

    def _grid(self, index: int) -> tuple[FloatArray, tuple[float, float, float, float]]:
        x0, y0, x1, y1 = (float(v) for v in self.boxes[index])
        return self._probability[index], (x0, y0, x1, y1)


class PrototypeSoftMasks(SoftMasks):
    """Every mask is the sigmoid of a combination of prototypes (YOLACT).

    Args:
        prototypes: (h, w, k); coefficients: (N, k); stride: input pixels per cell.
    """

    def __init__(
        self,
        boxes: FloatArray,
        prototypes: FloatArray,
        coefficients: FloatArray,
        stride: int,
        frame: GridFrame,
    ) -> None:
        super().__init__(boxes, frame)
        self._prototypes, self._coefficients, self._stride = prototypes, coefficients, stride

    @property
    def nbytes(self) -> int:
        return self._prototypes.nbytes + self._coefficients.nbytes + self.boxes.nbytes

    def _values_at(self, column: float, row: float) -> FloatArray:
        rows, columns = self._prototypes.shape[:2]
        i, j = min(int(row / self._stride), rows - 1), min(int(column / self._stride), columns - 1)
        return _sigmoid(self._coefficients @ self._prototypes[i, j])

    def _grid(self, index: int) -> tuple[FloatArray, tuple[float, float, float, float]]:
        """Only the cells that the box touches, and one around them for the interpolation."""
        x0, y0, x1, y1 = self.boxes[index] / self._stride
        rows, columns = self._prototypes.shape[:2]
        left, top = max(0, int(x0) - 1), max(0, int(y0) - 1)
        right, bottom = min(columns, int(x1) + 2), min(rows, int(y1) + 2)
        part = self._prototypes[top:bottom, left:right]
        span = tuple(float(v * self._stride) for v in (left, top, right, bottom))
        return _sigmoid(part @ self._coefficients[index]), (span[0], span[1], span[2], span[3])


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))), np.float32)


def soft_masks(detections: Detections, frame: GridFrame) -> SoftMasks:
    """The masks of a network's detections over the picture that the frame describes (stride 1)."""
    boxes = detections.boxes.float().cpu().numpy()
    masks = detections.masks
    if isinstance(masks, BoxMasks):
        return BoxSoftMasks(boxes, masks.probability.float().cpu().numpy(), frame)
    prototypes = masks.prototypes.float().permute(1, 2, 0).cpu().numpy()
    coefficients = masks.coefficients.float().cpu().numpy()
    # The loss that taught the masks reached so far beyond the box.
    margin = np.array([-1, -1, 1, 1], np.float32) * (CROP_PADDING * masks.stride)
    boxes = boxes + margin
    return PrototypeSoftMasks(boxes, np.ascontiguousarray(prototypes), coefficients, masks.stride, frame)
