"""Where pasted cut-outs go: anywhere in a crop, or beside a copy of themselves so that they touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.data.object_cutouts import Cutout

Place: TypeAlias = tuple[int, int]  # left, top, pixels of the crop; negative where it hangs over

COPIES = 3
SMALLEST_COPY = 0.75  # of the cut-out's size
DISTANCES = (0.45, 1.0)  # of a copy, as shares of the one at which the two frames just touch
NEAREST, APPROACHES = 0.15, 8  # frames may touch where shapes do not: move nearer, so far, in so many steps
SOLID = 128  # alpha from which on a pixel counts as the object's
COARSE = 4  # pixels; contact is looked for on every so manieth row and column


def draw_place(cutout: Cutout, size: int, rng: np.random.Generator) -> Place:
    """Somewhere in a crop of `size` pixels, at most a quarter of the cut-out hanging over."""
    height, width = cutout.rgba.shape[:2]
    left = int(rng.integers(-width // 4, size - (3 * width) // 4 + 1))
    top = int(rng.integers(-height // 4, size - (3 * height) // 4 + 1))
    return left, top


def draw_copies(cutout: Cutout, rng: np.random.Generator) -> list[Cutout]:
    """The cut-out and slightly smaller copies, some of them mirrored, in random order."""
    scales = np.exp(rng.uniform(np.log(SMALLEST_COPY), 0.0, COPIES - 1))
    copies = [cutout.resized(max(2, round(cutout.long_side * float(scale)))) for scale in scales]
    copies = [cutout, *(copy.mirrored() if rng.random() < 0.5 else copy for copy in copies)]
    return [copies[int(i)] for i in rng.permutation(COPIES)]


def draw_place_beside(
    first: Cutout, place: Place, second: Cutout, size: int, rng: np.random.Generator
) -> Place:
    """A place where the second touches or overlaps the first, which lies at `place`."""
    frames = np.array([c.rgba.shape[1::-1] for c in (first, second)], np.float64)
    middle = place + frames[0] / 2
    angle = rng.uniform(0.0, 2 * np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    touching = float(np.min(frames.sum(axis=0) / 2 / np.maximum(np.abs(direction), 1e-6)))
    away = touching * direction
    out_of_sight = (middle + away < 0) | (middle + away > size)
    away = np.where(out_of_sight, -away, away)
    spot = place
    for share in np.linspace(rng.uniform(*DISTANCES), NEAREST, APPROACHES):
        left, top = np.rint(middle + share * away - frames[1] / 2)
        spot = int(left), int(top)
        if _touch(first.rgba[:, :, 3], place, second.rgba[:, :, 3], spot):
            break
    return spot


def _touch(a: NDArray[np.uint8], a_place: Place, b: NDArray[np.uint8], b_place: Place) -> bool:
    """Whether two (h, w) uint8 alphas have solid pixels in common."""
    x0, y0 = max(a_place[0], b_place[0]), max(a_place[1], b_place[1])
    x1 = min(a_place[0] + a.shape[1], b_place[0] + b.shape[1])
    y1 = min(a_place[1] + a.shape[0], b_place[1] + b.shape[0])
    if x0 >= x1 or y0 >= y1:
        return False
    pieces = (
        alpha[y0 - top : y1 - top : COARSE, x0 - left : x1 - left : COARSE] >= SOLID
        for alpha, (left, top) in ((a, a_place), (b, b_place))
    )
    first, second = pieces
    return bool((first & second).any())
