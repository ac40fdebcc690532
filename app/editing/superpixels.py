"""SLIC superpixels: small regions of one colour that follow the picture's edges, to edit masks with.

The algorithm is scikit-image's (Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel
Methods", TPAMI 2012); it is imported with the first superpixels, off the window's thread. A large part
of a picture is divided at about a megapixel and the borders are then drawn at full resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

from app.process.stopping import stop_if
from converters.annotation import EMPTY_MASK, Mask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from app.process.stopping import ShouldStop

Region: TypeAlias = tuple[int, int, int, int]

WORK_PIXELS: Final = 2**20
"""A region of more pixels is divided at so many; more would cost seconds."""

FINER: Final = 1.5
"""A part is divided by itself once that makes it so many times sharper."""

COMPACTNESS: Final = 20.0
"""Weight of nearness against colour. Twice the library's default: fur and gravel otherwise give threads
instead of patches, and edges of objects are still met."""

SMOOTHING: Final = 1.0
"""Standard deviation, in pixels, of the blur before: without it noise melts superpixels into one."""

_SMALLEST_WORK_SIDE: Final = 6.0
_ROWS_AT_A_TIME: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Superpixels:
    """A part of a picture, divided.

    Attributes:
        labels: (h, w) uint16 over `region`, the number of the superpixel at every pixel, from 1.
        boxes: (count + 1, 4) int64, half-open picture box (x0, y0, x1, y1) of each number; 0 is nothing.
        region: half-open picture box.
        size: the width that was wished, in picture pixels.
    """

    labels: NDArray[np.uint16]
    boxes: NDArray[np.int64]
    region: Region
    size: float

    @classmethod
    def from_labels(cls, labels: NDArray[np.uint16], x0: int, y0: int, size: float) -> Superpixels:
        """The superpixels of a map of numbers from 1 whose first pixel is (x0, y0) in the picture."""
        from scipy.ndimage import find_objects

        found = find_objects(labels)
        boxes = np.zeros((len(found) + 1, 4), np.int64)
        for number, place in enumerate(found, start=1):
            if place is not None:
                rows, columns = place
                boxes[number] = columns.start + x0, rows.start + y0, columns.stop + x0, rows.stop + y0
        labels.setflags(write=False)
        return cls(labels, boxes, (x0, y0, x0 + labels.shape[1], y0 + labels.shape[0]), size)

    @property
    def count(self) -> int:
        """How many superpixels there are; they are numbered 1..count."""
        return len(self.boxes) - 1

    @property
    def scale(self) -> float:
        """How finely the part was divided: divided pixels per picture pixel, at most 1."""
        return work_scale(self.region)

    @property
    def nbytes(self) -> int:
        return self.labels.nbytes + self.boxes.nbytes

    def covers(self, region: Region) -> bool:
        """Whether a half-open picture box lies inside the region."""
        x0, y0, x1, y1 = self.region
        return x0 <= region[0] and y0 <= region[1] and x1 >= region[2] and y1 >= region[3]

    def label_at(self, x: float, y: float) -> int | None:
        """The superpixel at a picture point; None beside the region."""
        column, row = math.floor(x), math.floor(y)
        x0, y0, x1, y1 = self.region
        return int(self.labels[row - y0, column - x0]) if x0 <= column < x1 and y0 <= row < y1 else None

    def under(self, mask: Mask) -> frozenset[int]:
        """The superpixels that a mask touches, such as the way of a brush."""
        window, covered = self._under(mask)
        return frozenset(np.unique(window[covered]).tolist())

    def mask_of(self, labels: Iterable[int]) -> Mask:
        """All pixels of these superpixels.

        Raises:
            IndexError: there is no superpixel of that number.
        """
        chosen = np.array(sorted(set(labels)), np.intp)
        if not chosen.size:
            return EMPTY_MASK
        window, (x0, y0) = self._around(chosen)
        if chosen.size == 1:
            return Mask(x0, y0, window == chosen[0])
        kept = np.zeros(self.count + 1, np.bool_)
        kept[chosen] = True
        return Mask(x0, y0, kept.take(window))

    def snapped(self, mask: Mask) -> Mask:
        """The superpixels that belong to a mask: those it covers by more than half of their pixels.

        Of a mask that leaves the region only the part inside counts. Empty if the mask covers no
        superpixel by more than half.
        """
        inside, covered = self._under(mask)
        if not covered.any():
            return EMPTY_MASK
        shared = np.bincount(inside[covered], minlength=self.count + 1)
        touched = np.flatnonzero(shared)
        areas = np.bincount(self._around(touched)[0].reshape(-1), minlength=self.count + 1)
        return self.mask_of(touched[2 * shared[touched] > areas[touched]].tolist())

    def _under(self, mask: Mask) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Labels and coverage over the part of a mask's box that lies in the region."""
        x0, y0, x1, y1 = self.region
        left, top = max(x0, mask.x0), max(y0, mask.y0)
        right, bottom = max(left, min(x1, mask.x1)), max(top, min(y1, mask.y1))
        window = self.labels[top - y0 : bottom - y0, left - x0 : right - x0]
        return window, mask.window((left, top, left + window.shape[1], top + window.shape[0]))

    def _around(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.uint16], tuple[int, int]]:
        """The labels in the smallest box around some superpixels, and its corner."""
        boxes = self.boxes[chosen]
        left, top = (int(v) for v in boxes[:, :2].min(axis=0))
        right, bottom = (int(v) for v in boxes[:, 2:].max(axis=0))
        x0, y0 = self.region[:2]
        return self.labels[top - y0 : bottom - y0, left - x0 : right - x0], (left, top)


def compute_superpixels(
    image: NDArray[np.uint8],
    size: float,
    region: Region | None = None,
    should_stop: ShouldStop | None = None,
) -> Superpixels:
    """Divides a part of a picture into superpixels; takes about a second for a megapixel and more.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: how wide a superpixel should be, in picture pixels. A very large part gets larger ones than
            wished, six of the pixels it is divided at.
        region: half-open picture box; None takes the whole picture.
        should_stop: asked between the steps.

    Raises:
        Stopped: `should_stop` said so.
        ValueError: there is nothing in the region, or the size is not a positive number.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = region or (0, 0, width, height)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(f"the region {region} is no part of a picture of {width} x {height} pixels")
    if not (math.isfinite(size) and size > 0):
        raise ValueError(f"superpixels need a positive size, not {size}")
    from skimage.segmentation import slic

    part = image[y0:y1, x0:x1]
    scale = work_scale((x0, y0, x1, y1))
    if scale < 1:
        shape = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        part = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    stop_if(should_stop)
    # The library stretches colours to the full range first: the noise of a wall would count as much as
    # the edges of a face, and a part would be divided unlike the whole. Undone by the compactness.
    contrast = max(1, int(part.max()) - int(part.min())) / 255
    side = max(size * scale, _SMALLEST_WORK_SIDE)
    coarse = slic(
        part.astype(np.float32) / 255,
        n_segments=max(1, round(part.shape[0] * part.shape[1] / side**2)),
        compactness=COMPACTNESS / contrast,
        sigma=SMOOTHING,
        start_label=1,
        channel_axis=-1,
    )
    stop_if(should_stop)
    labels = enlarge_labels(coarse.astype(np.uint16), y1 - y0, x1 - x0, should_stop)
    return Superpixels.from_labels(labels, x0, y0, size)


def work_scale(region: Region) -> float:
    """By how much a part of that size is scaled down before it is divided; at most 1."""
    x0, y0, x1, y1 = region
    return min(1.0, math.sqrt(WORK_PIXELS / max(1, (x1 - x0) * (y1 - y0))))


def region_to_divide(shown: Region, height: int, width: int, size: float) -> Region:
    """The part of a picture to divide for what is looked at.

    The whole picture where that is sharp enough; else the part with a quarter of its width around it,
    so that a little panning needs no other superpixels, and at least four superpixels.
    """
    x0, y0, x1, y1 = shown
    dx = max((x1 - x0) // 4, math.ceil(4 * size))
    dy = max((y1 - y0) // 4, math.ceil(4 * size))
    part = max(0, x0 - dx), max(0, y0 - dy), min(width, x1 + dx), min(height, y1 + dy)
    whole = (0, 0, width, height)
    return part if x0 < x1 and work_scale(part) >= FINER * work_scale(whole) else whole


def serves(superpixels: Superpixels, shown: Region, height: int, width: int, size: float) -> bool:
    """Whether superpixels are of that size, cover what is looked at and are as sharp as they should be."""
    wanted = work_scale(region_to_divide(shown, height, width, size))
    return superpixels.covers(shown) and superpixels.size == size and wanted < FINER * superpixels.scale


def enlarge_labels(
    labels: NDArray[np.uint16], height: int, width: int, should_stop: ShouldStop | None = None
) -> NDArray[np.uint16]:
    """A label map at a finer resolution, with smooth borders instead of stairs.

    Every pixel takes the label with the largest share when the labels' own maps are interpolated
    bilinearly; of equal shares the one further up, then further left.

    Args:
        labels: (h, w).
        height, width: of the result, at least h and w.

    Raises:
        Stopped: `should_stop` said so.
    """
    if labels.shape == (height, width):
        return labels.copy()
    rows, down = _places(labels.shape[0], height)
    columns, right = _places(labels.shape[1], width)
    padded = np.pad(labels, 1, mode="edge")
    corners = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    mixed = (corners[0] != corners[1]) | (corners[0] != corners[2]) | (corners[0] != corners[3])
    large = np.empty((height, width), np.uint16)
    for first in range(0, height, _ROWS_AT_A_TIME):
        stop_if(should_stop)
        block = slice(first, first + _ROWS_AT_A_TIME)
        target = large[block]
        target[...] = corners[0].take(rows[block], axis=0).take(columns, axis=1)
        row, column = np.nonzero(mixed.take(rows[block], axis=0).take(columns, axis=1))
        below, beside = down[block][row], right[column]
        shares = (1 - below) * (1 - beside), (1 - below) * beside, below * (1 - beside), below * beside
        at = rows[block][row], columns[column]
        target[row, column] = _largest_share([corner[at] for corner in corners], shares)
    return large


def _places(coarse: int, fine: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each of `fine` pixel centres the last of `coarse` ones before it, counted from the one added at
    the edge, and how far on the way to the next one it lies, in [0, 1)."""
    position = (np.arange(fine) + 0.5) * coarse / fine - 0.5
    before = np.floor(position)
    return before.astype(np.intp) + 1, (position - before).astype(np.float32)


def _largest_share(
    labels: list[NDArray[np.uint16]], shares: tuple[NDArray[np.float32], ...]
) -> NDArray[np.uint16]:
    """Of four labels each, the one whose shares sum to the most; the first of equal ones."""
    best, most = labels[0], np.full(shares[0].shape, -1.0, np.float32)
    for label in labels:
        total = np.zeros_like(most)
        for other, share in zip(labels, shares, strict=True):
            total += share * (other == label)
        better = total > most
        best, most = np.where(better, label, best), np.maximum(total, most)
    return best
