"""Where the picture lies on the screen, in device pixels: the arithmetic of pan and zoom."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.editing.limits import ZOOM

if TYPE_CHECKING:
    from numpy.typing import NDArray

Region = tuple[int, int, int, int]

SMALLEST_SIDE_ON_SCREEN = 32.0
FIT_MARGIN = 0.96


@dataclass(frozen=True, slots=True)
class Viewport:
    """A picture of `image_width` x `image_height` seen through a window of device pixels.

    Attributes:
        image_width, image_height: size of the picture in its own pixels; 0 without a picture.
        width, height: size of the window in device pixels.
        scale: device pixels per picture pixel.
        offset_x, offset_y: device position of the picture's top left corner. Whole numbers, so
            that panning moves what is drawn by whole device pixels and never changes it.
    """

    image_width: int = 0
    image_height: int = 0
    width: int = 0
    height: int = 0
    scale: float = 1.0
    offset_x: int = 0
    offset_y: int = 0

    @property
    def has_image(self) -> bool:
        return self.image_width > 0 and self.image_height > 0

    @property
    def visible_region(self) -> Region:
        """The half-open box (x0, y0, x1, y1) of picture pixels that show in the window."""
        x0 = max(0, math.floor(-self.offset_x / self.scale))
        y0 = max(0, math.floor(-self.offset_y / self.scale))
        x1 = min(self.image_width, math.ceil((self.width - self.offset_x) / self.scale))
        y1 = min(self.image_height, math.ceil((self.height - self.offset_y) / self.scale))
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """The picture point under a device point."""
        return (x - self.offset_x) / self.scale, (y - self.offset_y) / self.scale

    def to_device(self, x: float, y: float) -> tuple[float, float]:
        """The device point over a picture point."""
        return self.offset_x + x * self.scale, self.offset_y + y * self.scale

    def device_box(self, region: tuple[float, float, float, float], margin: int = 0) -> Region:
        """Device pixels that show a picture box, widened by `margin` and cut to the window."""
        left, top = self.to_device(region[0], region[1])
        right, bottom = self.to_device(region[2], region[3])
        x0, y0 = max(0, math.floor(left) - margin), max(0, math.floor(top) - margin)
        x1, y1 = min(self.width, math.ceil(right) + margin), min(self.height, math.ceil(bottom) + margin)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)

    def device_span(self) -> Region:
        """Device pixels whose centre lies on the picture, on the screen or off it."""
        left, top = self.to_device(0, 0)
        right, bottom = self.to_device(self.image_width, self.image_height)
        return math.ceil(left - 0.5), math.ceil(top - 0.5), math.ceil(right - 0.5), math.ceil(bottom - 0.5)

    def columns(self, start: int, stop: int) -> NDArray[np.intp]:
        """The picture column under the centre of each device column start..stop - 1."""
        return self._samples(np.arange(start, stop), self.offset_x, self.image_width)

    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """The picture row under the centre of each device row start..stop - 1."""
        return self._samples(np.arange(start, stop), self.offset_y, self.image_height)

    def _samples(self, device: NDArray[np.intp], offset: int, size: int) -> NDArray[np.intp]:
        picked: NDArray[np.intp] = np.floor((device - offset + 0.5) / self.scale).astype(np.intp)
        picked.clip(0, max(0, size - 1), out=picked)
        return picked

    def fit_scale(self) -> float:
        """The scale at which the whole picture shows with a small margin."""
        if not self.has_image or not self.width or not self.height:
            return 1.0
        scale = min(self.width / self.image_width, self.height / self.image_height) * FIT_MARGIN
        return self.limited(scale)

    def limited(self, scale: float) -> float:
        """`scale` kept between a picture of a thumbnail's size and the largest zoom."""
        longest = max(self.image_width, self.image_height, 1)
        smallest = min(1.0, SMALLEST_SIDE_ON_SCREEN / longest)
        return min(ZOOM.maximum, max(smallest, scale))

    def centered(self, scale: float, x: float, y: float) -> Viewport:
        """The picture point (x, y) in the middle of the window at `scale`."""
        scale = self.limited(scale)
        return replace(
            self,
            scale=scale,
            offset_x=round(self.width / 2 - x * scale),
            offset_y=round(self.height / 2 - y * scale),
        )

    def fitted(self) -> Viewport:
        """The whole picture, centred."""
        return self.centered(self.fit_scale(), self.image_width / 2, self.image_height / 2)

    def zoomed(self, factor: float, at: tuple[float, float]) -> Viewport:
        """`factor` times larger; the picture point under device point `at` stays there."""
        scale = self.limited(self.scale * factor)
        x, y = self.to_image(*at)
        return replace(
            self, scale=scale, offset_x=round(at[0] - x * scale), offset_y=round(at[1] - y * scale)
        ).kept_in_reach()

    def panned(self, dx: int, dy: int) -> Viewport:
        """Moved by whole device pixels; a strip of the picture always stays in the window."""
        return replace(self, offset_x=self.offset_x + dx, offset_y=self.offset_y + dy).kept_in_reach()

    def resized(self, width: int, height: int) -> Viewport:
        """The same picture point in the middle of a window of another size."""
        return replace(
            self,
            width=width,
            height=height,
            offset_x=self.offset_x + (width - self.width) // 2,
            offset_y=self.offset_y + (height - self.height) // 2,
        )

    def kept_in_reach(self) -> Viewport:
        """Moved so far back that a strip of the picture shows."""
        return replace(
            self,
            offset_x=_reachable(self.offset_x, self.image_width * self.scale, self.width),
            offset_y=_reachable(self.offset_y, self.image_height * self.scale, self.height),
        )


def _reachable(offset: int, picture: float, window: int) -> int:
    strip = min(64.0, picture / 2)
    return round(min(window - strip, max(strip - picture, offset)))
