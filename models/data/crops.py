"""Random crops for training: where to cut, how large, mirrored, recoloured, with pasted cut-outs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.augment import ColorJitter, jitter_colors
from models.data.copy_paste import CutoutLibrary, paste
from models.data.dataset import AnnotatedPicture, Dataset
from models.data.sample import CropTarget

N = TypeVar("N", np.uint8, np.float32)

VISIBLE_SHARE = 0.1  # an object with less of itself in the crop than this is left out of the targets


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How crops are drawn.

    Attributes:
        size: side of the square crop, pixels (a multiple of 32).
        long_side: range that the picture's longer side is scaled to, drawn log-uniformly, pixels.
        mask_stride: the targets' masks are `size / mask_stride` pixels wide.
        cutout_probability: share of crops that get one to three pasted cut-outs.
        cutout_category: category index of pasted objects.
        max_objects: at most so many objects per crop, drawn at random.
    """

    size: int = 384
    long_side: tuple[int, int] = (400, 1100)
    mask_stride: int = 4
    cutout_probability: float = 0.25
    cutout_category: int = 0
    max_objects: int = 40
    jitter: ColorJitter = field(default_factory=ColorJitter)


@dataclass(slots=True)
class _Canvas:
    """A crop in the making: pixels, whether all on them is annotated, and the list of coverage maps."""

    image: NDArray[np.uint8]
    exhaustive: bool
    masks: list[NDArray[np.float32]]
    categories: list[int]
    whole: list[bool]
    has_mask: list[bool]


def draw_crop(
    datasets: Sequence[Dataset],
    settings: CropSettings,
    rng: np.random.Generator,
    *,
    cutouts: CutoutLibrary | None = None,
) -> tuple[Tensor, CropTarget]:
    """Draw one (3, size, size) uint8 crop around a random object, and its targets.

    A data set is drawn by weight, a picture uniformly, an object with a preference for rare large ones
    (by the square root of its area), so that scenes with many small parts do not drown the rest.
    """
    weights = np.array([d.weight for d in datasets], np.float64)
    dataset = datasets[int(rng.choice(len(datasets), p=weights / weights.sum()))]
    picture = dataset.pictures[int(rng.integers(len(dataset.pictures)))]
    canvas = _cut(picture, settings, rng)
    if rng.random() < 0.5:
        canvas.image = np.ascontiguousarray(canvas.image[:, ::-1])
        canvas.masks = [m[:, ::-1] for m in canvas.masks]
    canvas.image = jitter_colors(canvas.image, settings.jitter, rng)
    if cutouts is not None and cutouts.paths and rng.random() < settings.cutout_probability:
        for _ in range(int(rng.integers(1, 4))):
            _paste_cutout(canvas, cutouts, settings, rng)
    return _finish(canvas, settings, rng)


def _cut(picture: AnnotatedPicture, settings: CropSettings, rng: np.random.Generator) -> _Canvas:
    low, high = np.log(settings.long_side)
    scale = float(np.exp(rng.uniform(low, high))) / max(picture.height, picture.width)
    stretch = float(np.exp(rng.uniform(-0.1, 0.1)))
    scale_x, scale_y = scale * stretch, scale / stretch
    areas = np.array([o.mask.array.size for o in picture.objects], np.float64) ** 0.5
    focus = picture.objects[int(rng.choice(len(areas), p=areas / areas.sum()))].mask
    span_x, span_y = settings.size / scale_x, settings.size / scale_y
    left = _place(focus.x0, focus.x1, span_x, picture.width, rng)
    top = _place(focus.y0, focus.y1, span_y, picture.height, rng)
    box = (round(left), round(top), round(left + span_x), round(top + span_y))
    image = _resize(_window(picture.pixels(), box), settings.size)
    # Nobody has told the members of a crowd apart, so nothing beside the objects is known there.
    exhaustive = picture.exhaustive and not any(c.mask.window(box).any() for c in picture.crowds)
    canvas = _Canvas(image, exhaustive, [], [], [], [])
    side = settings.size // settings.mask_stride
    for item in picture.objects:
        window = item.mask.window(box)
        visible = np.count_nonzero(window)
        if visible < VISIBLE_SHARE * item.mask.area:
            continue
        canvas.masks.append(_resize(window.view(np.uint8).astype(np.float32), side))
        canvas.categories.append(item.category)
        canvas.whole.append(visible == item.mask.area)
        canvas.has_mask.append(item.has_mask)
    return canvas


def _place(start: int, end: int, span: float, limit: int, rng: np.random.Generator) -> float:
    """Where a window of `span` pixels begins: a random point of the object falls inside it, and the
    window stays in the picture where it fits."""
    anchor = rng.uniform(start, end)
    begin = anchor - span * rng.uniform(0.15, 0.85)
    if span >= limit:
        return float(rng.uniform(limit - span, 0.0))
    return float(np.clip(begin, 0.0, limit - span))


def _window(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    inner = image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    pads = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(pads):
        return np.asarray(cv2.copyMakeBorder(inner, *pads, cv2.BORDER_CONSTANT, value=(127,) * 3), np.uint8)
    return inner


def _resize(array: NDArray[N], side: int) -> NDArray[N]:
    shrinks = array.shape[0] > side or array.shape[1] > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(array), (side, side), interpolation=interpolation)
    return np.asarray(resized, array.dtype)


def _paste_cutout(
    canvas: _Canvas, cutouts: CutoutLibrary, settings: CropSettings, rng: np.random.Generator
) -> None:
    size = settings.size
    cutout = cutouts.draw(int(size * np.exp(rng.uniform(np.log(0.15), np.log(0.85)))), rng)
    cutout[:, :, :3] = jitter_colors(np.ascontiguousarray(cutout[:, :, :3]), settings.jitter, rng)
    left = int(rng.integers(-cutout.shape[1] // 4, size - (3 * cutout.shape[1]) // 4 + 1))
    top = int(rng.integers(-cutout.shape[0] // 4, size - (3 * cutout.shape[0]) // 4 + 1))
    canvas.image, alpha = paste(canvas.image, cutout, left, top)
    coverage = _resize(alpha, size // settings.mask_stride)
    canvas.masks = [m * (1.0 - coverage) for m in canvas.masks]
    canvas.masks.append(coverage)
    canvas.categories.append(settings.cutout_category)
    canvas.whole.append(True)
    canvas.has_mask.append(True)


def _finish(canvas: _Canvas, settings: CropSettings, rng: np.random.Generator) -> tuple[Tensor, CropTarget]:
    exhaustive = canvas.exhaustive
    keep = [i for i, m in enumerate(canvas.masks) if float(m.max(initial=0.0)) >= 0.5]
    if len(keep) > settings.max_objects:
        keep = sorted(int(i) for i in rng.choice(keep, settings.max_objects, replace=False))
        exhaustive = False
    side = settings.size // settings.mask_stride
    masks = np.stack([canvas.masks[i] for i in keep]) if keep else np.zeros((0, side, side), np.float32)
    target = CropTarget(
        masks=torch.from_numpy(np.ascontiguousarray(masks, dtype=np.float32)),
        categories=torch.tensor([canvas.categories[i] for i in keep], dtype=torch.int64),
        exhaustive=exhaustive,
        whole=torch.tensor([canvas.whole[i] for i in keep], dtype=torch.bool),
        has_mask=torch.tensor([canvas.has_mask[i] for i in keep], dtype=torch.bool),
    )
    return torch.from_numpy(np.ascontiguousarray(canvas.image.transpose(2, 0, 1))), target
