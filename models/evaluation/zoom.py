"""What it gains to encode the part of a large picture that is on the screen, for small objects.

Four pictures at a time are enlarged onto a canvas of 12 megapixels. Every object under half a per cent of
the canvas is clicked once at its deepest point, twice: with the whole canvas encoded, and with only the
part encoded that a user who has zoomed in on it sees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from converters.annotation import Seed
from models.evaluation.clicks import BoolImage, deepest_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from models.data.dataset import AnnotatedPicture, Dataset
    from models.segmenter import Encoding, Region, Segmenter

CANVAS_HEIGHT, CANVAS_WIDTH = 3000, 4000
VIEW_HEIGHT, VIEW_WIDTH = 750, 1000  # pixels of the canvas on the screen
MAX_AREA_SHARE = 0.005
MIN_AREA = 100  # pixels of the canvas
GREY = 127


@dataclass(frozen=True, slots=True)
class ZoomReport:
    """Mean IoU after one click.

    Attributes:
        whole_iou, view_iou: with the whole canvas and with the view encoded.
    """

    canvases: int
    objects: int
    whole_iou: float
    view_iou: float

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Canvas:
    """Pictures side by side: pixels (H, W, 3) uint8 and each small object's mask (H, W) bool."""

    pixels: NDArray[np.uint8]
    objects: tuple[tuple[Region, BoolImage], ...]  # a box of the canvas, and the mask inside it


def canvases(dataset: Dataset, height: int = CANVAS_HEIGHT, width: int = CANVAS_WIDTH) -> Iterator[Canvas]:
    """Four pictures each, enlarged to fit a quarter; the rest is grey."""
    for start in range(0, len(dataset.pictures), 4):
        pixels = np.full((height, width, 3), GREY, np.uint8)
        objects: list[tuple[Region, BoolImage]] = []
        for index, picture in enumerate(dataset.pictures[start : start + 4]):
            top, left = (index // 2) * (height // 2), (index % 2) * (width // 2)
            objects += _place(picture, pixels, top, left, height // 2, width // 2)
        yield Canvas(pixels, tuple(objects))


def _place(
    picture: AnnotatedPicture, pixels: NDArray[np.uint8], top: int, left: int, height: int, width: int
) -> list[tuple[Region, BoolImage]]:
    """Draw one picture into its quarter; its small objects."""
    scale = min(height / picture.height, width / picture.width)
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    enlarged = cv2.resize(picture.pixels(), size, interpolation=cv2.INTER_CUBIC)
    pixels[top : top + size[1], left : left + size[0]] = enlarged
    found = []
    for item in picture.objects:
        area = item.mask.area * scale * scale
        if not item.has_mask or not MIN_AREA <= area < MAX_AREA_SHARE * pixels.shape[0] * pixels.shape[1]:
            continue
        full = item.mask.to_full(picture.height, picture.width).astype(np.uint8)
        mask = cv2.resize(full, size, interpolation=cv2.INTER_LINEAR_EXACT).astype(np.bool_)
        if mask.any():
            found.append(((left, top, left + size[0], top + size[1]), mask))
    return found


def view_around(x: float, y: float, height: int, width: int) -> Region:
    """The part of an (height, width) picture on a screen centred on a point."""
    across, down = min(VIEW_WIDTH, width), min(VIEW_HEIGHT, height)
    x0 = min(max(0, int(x) - across // 2), width - across)
    y0 = min(max(0, int(y) - down // 2), height - down)
    return x0, y0, x0 + across, y0 + down


def evaluate_zoom(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ZoomReport:
    """Run the protocol; `on_progress` receives canvases done and in all."""
    whole_ious: list[float] = []
    view_ious: list[float] = []
    total = -(-len(dataset.pictures) // 4)
    for done, canvas in enumerate(canvases(dataset)):
        height, width = canvas.pixels.shape[:2]
        whole = segmenter.encode(canvas.pixels)
        for box, mask in canvas.objects:
            row, column = deepest_point(mask)
            seed = Seed(box[0] + column + 0.5, box[1] + row + 0.5)
            view = segmenter.encode(canvas.pixels, region=view_around(seed.x, seed.y, height, width))
            whole_ious.append(_iou_on_canvas(whole, seed, box, mask))
            view_ious.append(_iou_on_canvas(view, seed, box, mask))
        on_progress(done + 1, total)
    return ZoomReport(total, len(whole_ious), _mean(whole_ious), _mean(view_ious))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _iou_on_canvas(encoding: Encoding, seed: Seed, box: Region, truth: BoolImage) -> float:
    """IoU with an object known inside a box; what is claimed outside the box counts as wrong."""
    found = encoding.mask([seed])
    inside = found[box[1] : box[3], box[0] : box[2]]
    outside = np.count_nonzero(found) - np.count_nonzero(inside)
    either = np.count_nonzero(inside | truth) + outside
    return float(np.count_nonzero(inside & truth) / either)
