"""Every region of a picture in one array of small numbers: the cache the overlay is drawn from.

The instances' geometries are the truth; this array says which of them lies on top at each pixel.
Its size depends on the picture alone, picking is one array read, and an edit rewrites one box.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from app.document.shared_ends import shared_ends
from converters.annotation import Mask
from converters.shapes.geometry import bounding_box, rasterize
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from app.pixels.viewport import Region
    from converters.annotation import Geometry, ImageAnnotation, Instance


class LabelImage:
    """The topmost visible instance at every pixel.

    Attributes:
        array: (H, W) int32; 0 where nothing lies, else the slot of an instance. A slot stays with
            its instance as long as the picture is open.
    """

    def __init__(self, height: int, width: int) -> None:
        self.array: NDArray[np.int32] = np.zeros((height, width), np.int32)
        self._slots: dict[str, int] = {}
        self._owners: list[str | None] = [None]
        self._free: list[int] = []
        self._rasters: dict[str, tuple[Geometry, Mask]] = {}
        self._drawn: Sequence[Instance] = ()
        self._boxes: NDArray[np.int64] = np.zeros((0, 4), np.int64)

    @property
    def height(self) -> int:
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    def slot_of(self, instance_id: str) -> int:
        """The instance's number in `array`; a new instance gets a free one."""
        slot = self._slots.get(instance_id)
        if slot is None:
            if self._free:
                slot = self._free.pop()
                self._owners[slot] = instance_id
            else:
                slot = len(self._owners)
                self._owners.append(instance_id)
            self._slots[instance_id] = slot
        return slot

    def release(self, instance_id: str) -> None:
        """Forget an instance that is gone; its slot may be given to another."""
        slot = self._slots.pop(instance_id, None)
        self._rasters.pop(instance_id, None)
        if slot is not None:
            self._owners[slot] = None
            self._free.append(slot)

    def owner_of(self, slot: int) -> str | None:
        """The id of the instance that has this slot."""
        return self._owners[slot] if 0 <= slot < len(self._owners) else None

    def ids(self) -> tuple[str, ...]:
        """The instances that have a slot."""
        return tuple(self._slots)

    def raster_of(self, instance: Instance) -> Mask | None:
        """The pixels an instance covers inside the picture; None for lines and points."""
        geometry = instance.geometry
        known = self._rasters.get(instance.id)
        if known is not None and known[0] is geometry:
            return known[1]
        if not is_region(geometry):
            self._rasters.pop(instance.id, None)
            return None
        if isinstance(geometry, Mask):
            raster = geometry
        elif all(map(math.isfinite, bounding_box(geometry))):
            raster = rasterize(geometry, self.height, self.width, rule="centers")
        else:
            return None
        if raster.x0 < 0 or raster.y0 < 0 or raster.x1 > self.width or raster.y1 > self.height:
            raster = raster.clipped(self.height, self.width)
        self._rasters[instance.id] = (geometry, raster)
        return raster

    def redraw(
        self, instances: Sequence[Instance], region: Region, hidden: frozenset[str] = frozenset()
    ) -> Region:
        """Write the half-open box anew from all instances in drawing order; returns it, clipped."""
        x0, y0 = max(0, region[0]), max(0, region[1])
        x1, y1 = min(self.width, region[2]), min(self.height, region[3])
        if x0 >= x1 or y0 >= y1:
            return 0, 0, 0, 0
        self.array[y0:y1, x0:x1] = 0
        self.draw(instances, (x0, y0, x1, y1), hidden)
        return x0, y0, x1, y1

    def draw(
        self, instances: Sequence[Instance], region: Region, hidden: frozenset[str] = frozenset()
    ) -> None:
        """Write what instances cover of a half-open box inside the picture on which nothing lies yet.

        Elsewhere nothing is written: zeros that nobody has written to take no memory.
        """
        boxes = self._boxes_of(instances)
        touching = (boxes[:, :2] < region[2:]).all(axis=1) & (boxes[:, 2:] > region[:2]).all(axis=1)
        for place in np.flatnonzero(touching).tolist():
            instance = instances[place]
            raster = self.raster_of(instance)
            if raster is not None and instance.id not in hidden:
                self._draw(raster, self.slot_of(instance.id), region)

    def _boxes_of(self, instances: Sequence[Instance]) -> NDArray[np.int64]:
        """(n, 4) boxes of the instances, empty ones for lines and points; of those drawn last time, only
        what an edit has changed is looked at."""
        first, last = shared_ends(self._drawn, instances)
        rasters = [self.raster_of(instance) for instance in instances[first : len(instances) - last]]
        changed = [raster.box if raster is not None else (0, 0, 0, 0) for raster in rasters]
        self._boxes = np.concatenate(
            [
                self._boxes[:first],
                np.array(changed, np.int64).reshape(-1, 4),
                self._boxes[len(self._boxes) - last :],
            ]
        )
        self._drawn = instances
        return self._boxes

    def _draw(self, raster: Mask, slot: int, region: Region) -> None:
        left, top = max(region[0], raster.x0), max(region[1], raster.y0)
        right, bottom = min(region[2], raster.x1), min(region[3], raster.y1)
        covered = raster.array[top - raster.y0 : bottom - raster.y0, left - raster.x0 : right - raster.x0]
        self.array[top:bottom, left:right][covered] = slot

    def write(self, mask: Mask, slot: int, *, only_over: int | None = None) -> None:
        """Put `slot` where `mask` is True (a stroke while it is painted); the next `redraw` there
        brings back the truth.

        Args:
            only_over: change only pixels that show this slot (erasing one object, not the others).
        """
        left, top = max(0, mask.x0), max(0, mask.y0)
        right, bottom = min(self.width, mask.x1), min(self.height, mask.y1)
        if left >= right or top >= bottom:
            return
        covered = mask.array[top - mask.y0 : bottom - mask.y0, left - mask.x0 : right - mask.x0]
        target = self.array[top:bottom, left:right]
        target[covered if only_over is None else covered & (target == only_over)] = slot

    def pick(self, x: float, y: float) -> str | None:
        """The id of the topmost instance at a picture point, or None."""
        column, row = int(np.floor(x)), int(np.floor(y))
        if not (0 <= column < self.width and 0 <= row < self.height):
            return None
        return self.owner_of(int(self.array[row, column]))


def draw_labels(annotation: ImageAnnotation) -> LabelImage:
    """The label image of a whole picture, from scratch; safe in any thread (no Qt inside)."""
    labels = LabelImage(annotation.height, annotation.width)
    labels.draw(annotation.instances, (0, 0, annotation.width, annotation.height))
    return labels
