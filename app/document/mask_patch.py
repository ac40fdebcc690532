"""The difference between two masks, small enough to keep thousands of them.

A brush stroke on a mask of ten million pixels touches a few hundred. The history keeps the pixels
that flip, packed to bits, and not the two masks: undo and redo are the same exclusive-or.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.annotation import Mask


@dataclass(frozen=True, slots=True)
class MaskPatch:
    """The pixels in which two masks differ.

    Attributes:
        x0, y0, height, width: the tightest box around them.
        bits: `np.packbits` of the (height, width) bool array, row by row.
    """

    x0: int
    y0: int
    height: int
    width: int
    bits: bytes

    @classmethod
    def between(cls, one: Mask, other: Mask) -> MaskPatch:
        """What must flip to get from one mask to the other, either way."""
        box = _union(one.box, other.box)
        # Equal boxes are the rule while a brush paints inside an object: no copies then.
        if one.box == other.box:
            flipped = one.array ^ other.array
        else:
            flipped = one.window(box)
            left, top = other.x0 - box[0], other.y0 - box[1]
            flipped[top : top + other.array.shape[0], left : left + other.array.shape[1]] ^= other.array
        flipped.setflags(write=False)
        return cls.of(Mask(box[0], box[1], flipped))

    @classmethod
    def of(cls, flipped: Mask) -> MaskPatch:
        """The patch that flips exactly that region."""
        tight = flipped.cropped()
        height, width = tight.array.shape
        return cls(tight.x0, tight.y0, height, width, np.packbits(tight.array).tobytes())

    @property
    def mask(self) -> Mask:
        """The flipped pixels as a region."""
        count = self.height * self.width
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count)
        return Mask(self.x0, self.y0, bits.view(np.bool_).reshape(self.height, self.width))

    def applied_to(self, mask: Mask) -> Mask:
        """The mask with the patch's pixels flipped, in its tightest box."""
        flipped = self.mask
        box = _union(mask.box, flipped.box)
        array = mask.window(box)
        left, top = flipped.x0 - box[0], flipped.y0 - box[1]
        array[top : top + self.height, left : left + self.width] ^= flipped.array
        array.setflags(write=False)
        return Mask(box[0], box[1], array).cropped()


def _union(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The box around both; a box without pixels does not count."""
    if one[0] >= one[2] or one[1] >= one[3]:
        one = other
    if other[0] >= other[2] or other[1] >= other[3]:
        other = one
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
