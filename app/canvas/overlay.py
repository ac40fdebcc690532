"""The coloured fill and outline over every region: a label image seen through a colour table.

Only device pixels on the screen are computed, so the cost does not depend on the picture's size or
on the number of objects. Panning keeps what is already drawn and computes the uncovered strips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PySide6.QtGui import QColor, QPainter

    from app.pixels.label_image import LabelImage
    from app.pixels.viewport import Region, Viewport

_Label = TypeVar("_Label", np.int32, np.uint16)

OUTLINE_OPACITY = 0.95
STAIRS_FROM = 1.4
CRISP_FROM = 4.0
"""Scale from which picture pixels are large squares and their outline stays sharp."""
SAMPLED_ROWS = 8
"""Rows sampled at a time: they stay in the processor's cache."""


def premultiplied(color: QColor, opacity: float) -> int:
    """A colour as Qt's premultiplied ARGB32 number."""
    alpha = round(255 * opacity)
    red, green, blue = (round(channel * opacity) for channel in (color.red(), color.green(), color.blue()))
    return alpha << 24 | red << 16 | green << 8 | blue


class Overlay:
    """Paints a `LabelImage` through fill and outline colours by slot.

    Attributes:
        labels: the label image, None while no picture is open.
        outline_width: in device pixels.
    """

    def __init__(self) -> None:
        self.labels: LabelImage | None = None
        self.outline_width = 1
        self._fill = np.zeros(1, np.uint32)
        self._outline = np.zeros(1, np.uint32)
        self._drawn: Viewport | None = None
        self._sampled: tuple[Viewport, NDArray[np.int32], NDArray[np.intp]] | None = None
        self._pixels: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)
        self._dirty: list[Region] = []

    def set_color(self, slot: int, color: QColor, opacity: float, *, outlined: bool = True) -> None:
        """Colour table entry of one slot; the caller invalidates where it shows."""
        self._make_room(slot)
        self._fill[slot] = premultiplied(color, opacity)
        self._outline[slot] = premultiplied(color, OUTLINE_OPACITY) if outlined else self._fill[slot]

    def set_colors(self, slots: list[int], fills: list[int], outlines: list[int]) -> None:
        """Colour table entries of many slots, as `premultiplied` makes them."""
        if slots:
            self._make_room(max(slots))
            self._fill[slots] = np.array(fills, np.uint32)
            self._outline[slots] = np.array(outlines, np.uint32)

    def _make_room(self, slot: int) -> None:
        if slot >= self._fill.size:
            more = np.zeros(max(64, 2 * slot) - self._fill.size, np.uint32)
            self._fill = np.concatenate([self._fill, more])
            self._outline = np.concatenate([self._outline, more])

    def set_labels(self, labels: LabelImage | None) -> None:
        """Show another label image."""
        self.labels = labels
        self._drawn = self._sampled = None

    def invalidate(self, region: Region | None = None) -> None:
        """Draw a picture box anew at the next paint; None: all of it."""
        if region is None:
            self._drawn = self._sampled = None
        elif region[0] < region[2] and region[1] < region[3]:
            self._sampled = None
            self._dirty.append(region)

    def invalidate_colors(self) -> None:
        """Many entries of the colour table changed, but no pixel its owner."""
        self._drawn = None

    @property
    def margin(self) -> int:
        """How many device pixels beyond a changed box may change with it."""
        return self.outline_width + 4

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        """Bring the drawn pixels up to date and put them on the canvas."""
        if self.labels is None or not viewport.has_image:
            return
        self._update(viewport)
        height, width = self._pixels.shape
        image = QImage(self._pixels.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(QPoint(0, 0), image)

    def _update(self, viewport: Viewport) -> None:
        before, self._drawn = self._drawn, viewport
        dirty, self._dirty = self._dirty, []
        whole = (0, 0, viewport.width, viewport.height)
        if before is None or not _is_panned(before, viewport):
            if self._pixels.shape != (viewport.height, viewport.width):
                self._pixels = np.zeros((viewport.height, viewport.width), np.uint32)
            self._render(viewport, whole)
            return
        dx, dy = viewport.offset_x - before.offset_x, viewport.offset_y - before.offset_y
        if abs(dx) >= viewport.width or abs(dy) >= viewport.height:
            self._render(viewport, whole)
            return
        if dx or dy:
            self._scroll(dx, dy)
            for strip in _uncovered(viewport.width, viewport.height, dx, dy):
                self._render(viewport, strip)
        for region in dirty:
            self._render(viewport, viewport.device_box(region, self.margin))

    def _scroll(self, dx: int, dy: int) -> None:
        height, width = self._pixels.shape
        moved = np.empty_like(self._pixels)
        moved[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = self._pixels[
            max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)
        ]
        self._pixels = moved

    def _render(self, viewport: Viewport, box: Region) -> None:
        """Compute the device pixels of a half-open box."""
        x0, y0, x1, y1 = box
        if x0 >= x1 or y0 >= y1:
            return
        margin = self.margin
        part = self._pixels[y0:y1, x0:x1]
        if self._sampled is not None and self._sampled[0] == viewport and part.shape == self._pixels.shape:
            _, shown, where = self._sampled
        else:
            around = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
            found = sample_labels(self._labels_array(), viewport, around)
            if found is None:
                part[...] = 0
                return
            shown, where = found, self._border(found, viewport.scale)
            if part.shape == self._pixels.shape:
                self._sampled = viewport, shown, where
        part[...] = self._colored(shown, where, viewport.scale)[margin:-margin, margin:-margin]

    def _labels_array(self) -> NDArray[np.int32]:
        assert self.labels is not None
        return self.labels.array

    def _border(self, shown: NDArray[np.int32], scale: float) -> NDArray[np.intp]:
        """Flat positions of the outline, just inside every border."""
        return np.flatnonzero(border_of(shown, self.outline_width + _has_stairs(scale)))

    def _colored(self, shown: NDArray[np.int32], where: NDArray[np.intp], scale: float) -> NDArray[np.uint32]:
        """Premultiplied ARGB of (h, w) slots: fill, and the outline.

        Where a picture pixel is smaller than `CRISP_FROM` device pixels the outline is softened, and
        between one and that it is wider, so that it runs smoothly over the pixels' stairs.
        """
        stairs = _has_stairs(scale)
        pixels = self._fill.take(shown)
        pixels.reshape(-1)[where] = self._outline.take(shown.reshape(-1).take(where))
        if scale < CRISP_FROM:
            channels = pixels.view(np.uint8).reshape(*pixels.shape, 4)
            side, sigma = (5, 1.0) if stairs else (3, 0.55)
            cv2.GaussianBlur(channels, (side, side), sigma, dst=channels)
        return pixels


def sample_labels(labels: NDArray[np.int32], viewport: Viewport, box: Region) -> NDArray[np.int32] | None:
    """The slot under the centre of each device pixel of a box, 0 beside the picture.

    Returns None where nothing at all lies under the box.
    """
    x0, y0, x1, y1 = box
    left, top, right, bottom = viewport.device_span()
    inside = (max(x0, left), max(y0, top), min(x1, right), min(y1, bottom))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        return None
    columns, rows = viewport.columns(inside[0], inside[2]), viewport.rows(inside[1], inside[3])
    picked = take_grid(labels, rows, columns)
    if inside == box:
        return picked if picked.any() else None
    shown = np.zeros((y1 - y0, x1 - x0), np.int32)
    shown[inside[1] - y0 : inside[3] - y0, inside[0] - x0 : inside[2] - x0] = picked
    return shown if picked.any() else None


def take_grid(labels: NDArray[_Label], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[_Label]:
    """The labels where these rows and columns cross, (rows, columns)."""
    # Whole rows, a few at a time into the same memory: `take` would copy a part of the array first, and
    # fresh memory costs more than the sampling.
    picked = np.empty((rows.size, columns.size), labels.dtype)
    block = np.empty((SAMPLED_ROWS, labels.shape[1]), labels.dtype)
    for first in range(0, rows.size, SAMPLED_ROWS):
        wanted = rows[first : first + SAMPLED_ROWS]
        found = labels.take(wanted, axis=0, out=block[: wanted.size], mode="clip")
        found.take(columns, axis=1, out=picked[first : first + wanted.size], mode="clip")
    return picked


def border_of(shown: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Pixels of a region that touch another region or none, `width` pixels deep."""
    border = np.zeros(shown.shape, np.bool_)
    across = shown[:, 1:] != shown[:, :-1]
    down = shown[1:] != shown[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    if width > 1:
        side = 2 * (width - 1) + 1
        border = cv2.dilate(border.view(np.uint8), np.ones((side, side), np.uint8)).view(np.bool_)
    return border & (shown > 0)


def _has_stairs(scale: float) -> bool:
    return STAIRS_FROM <= scale < CRISP_FROM


def _is_panned(before: Viewport, after: Viewport) -> bool:
    """Whether the two differ by nothing but the offset."""
    return (before.scale, before.width, before.height, before.image_width, before.image_height) == (
        *(after.scale, after.width, after.height),
        *(after.image_width, after.image_height),
    )


def _uncovered(width: int, height: int, dx: int, dy: int) -> list[Region]:
    """The strips of a window that nothing covers after its content moved by (dx, dy)."""
    strips = []
    if dy:
        strips.append((0, 0, width, dy) if dy > 0 else (0, height + dy, width, height))
    if dx:
        strips.append((0, 0, dx, height) if dx > 0 else (width + dx, 0, width, height))
    return strips
