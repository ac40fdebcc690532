"""COCO's run-length encoding of masks, exact, without making the whole picture for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from converters.annotation import Mask
from converters.errors import ConverterError
from converters.files.budget import MASK_PIXELS, Budget, spend

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A run-length code may claim any size; this is the largest picture that is read at all.
MAX_RLE_PIXELS = 1 << 28

# 31 bits and a sign in groups of five.
_MAX_GROUPS = 7


def encode_rle(mask: Mask, height: int, width: int) -> dict[str, Any]:
    """COCO's compressed RLE of the mask in a picture of that size: {"size": [h, w], "counts": str}.

    Exact; parts outside the picture are cut off. The same string `pycocotools.mask.encode` makes.
    """
    runs = {"size": [height, width], "counts": run_lengths(mask, height, width)}
    packed = coco_mask.frPyObjects(runs, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode("ascii")}


def run_lengths(mask: Mask, height: int, width: int) -> list[int]:
    """Uncompressed COCO counts: lengths of the runs down the columns, beginning with background."""
    tight = mask.clipped(height, width)
    if tight.is_empty:
        return [height * width]
    rows, columns = tight.array.shape
    # The columns one after the other, a background pixel before each and one after the last.
    line = np.zeros(columns * (rows + 1) + 1, np.bool_)
    line[:-1].reshape(columns, rows + 1)[:, 1:] = tight.array.T
    edges = np.flatnonzero(line[1:] != line[:-1])
    edges += edges // (rows + 1) * (height - rows - 1) + tight.x0 * height + tight.y0
    if rows == height:  # a run that leaves a column's foot and goes on at the next one's head is one run
        joined = np.flatnonzero(edges[2::2] == edges[1:-1:2])
        edges = np.delete(edges, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(edges, prepend=0).tolist()
    tail = height * width - int(edges[-1])
    return [*counts, tail] if tail else counts


def decode_rle(rle: Any, *, max_pixels: int = MAX_RLE_PIXELS) -> Mask:
    """The mask of a COCO RLE, compressed (text or bytes) or as a list of counts.

    Everything is checked before anything is allocated, so damaged and hostile codes are safe.

    Raises:
        ConverterError: the code is not one, its counts do not add up to its size, or its pixels are more
            than the budget allows.
    """
    if not isinstance(rle, dict):
        raise ConverterError("an RLE is an object with size and counts.")
    height, width = rle_size(rle, max_pixels=max_pixels)
    counts = rle.get("counts")
    if isinstance(counts, str | bytes):
        runs = _unpacked(counts.encode("latin-1", "replace") if isinstance(counts, str) else counts)
    elif isinstance(counts, list):
        runs = _listed(counts)
    else:
        raise ConverterError("an RLE's counts are text or a list of numbers.")
    # No run alone is longer than the picture: the sum of absurd ones might come out right, cut to 64 bits.
    if (runs < 0).any() or (runs > height * width).any() or int(runs.sum()) != height * width:
        raise ConverterError(f"the RLE's counts do not add up to its size {height} x {width}.")
    return mask_of_runs(runs, height)


def rle_size(rle: dict[str, Any], *, max_pixels: int = MAX_RLE_PIXELS) -> tuple[int, int]:
    """The (height, width) an RLE states, checked.

    Raises:
        ConverterError: there is none, or it is absurd.
    """
    size = rle.get("size")
    if (
        not isinstance(size, list | tuple)
        or len(size) != 2
        or not all(type(n) is int and n > 0 for n in size)
    ):
        raise ConverterError("an RLE's size is two positive whole numbers.")
    height, width = size
    Budget("pixels", max_pixels).check(height * width, asks="the RLE is too large: it claims")
    return height, width


def mask_of_runs(runs: NDArray[np.int64], height: int) -> Mask:
    """The mask of runs down the columns (background first) that add up to whole columns of that height."""
    borders = np.cumsum(runs)
    starts, ends = borders[0::2][: runs.size // 2], borders[1::2]
    filled = ends > starts
    starts, ends = starts[filled], ends[filled]
    if not starts.size:
        return Mask(0, 0, np.zeros((0, 0), np.bool_))
    left, right = int(starts[0]) // height, (int(ends[-1]) - 1) // height + 1
    spend(MASK_PIXELS, (right - left) * height)
    offset = left * height
    # Background and foreground in turn, from the first touched column's head to the last one's foot.
    lengths = np.zeros(2 * starts.size + 1, np.int64)
    lengths[1:-1:2] = ends - starts
    lengths[2:-1:2] = starts[1:] - ends[:-1]
    lengths[0], lengths[-1] = starts[0] - offset, right * height - ends[-1]
    colors = np.zeros(lengths.size, np.bool_)
    colors[1::2] = True
    block = np.repeat(colors, lengths).reshape(right - left, height).T
    rows = np.flatnonzero(block.any(axis=1))
    return Mask(left, int(rows[0]), block[rows[0] : rows[-1] + 1])


def _listed(counts: list[Any]) -> NDArray[np.int64]:
    if not all(type(n) is int and 0 <= n <= MAX_RLE_PIXELS for n in counts):
        raise ConverterError("an RLE's counts are whole numbers.")
    return np.asarray(counts, np.int64)


def _unpacked(text: bytes) -> NDArray[np.int64]:
    """The counts of the compressed form.

    Each count is written in groups of five bits, lowest first, as characters from "0" on; bit 5 says
    that more follow, bit 4 of the last is the sign. From the fourth count on, the difference to the
    count two before is written (pycocotools, maskApi.c, rleFrString).
    """
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not digits.size:
        return np.zeros(0, np.int64)
    if (digits < 0).any() or (digits > 63).any() or digits[-1] & 32:
        raise ConverterError("the compressed RLE holds characters that do not belong there or is cut off.")
    last = np.flatnonzero((digits & 32) == 0)
    lengths = np.diff(last, prepend=-1)
    if lengths.max() > _MAX_GROUPS:
        raise ConverterError("the compressed RLE holds an absurdly long run.")
    first = last - lengths + 1
    shift = 5 * (np.arange(digits.size) - np.repeat(first, lengths))
    values = np.add.reduceat((digits & 31) << shift, first)
    values -= np.where(digits[last] & 16, 1 << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
