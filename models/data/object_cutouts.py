"""Cut-outs of annotated objects: pixels, a feathered alpha, and the objects that lie inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.pixel_window import pixel_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset

Plane = NDArray[np.uint8]

SMALLEST_AREA = 32 * 32  # pixels of a mask; less of an object shows too little to be worth pasting
TOUCHED_BORDERS = 1  # an object cut off by more of the picture's sides is a fragment
NESTED_SHARE = 0.9  # of another object's mask inside the cut-out one, for it to come along
MARGIN = 2  # pixels around the object's box, room for the feathered alpha
FEATHER_SIGMA = (0.6, 1.2)  # pixels; how wide a lens draws the border of a sharp object


@dataclass(frozen=True, slots=True)
class NestedMask:
    """An object inside a cut-out: its coverage, (h, w) uint8 like the cut-out's alpha, and category."""

    coverage: Plane
    category: int


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object to be pasted.

    Attributes:
        rgba: (h, w, 4) uint8; the colours go on where alpha is 0, so that it can be turned and scaled.
        category: None if nobody has said what it shows.
        nested: objects that belong to it and are pasted with it, like the garments of a person.
    """

    rgba: Plane
    category: int | None = None
    nested: tuple[NestedMask, ...] = ()

    @property
    def long_side(self) -> int:
        return int(max(self.rgba.shape[:2]))

    def mirrored(self) -> Cutout:
        """Left and right exchanged."""
        return self._changed(lambda plane: np.ascontiguousarray(plane[:, ::-1]))

    def resized(self, long_side: int) -> Cutout:
        """Scaled so that the longer side is so many pixels."""
        height, width = self.rgba.shape[:2]
        scale = long_side / max(height, width)
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return self._changed(
            lambda plane: np.asarray(
                cv2.resize(np.ascontiguousarray(plane), size, interpolation=interpolation), np.uint8
            )
        )

    def turned(self, degrees: float) -> Cutout:
        """Turned about its middle; the frame grows to hold it."""
        height, width = self.rgba.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
        size = (int(height * sin + width * cos) + 1, int(height * cos + width * sin) + 1)
        matrix[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)

        def turn(plane: Plane, border: int) -> Plane:
            out = cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
            return np.asarray(out, np.uint8)

        turned = self._changed(lambda plane: turn(plane, cv2.BORDER_CONSTANT))
        # Black around the frame must not darken the colours where alpha reaches the frame's edge.
        colors = turn(self.rgba, cv2.BORDER_REPLICATE)
        turned.rgba[:, :, :3] = colors[:, :, :3]
        return turned

    def _changed(self, change: Callable[[Plane], Plane]) -> Cutout:
        nested = tuple(NestedMask(change(n.coverage), n.category) for n in self.nested)
        return Cutout(change(self.rgba), self.category, nested)


@dataclass(frozen=True, slots=True)
class CutoutSource:
    """A picture with those of its objects that can be cut out."""

    picture: AnnotatedPicture
    objects: tuple[AnnotatedObject, ...]


def find_sources(dataset: Dataset) -> tuple[CutoutSource, ...]:
    """The pictures with objects that have a mask, are large enough and not cut off by the picture."""
    found = (CutoutSource(p, tuple(o for o in p.objects if _can_be_cut(o, p))) for p in dataset.pictures)
    return tuple(source for source in found if source.objects)


def _can_be_cut(item: AnnotatedObject, picture: AnnotatedPicture) -> bool:
    if not item.has_mask or item.mask.array.size < SMALLEST_AREA or item.mask.area < SMALLEST_AREA:
        return False
    x0, y0, x1, y1 = item.mask.cropped().box
    touched = (x0 <= 0, y0 <= 0, x1 >= picture.width, y1 >= picture.height)
    return sum(touched) <= TOUCHED_BORDERS


def cut_object(picture: AnnotatedPicture, item: AnnotatedObject, rng: np.random.Generator) -> Cutout:
    """Cut an object, and what lies inside it, out of its picture, at the picture's resolution."""
    x0, y0, x1, y1 = item.mask.cropped().box
    box = (x0 - MARGIN, y0 - MARGIN, x1 + MARGIN, y1 + MARGIN)
    inside = item.mask.window(box)
    alpha = _feathered(inside, rng.uniform(*FEATHER_SIGMA))
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    rgba[:, :, :3] = pixel_window(picture.pixels(), box, continued=True)
    rgba[:, :, 3] = alpha
    nested = tuple(
        NestedMask(np.where(other.mask.window(box), alpha, np.uint8(0)), other.category)
        for other in picture.objects
        if other is not item and other.has_mask and _lies_inside(other, inside, box)
    )
    return Cutout(rgba, item.category, nested)


def _feathered(inside: NDArray[np.bool_], sigma: float) -> Plane:
    """A mask's (h, w) uint8 alpha: its border half a pixel further in, where it is surely the object."""
    whole = inside.view(np.uint8) * np.uint8(255)
    core = cv2.erode(whole, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    # The mean of a mask and the mask without its outermost pixels is the mask without half a pixel.
    half = cv2.addWeighted(whole, 0.5, core, 0.5, 0.0)
    return np.asarray(cv2.GaussianBlur(half, (0, 0), sigma), np.uint8)


def _lies_inside(item: AnnotatedObject, inside: NDArray[np.bool_], box: tuple[int, int, int, int]) -> bool:
    """Whether most of an object's pixels are True in `inside`, the (h, w) pixels of the box."""
    mask = item.mask
    if mask.x0 >= box[2] or mask.y0 >= box[3] or mask.x1 <= box[0] or mask.y1 <= box[1]:
        return False
    shared = int(np.count_nonzero(mask.window(box) & inside))
    return shared >= NESTED_SHARE * mask.area
