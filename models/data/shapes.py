"""Generated pictures of coloured shapes with exact masks: a data set made in seconds.

For tests of whether a network learns at all, and for trying a training without downloading anything.
Shapes overlap (the later one hides the earlier one, whose mask is what stays visible), rings have a hole
through which others show, and the background is textured, so that neither colour alone nor position alone
gives an object away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from converters.annotation import Mask
from converters.files.images import write_image
from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Points = NDArray[np.float64]

SHAPE_CATEGORIES = ("circle", "rectangle", "triangle", "star", "ring")
SUPERSAMPLING = 4
VISIBLE_SHARE = 0.4  # a shape that later ones would hide further than this keeps them away
PLACEMENT_TRIALS = 20


def make_shapes(
    folder: Path,
    *,
    count: int = 64,
    size: int = 128,
    objects: tuple[int, int] = (1, 5),
    diameter: tuple[float, float] = (0.18, 0.45),
    categories: Sequence[str] = SHAPE_CATEGORIES,
    seed: int = 0,
) -> Dataset:
    """Write `count` square PNG pictures of shapes into a folder.

    Args:
        folder: made if it does not exist.
        size: side of a picture, pixels.
        objects: smallest and largest number of shapes in a picture.
        diameter: range of the shapes' diameters as shares of the picture's side.
        categories: which of SHAPE_CATEGORIES to draw; their order counts the categories.
        seed: equal arguments give equal pictures.

    Returns:
        An exhaustively annotated data set named "shapes"; a pixel belongs to the mask of the shape that
        covers at least half of it.

    Raises:
        ValueError: a category has no shape.
    """
    unknown = set(categories) - set(SHAPE_CATEGORIES)
    if unknown:
        raise ValueError(f"no such shapes: {', '.join(sorted(unknown))}")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        image, found = _draw_picture(rng, size, objects, diameter, categories)
        path = folder / f"shapes_{seed}_{index:05d}.png"
        write_image(path, image)
        annotated = tuple(AnnotatedObject(mask, category) for mask, category in found)
        pictures.append(AnnotatedPicture(path, size, size, annotated, exhaustive=True))
    return Dataset("shapes", tuple(pictures), tuple(categories))


def _draw_picture(
    rng: np.random.Generator,
    size: int,
    objects: tuple[int, int],
    diameter: tuple[float, float],
    categories: Sequence[str],
) -> tuple[NDArray[np.uint8], list[tuple[Mask, int]]]:
    image = _background(rng, size)
    masks: list[NDArray[np.bool_]] = []
    areas: list[int] = []
    labels: list[int] = []
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    for _ in range(PLACEMENT_TRIALS * wanted):
        if len(masks) == wanted:
            break
        category = int(rng.integers(len(categories)))
        coverage = _draw_shape(rng, size, diameter, categories[category])
        covered = coverage >= 0.5
        visible = [np.count_nonzero(m & ~covered) for m in masks]
        if any(v < VISIBLE_SHARE * a for v, a in zip(visible, areas, strict=True)):
            continue
        color = _vivid_color(rng) + _texture(rng, size, strength=10.0)[:, :, None]
        image = image * (1.0 - coverage[:, :, None]) + color * coverage[:, :, None]
        masks = [m & ~covered for m in masks] + [covered]
        areas.append(int(np.count_nonzero(covered)))
        labels.append(category)
    image += rng.normal(0.0, 4.0, image.shape)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return pixels, [(Mask.from_full(m), label) for m, label in zip(masks, labels, strict=True)]


def _background(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """A dull colour that drifts across the picture, with stripes or blotches on it."""
    base = rng.uniform(60.0, 190.0) + rng.uniform(-25.0, 25.0, 3)
    ramp = np.linspace(-1.0, 1.0, size)
    drift = ramp[:, None] * rng.uniform(-25.0, 25.0) + ramp[None, :] * rng.uniform(-25.0, 25.0)
    return base + (drift + _texture(rng, size, strength=18.0))[:, :, None]


def _texture(rng: np.random.Generator, size: int, *, strength: float) -> NDArray[np.float64]:
    """(size, size) stripes or blotches, about within ± `strength`."""
    if rng.random() < 0.5:
        ys, xs = np.mgrid[0:size, 0:size]
        angle, period = rng.uniform(0.0, np.pi), rng.uniform(5.0, 20.0)
        phase = (xs * np.cos(angle) + ys * np.sin(angle)) * 2.0 * np.pi / period
        return np.asarray(strength * np.sin(phase + rng.uniform(0.0, 2.0 * np.pi)), np.float64)
    blotches = cv2.GaussianBlur(rng.normal(0.0, 1.0, (size, size)), (0, 0), rng.uniform(1.0, 5.0))
    return np.asarray(strength * blotches / max(float(np.abs(blotches).max()), 1e-6), np.float64)


def _vivid_color(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) RGB of high saturation, so that a shape stands out from the dull background."""
    hsv = np.array([[[rng.integers(180), rng.integers(170, 256), rng.integers(130, 256)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def _draw_shape(
    rng: np.random.Generator, size: int, diameter: tuple[float, float], category: str
) -> NDArray[np.float64]:
    """(size, size) coverage in [0, 1] of a shape that lies inside the picture."""
    radius = 0.5 * size * rng.uniform(*diameter)
    center = rng.uniform(radius, size - radius, 2)
    rings = [ring * radius + center for ring in OUTLINES[category](rng)]
    canvas = np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING), np.uint8)
    # fillPoly's vertices are pixel centres, hence the half pixel; `shift` keeps four fractional bits.
    fixed = [np.rint((ring * SUPERSAMPLING - 0.5) * 16.0).astype(np.int32) for ring in rings]
    cv2.fillPoly(canvas, fixed, 255, shift=4)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64) / 255.0


def _circle(_rng: np.random.Generator) -> list[Points]:
    angle = np.linspace(0.0, 2.0 * np.pi, 96, endpoint=False)
    return [np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def _rectangle(rng: np.random.Generator) -> list[Points]:
    half = np.arctan(rng.uniform(0.45, 1.0))
    angle = np.array([half, np.pi - half, np.pi + half, -half]) + rng.uniform(0.0, np.pi)
    return [np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def _triangle(rng: np.random.Generator) -> list[Points]:
    angle = np.array([0.0, 2.0, 4.0]) * np.pi / 3.0 + rng.uniform(0.0, 2.0 * np.pi)
    return [np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def _star(rng: np.random.Generator) -> list[Points]:
    angle = np.arange(10) * np.pi / 5.0 + rng.uniform(0.0, 2.0 * np.pi)
    reach = np.where(np.arange(10) % 2 == 0, 1.0, 0.5)
    return [np.stack([np.cos(angle) * reach, np.sin(angle) * reach], axis=1)]


def _ring(rng: np.random.Generator) -> list[Points]:
    outer = _circle(rng)[0]
    return [outer, outer * rng.uniform(0.45, 0.6)]


OUTLINES: dict[str, Callable[[np.random.Generator], list[Points]]] = {
    "circle": _circle,
    "rectangle": _rectangle,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
}
