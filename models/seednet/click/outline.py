"""A mask on the network's coarse grid is pulled to the edges of the photograph.

The guided filter (He, Sun & Tang, TPAMI 2013, eqs. 19-21, colour guide) explains a soft mask, window by
window, as a linear function of the colours: mask = a . colour + b. As in the fast guided filter (He & Sun,
arXiv 1505.00996), a and b are found on the coarse grid and applied to the full picture, so the mask gets
edges finer than the grid's cells for the price of a few small box filters.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.grid.frame import GridFrame
    from models.segmenter import Region, RgbImage

FloatMap = NDArray[np.float32]
Box = tuple[int, int, int, int]  # top, bottom, left, right
F = TypeVar("F", np.float32, np.float64)
T = TypeVar("T", np.uint8, np.float32)

RADIUS = 2  # cells of a window to each side
SMOOTHNESS = 1e-3  # squared contrast, of colours in [0, 1], that counts as an edge
SOFT = 0.2  # similarity over which the guided mask goes from 0 to 1
PULL = 0.25  # by which similarity may change at most
THIN, THICK = 2.0, 6.0  # cells from the middle to the border: not guided, fully guided
WHOLE = 4  # boxes larger than this part of the result are sampled with all of it
STRIP = 48  # rows of the result that are worked on at once
SHARPEN = 0.3  # second pass: width over which the first one's result goes from 0 to 1


class EdgeGuide:
    """The colours of one encoded picture, ready to guide any number of masks.

    Args:
        image: (H, W, 3) uint8 RGB, the whole picture.
        prepared: (padded_height, padded_width, 3) uint8, `frame.prepare` of it.
    """

    def __init__(self, image: RgbImage, frame: GridFrame, prepared: RgbImage) -> None:
        rows, columns = frame.grid_size
        shown = prepared[: rows * frame.stride, : columns * frame.stride]
        coarse = cv2.resize(shown, (columns, rows), interpolation=cv2.INTER_AREA)
        self.picture_size = image.shape[0], image.shape[1]
        self._image, self._frame = image, frame
        self._colors = [
            plane.astype(np.float32) / np.float32(255.0) for plane in _planes(np.asarray(coarse, np.uint8))
        ]
        self._means = [_box(plane) for plane in self._colors]
        self._inverse = _inverse_covariance(self._colors)
        self._shown: tuple[Region, tuple[int, int], Sequence[NDArray[np.uint8]]] | None = None

    @property
    def nbytes(self) -> int:
        """Memory it keeps from being freed, the whole picture's pixels among it."""
        shown = self._shown[2] if self._shown is not None else ()
        planes = [*self._colors, *self._means, *chain.from_iterable(self._inverse), *shown]
        return self._image.nbytes + sum(plane.nbytes for plane in planes)

    def pull(self, similarity: FloatMap, grid: FloatMap, tau: float, wanted: Region) -> FloatMap:
        """Move the border at `tau` to the picture's edges; values far from it stay.

        Args:
            similarity: (rows, columns) in [0, 1], sampled evenly over `wanted`; changed in place.
            grid: the same map on the encoding's grid.
            tau: the threshold that the mask is suggested with.
            wanted: the part of the picture.
        """
        soft = _step(grid, tau, SOFT)
        strength = PULL * _trust(grid >= tau)
        near = _near_border(soft)
        box = self._border_box(near, wanted, similarity.shape) if near.any() else None
        if box is None:
            return similarity
        top, bottom, left, right = box
        part = similarity[top:bottom, left:right]
        planes = self._sampled(self._coefficients(soft, near), box, wanted, similarity.shape)
        colors = self._colors_of(wanted, similarity.shape, box)
        change: FloatMap = np.empty(part.shape, np.float32)
        for rows in _strips(len(part)):
            guided = _applied([plane[rows] for plane in planes], [plane[rows] for plane in colors])
            np.subtract(guided, _step(part[rows], tau, SOFT), out=change[rows])
        cv2.blur(change, (3, 3), dst=change)  # the noise of single pixels is no edge
        for rows in _strips(len(part)):
            moved = np.multiply(change[rows], np.float32(strength), out=change[rows])
            moved += part[rows]
            np.clip(moved, 0.0, 1.0, out=part[rows])
        return similarity

    def _sampled(
        self, coefficients: Sequence[FloatMap], box: Box, wanted: Region, size: tuple[int, ...]
    ) -> Sequence[FloatMap]:
        """The coefficients' four planes at a box of the result's pixels."""
        top, bottom, left, right = box
        if wanted == self._frame.region and WHOLE * (bottom - top) * (right - left) > size[0] * size[1]:
            whole = [self._frame.sample(plane, wanted, size) for plane in coefficients]
            return [plane[top:bottom, left:right] for plane in whole]
        per_row = (wanted[3] - wanted[1]) / size[0]
        per_column = (wanted[2] - wanted[0]) / size[1]
        here = (
            wanted[0] + left * per_column,
            wanted[1] + top * per_row,
            wanted[0] + right * per_column,
            wanted[1] + bottom * per_row,
        )
        return _planes(self._frame.sample(np.dstack(coefficients), here, (bottom - top, right - left)))

    def _coefficients(self, soft: FloatMap, near: NDArray[np.bool_]) -> list[FloatMap]:
        """Four planes (rows, columns), a and b of a soft mask, after one pass to sharpen it; known around
        `near`."""
        part = tuple(_span(np.asarray(near.any(axis=axis)), 4 * RADIUS) for axis in (1, 0))
        *a, b = self._fit(np.ascontiguousarray(soft[part]), part)
        sharp = _step(_dot(a, [plane[part] for plane in self._colors]) + b, 0.5, SHARPEN)
        out = []
        for plane in self._fit(sharp, part):
            out.append(np.zeros(near.shape, np.float32))
            out[-1][part] = plane
        return out

    def _fit(self, soft: FloatMap, part: tuple[slice, ...]) -> list[FloatMap]:
        """The four planes of a and b of a soft mask of some rows and columns."""
        means = [plane[part] for plane in self._means]
        mean = _box(soft)
        covariance = [
            _box(color[part] * soft) - own * mean for color, own in zip(self._colors, means, strict=True)
        ]
        a = [_dot([plane[part] for plane in row], covariance) for row in self._inverse]
        return [_box(plane) for plane in (*a, mean - _dot(a, means))]

    def _border_box(self, near: NDArray[np.bool_], wanted: Region, size: tuple[int, ...]) -> Box | None:
        """Rows and columns of the result (top, bottom, left, right) that the border's cells can touch."""
        x0, y0, x1, y1 = self._frame.region_around(near)
        rows, columns = size[0] / (wanted[3] - wanted[1]), size[1] / (wanted[2] - wanted[0])
        top, bottom = int((y0 - wanted[1]) * rows), int(np.ceil((y1 - wanted[1]) * rows))
        left, right = int((x0 - wanted[0]) * columns), int(np.ceil((x1 - wanted[0]) * columns))
        top, left = max(0, top), max(0, left)
        bottom, right = min(size[0], bottom), min(size[1], right)
        return (top, bottom, left, right) if top < bottom and left < right else None

    def _colors_of(self, wanted: Region, size: tuple[int, ...], box: Box) -> list[NDArray[np.uint8]]:
        """The picture's planes at a box of the result's pixels; a preview's are kept, as it asks again."""
        top, bottom, left, right = box
        x0, y0, x1, y1 = wanted
        part: NDArray[np.uint8] = self._image[y0:y1, x0:x1]
        rows, columns = size[0], size[1]
        if part.shape[:2] == (rows, columns):
            return _planes(part[top:bottom, left:right])
        shown = self._shown
        if shown is None or shown[:2] != (wanted, (rows, columns)):
            interpolation = cv2.INTER_AREA if columns < x1 - x0 else cv2.INTER_LINEAR
            resized = cv2.resize(np.ascontiguousarray(part), (columns, rows), interpolation=interpolation)
            shown = self._shown = (wanted, (rows, columns), _planes(np.asarray(resized, np.uint8)))
        return [plane[top:bottom, left:right] for plane in shown[2]]


def _inverse_covariance(colors: Sequence[FloatMap]) -> list[list[FloatMap]]:
    """Of each window's inverse covariance the three rows, each of three planes, for the fit of `a`."""
    planes = [plane.astype(np.float64) for plane in colors]  # the determinant is a small difference
    means = [_box(plane) for plane in planes]

    def covariance(i: int, j: int) -> NDArray[np.float64]:
        return np.asarray(_box(planes[i] * planes[j]) - means[i] * means[j], np.float64)

    rr, gg, bb = (covariance(i, i) + SMOOTHNESS for i in range(3))
    rg, rb, gb = covariance(0, 1), covariance(0, 2), covariance(1, 2)
    in_rg, in_rb, in_gb = rb * gb - rg * bb, rg * gb - rb * gg, rg * rb - rr * gb
    minors = (
        (gg * bb - gb * gb, in_rg, in_rb),
        (in_rg, rr * bb - rb * rb, in_gb),
        (in_rb, in_gb, rr * gg - rg * rg),
    )
    determinant = rr * minors[0][0] + rg * in_rg + rb * in_rb
    return [[(m / determinant).astype(np.float32) for m in row] for row in minors]


def _near_border(soft: FloatMap) -> NDArray[np.bool_]:
    """(rows, columns): the cells that the border of a soft mask can touch."""
    reach = np.ones((4 * RADIUS + 3, 4 * RADIUS + 3), np.uint8)
    return np.asarray((cv2.dilate(soft, reach) > 0.0) & (cv2.erode(soft, reach) < 1.0))


def _strips(rows: int) -> Iterator[slice]:
    """A few rows at a time, which the processor's cache holds through several passes."""
    return (slice(start, start + STRIP) for start in range(0, rows, STRIP))


def _span(taken: NDArray[np.bool_], margin: int) -> slice:
    """From the first to the last that is taken, and so many more on both sides."""
    at = np.flatnonzero(taken)
    return slice(max(0, int(at[0]) - margin), int(at[-1]) + 1 + margin)


def _applied(coefficients: Sequence[FloatMap], colors: Sequence[NDArray[np.uint8]]) -> FloatMap:
    """(rows, columns) in [0, 1]: a . colour + b, for the planes of a and b and colours in 0 to 255."""
    *a, b = coefficients
    out = np.multiply(b, np.float32(255.0), dtype=np.float32)
    for factor, plane in zip(a, colors, strict=True):
        cv2.accumulateProduct(factor, plane.astype(np.float32), out)
    out *= np.float32(1.0 / 255.0)
    return np.clip(out, 0.0, 1.0, out=out)


def _planes(values: NDArray[T]) -> list[NDArray[T]]:
    """A map's channels, each by itself in memory."""
    return [np.asarray(plane, values.dtype) for plane in cv2.split(values)]


def _trust(mask: NDArray[np.bool_]) -> float:
    """In [0, 1]: a mask hardly wider than a window is too thin for its colours to be told apart."""
    depth = float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3).max())
    return min(max((depth - THIN) / (THICK - THIN), 0.0), 1.0)


def _dot(a: Sequence[FloatMap], b: Sequence[FloatMap]) -> FloatMap:
    """(rows, columns): the scalar product of two lists of planes."""
    out = a[0] * b[0]
    for left, right in zip(a[1:], b[1:], strict=True):
        out += left * right
    return out


def _box(values: NDArray[F]) -> NDArray[F]:
    """Mean over a window, which at the picture's border is cut off."""
    return np.asarray(
        cv2.blur(values, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT), values.dtype
    )


def _step(values: FloatMap, middle: float, width: float) -> FloatMap:
    """A ramp from 0 to 1 around `middle`."""
    ramp = np.multiply(values, np.float32(1.0 / width), dtype=np.float32)
    ramp += np.float32(0.5 - middle / width)
    return np.clip(ramp, 0.0, 1.0, out=ramp)
