"""Random crops for training: where to cut, how large, mirrored, recoloured, with pasted cut-outs; or whole
pictures, one by one or four on a sheet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from models.data.augment import ColorJitter, jitter_colors
from models.data.copy_paste import CutoutLibrary, paste, paste_coverage
from models.data.dataset import AnnotatedPicture, Dataset, draw_object
from models.data.pixel_window import pixel_window
from models.data.placement import Place, draw_copies, draw_place, draw_place_beside
from models.data.sample import CropTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.data.object_cutouts import Cutout

N = TypeVar("N", np.uint8, np.float32)

CUTOUT_SIZES = (0.15, 0.85)  # longer side of a pasted cut-out, as a share of the crop's
REPEAT_PROBABILITY = 0.3  # of a cut-out: it is pasted three times, side by side
SIDE_STEP = 32  # pixels
SHEET_SHAPE = 0.75  # height of a sheet of four pictures, as a share of its width
SHEET_GREY = 127
VISIBLE_SHARE = 0.1  # an object with less of itself in the crop than this is left out of the targets


@dataclass(frozen=True, slots=True)
class WholePictures:
    """Whole pictures instead of crops.

    Attributes:
        sheets: share of crops that show four pictures beside and below each other, each as large as fits
            into its quarter: things look small there without being tiny in pictures of their own.
        least_share: of its picture, that an object must cover to be among the targets.
    """

    sheets: float = 0.0
    least_share: float = 0.0


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How crops are drawn.

    Attributes:
        size: side of the square crop, pixels (a multiple of 32).
        long_side: range that the picture's longer side is scaled to, drawn log-uniformly, pixels.
        mask_stride: the targets' masks are `size / mask_stride` pixels wide.
        cutout_probability: share of crops that get one to three pasted cut-outs.
        cutout_category: category index of pasted objects that do not bring their own.
        max_objects: at most so many objects per crop, drawn at random.
        quarter_turn_probability: share of crops that are turned by 90, 180 or 270 degrees.
        whole: instead of squares of `size`, whole pictures, not stretched beyond what makes their sides
            multiples of 32 pixels. Such crops differ in size, and nothing is pasted into them.
    """

    size: int = 384
    long_side: tuple[int, int] = (400, 1100)
    mask_stride: int = 4
    cutout_probability: float = 0.25
    cutout_category: int = 0
    max_objects: int = 40
    jitter: ColorJitter = field(default_factory=ColorJitter)
    quarter_turn_probability: float = 0.0
    whole: WholePictures | None = None


@dataclass(slots=True)
class _Canvas:
    """A crop in the making: pixels, whether all on them is annotated, and the list of coverage maps."""

    image: NDArray[np.uint8]
    exhaustive: bool
    masks: list[NDArray[np.float32]]
    categories: list[int]
    whole: list[bool]
    has_mask: list[bool]

    def turn(self, quarters: int) -> None:
        """Turn everything by so many quarters, counterclockwise."""
        self.image = np.rot90(self.image, quarters)
        self.masks = [np.rot90(m, quarters) for m in self.masks]

    def draw(self, other: _Canvas, top: int, left: int, stride: int) -> None:
        """Put a smaller canvas on it, at multiples of the masks' stride."""
        rows, columns = other.image.shape[:2]
        self.image[top : top + rows, left : left + columns] = other.image
        size = [side // stride for side in self.image.shape[:2]]
        for mask, category, whole, has_mask in zip(
            other.masks, other.categories, other.whole, other.has_mask, strict=True
        ):
            at = (top // stride, left // stride)
            space = [(a, s - a - m) for a, s, m in zip(at, size, mask.shape, strict=True)]
            self.masks.append(np.pad(mask, space))
            self.categories.append(category)
            self.whole.append(whole)
            self.has_mask.append(has_mask)
        self.exhaustive &= other.exhaustive

    def cover(self, coverage: NDArray[np.float32]) -> None:
        """What is pasted takes its pixels away from the objects below, nested ones too."""
        shown = 1.0 - coverage
        self.masks = [m * shown for m in self.masks]

    def add(self, coverage: NDArray[np.float32], category: int) -> None:
        """A pasted object."""
        self.masks.append(coverage)
        self.categories.append(category)
        self.whole.append(True)
        self.has_mask.append(True)


def draw_crop(
    datasets: Sequence[Dataset],
    settings: CropSettings,
    rng: np.random.Generator,
    *,
    cutouts: CutoutLibrary | None = None,
) -> tuple[Tensor, CropTarget]:
    """Draw one (3, size, size) uint8 crop around a random object, or one of whole pictures, and its targets.

    A data set is drawn by weight, a picture uniformly, an object with a preference for rare large ones.
    """
    weights = np.array([d.weight for d in datasets], np.float64)
    dataset = datasets[int(rng.choice(len(datasets), p=weights / weights.sum()))]
    if settings.whole is not None and rng.random() < settings.whole.sheets:
        canvas = _sheet([_draw_picture(dataset, rng) for _ in range(4)], settings, rng)
    else:
        canvas = _cut(_draw_picture(dataset, rng), settings, rng)
    if rng.random() < 0.5:
        canvas.image = np.ascontiguousarray(canvas.image[:, ::-1])
        canvas.masks = [m[:, ::-1] for m in canvas.masks]
    canvas.image = jitter_colors(canvas.image, settings.jitter, rng)
    pastes = cutouts is not None and not cutouts.is_empty and settings.whole is None
    if cutouts is not None and pastes and rng.random() < settings.cutout_probability:
        for _ in range(int(rng.integers(1, 4))):
            _paste_cutout(canvas, cutouts, settings, rng)
    if rng.random() < settings.quarter_turn_probability:
        canvas.turn(int(rng.integers(1, 4)))
    return _finish(canvas, settings, rng)


def _draw_picture(dataset: Dataset, rng: np.random.Generator) -> AnnotatedPicture:
    return dataset.pictures[int(rng.integers(len(dataset.pictures)))]


def _draw_length(settings: CropSettings, rng: np.random.Generator) -> float:
    low, high = np.log(settings.long_side)
    return float(np.exp(rng.uniform(low, high)))


def _cut(picture: AnnotatedPicture, settings: CropSettings, rng: np.random.Generator) -> _Canvas:
    """A square of the picture, or all of it."""
    scale = _draw_length(settings, rng) / max(picture.height, picture.width)
    if settings.whole is not None:
        rows, columns = (SIDE_STEP * max(1, round(s * scale / SIDE_STEP)) for s in _shape(picture))
        return _shown(picture, (0, 0, picture.width, picture.height), rows, columns, settings)
    stretch = float(np.exp(rng.uniform(-0.1, 0.1)))
    box = _square(picture, settings.size / (scale * stretch), settings.size / (scale / stretch), rng)
    return _shown(picture, box, settings.size, settings.size, settings)


def _sheet(pictures: Sequence[AnnotatedPicture], settings: CropSettings, rng: np.random.Generator) -> _Canvas:
    """Four whole pictures, each in the corner of its quarter."""
    length = _draw_length(settings, rng)
    rows, columns = (SIDE_STEP * max(2, round(side / SIDE_STEP)) for side in (SHEET_SHAPE * length, length))
    sheet = _Canvas(np.full((rows, columns, 3), SHEET_GREY, np.uint8), True, [], [], [], [])
    for index, picture in enumerate(pictures):
        scale = min(rows / 2 / picture.height, columns / 2 / picture.width)
        step = settings.mask_stride
        high, wide = (step * max(1, int(side * scale / step)) for side in _shape(picture))
        shown = _shown(picture, (0, 0, picture.width, picture.height), high, wide, settings)
        sheet.draw(shown, (index // 2) * (rows // 2), (index % 2) * (columns // 2), step)
    return sheet


def _shape(picture: AnnotatedPicture) -> tuple[int, int]:
    return picture.height, picture.width


def _shown(
    picture: AnnotatedPicture,
    box: tuple[int, int, int, int],
    rows: int,
    columns: int,
    settings: CropSettings,
) -> _Canvas:
    """What lies in a box of the picture, brought to (rows, columns)."""
    image = _resize(pixel_window(picture.pixels(), box), rows, columns)
    # Nobody has told the members of a crowd apart, so nothing beside the objects is known there.
    exhaustive = picture.exhaustive and not any(c.mask.window(box).any() for c in picture.crowds)
    canvas = _Canvas(image, exhaustive, [], [], [], [])
    rows, columns = rows // settings.mask_stride, columns // settings.mask_stride
    least = settings.whole.least_share * picture.height * picture.width if settings.whole else 0.0
    for item in picture.objects:
        if item.mask.area < least:
            canvas.exhaustive = False
            continue
        window = item.mask.window(box)
        visible = np.count_nonzero(window)
        if visible < VISIBLE_SHARE * item.mask.area:
            continue
        # Resized as bytes: many times quicker than floats, and as exact as coverages have to be.
        coverage = _resize(window.view(np.uint8) * np.uint8(255), rows, columns)
        canvas.masks.append(coverage * np.float32(1.0 / 255.0))
        canvas.categories.append(item.category)
        canvas.whole.append(visible == item.mask.area)
        canvas.has_mask.append(item.has_mask)
    return canvas


def _square(
    picture: AnnotatedPicture, span_x: float, span_y: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """A window that becomes the square crop: x0, y0, x1, y1, perhaps beyond the picture."""
    focus = draw_object(picture.objects, rng).mask
    left = _place(focus.x0, focus.x1, span_x, picture.width, rng)
    top = _place(focus.y0, focus.y1, span_y, picture.height, rng)
    return round(left), round(top), round(left + span_x), round(top + span_y)


def _place(start: int, end: int, span: float, limit: int, rng: np.random.Generator) -> float:
    """Where a window of `span` pixels begins: a random point of the object falls inside it, and the
    window stays in the picture where it fits."""
    anchor = rng.uniform(start, end)
    begin = anchor - span * rng.uniform(0.15, 0.85)
    if span >= limit:
        return float(rng.uniform(limit - span, 0.0))
    return float(np.clip(begin, 0.0, limit - span))


def _resize(array: NDArray[N], rows: int, columns: int) -> NDArray[N]:
    shrinks = array.shape[0] > rows or array.shape[1] > columns
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(array), (columns, rows), interpolation=interpolation)
    return np.asarray(resized, array.dtype)


def _paste_cutout(
    canvas: _Canvas, cutouts: CutoutLibrary, settings: CropSettings, rng: np.random.Generator
) -> None:
    low, high = np.log(CUTOUT_SIZES)
    cutout = cutouts.draw(int(settings.size * np.exp(rng.uniform(low, high))), rng)
    colors = np.ascontiguousarray(cutout.rgba[:, :, :3])
    cutout.rgba[:, :, :3] = jitter_colors(colors, settings.jitter, rng)
    if rng.random() >= REPEAT_PROBABILITY:
        _paste_at(canvas, cutout, draw_place(cutout, settings.size, rng), settings)
        return
    # Networks confuse neighbours of one kind, so the copies touch or hide each other.
    first, *others = draw_copies(cutout, rng)
    place = draw_place(first, settings.size, rng)
    _paste_at(canvas, first, place, settings)
    for copy in others:
        _paste_at(canvas, copy, draw_place_beside(first, place, copy, settings.size, rng), settings)


def _paste_at(canvas: _Canvas, cutout: Cutout, place: Place, settings: CropSettings) -> None:
    def cover(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
        return paste_coverage(plane, *place, size=settings.size, stride=settings.mask_stride)

    paste(canvas.image, cutout.rgba, *place)
    coverage = cover(cutout.rgba[:, :, 3])
    canvas.cover(coverage)
    canvas.add(coverage, settings.cutout_category if cutout.category is None else cutout.category)
    for nested in cutout.nested:
        canvas.add(cover(nested.coverage), nested.category)


def _finish(canvas: _Canvas, settings: CropSettings, rng: np.random.Generator) -> tuple[Tensor, CropTarget]:
    exhaustive = canvas.exhaustive
    keep = [i for i, m in enumerate(canvas.masks) if float(m.max(initial=0.0)) >= 0.5]
    if len(keep) > settings.max_objects:
        keep = sorted(int(i) for i in rng.choice(keep, settings.max_objects, replace=False))
        exhaustive = False
    rows, columns = (side // settings.mask_stride for side in canvas.image.shape[:2])
    masks = np.stack([canvas.masks[i] for i in keep]) if keep else np.zeros((0, rows, columns), np.float32)
    target = CropTarget(
        masks=torch.from_numpy(np.ascontiguousarray(masks, dtype=np.float32)),
        categories=torch.tensor([canvas.categories[i] for i in keep], dtype=torch.int64),
        exhaustive=exhaustive,
        whole=torch.tensor([canvas.whole[i] for i in keep], dtype=torch.bool),
        has_mask=torch.tensor([canvas.has_mask[i] for i in keep], dtype=torch.bool),
    )
    return torch.from_numpy(np.ascontiguousarray(canvas.image.transpose(2, 0, 1))), target
