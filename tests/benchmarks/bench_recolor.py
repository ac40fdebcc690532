"""Timings of the recolouring engine, each beside a reference run of the same process.

The reference is one pass of the sRGB table and back over the same number of pixels: the least that any
recolouring in linear light has to do.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from app.recolor.color_space import to_codes, to_linear
from app.recolor.engine import PreparedObject, prepare, recolor
from converters.annotation import Mask, RecolorOperation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytestmark = pytest.mark.benchmark

RED, BLACK = (170, 40, 30), (30, 30, 32)
CASES = [
    pytest.param(RED, "#2459b8", id="red to blue"),
    pytest.param(BLACK, "#f4f4f2", id="black to white"),
]


@pytest.fixture(autouse=True)
def one_thread():
    """The budgets are for one core."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def ellipse(height: int, width: int, color: tuple[int, int, int]) -> tuple[NDArray[np.uint8], Mask]:
    """A shaded ellipse that fills the picture, and its mask."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = np.hypot((y - height / 2) / (0.49 * height), (x - width / 2) / (0.49 * width))
    shade = 0.2 + 0.8 * np.sqrt(np.clip(1 - radius**2, 0, 1))[..., None]
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 1)).astype(np.float32)
    scene = np.where(radius[..., None] < 1, np.array(color, np.float32) * shade, 120) + noise
    return np.clip(cv2.GaussianBlur(scene, (0, 0), 0.8), 0, 255).astype(np.uint8), Mask.from_full(radius < 1)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def tell(
    title: str, picture: NDArray[np.uint8], work: Callable[[], object], budget: float, repeats: int
) -> None:
    reference = median_ms(lambda: to_codes(to_linear(picture)), repeats)
    took = median_ms(work, repeats)
    print(
        f"\n{title}: {took:.1f} ms (budget {budget:.0f} ms), {took / reference:.1f} times the"
        f" table round trip of the picture ({reference:.1f} ms)"
    )


@pytest.mark.parametrize(("own", "color"), CASES)
def test_preview_of_one_megapixel(own, color):
    picture, mask = ellipse(1000, 1000, own)
    operation = RecolorOperation(color)
    tell(
        "first preview, 1 MP",
        picture,
        lambda: recolor(picture, mask, operation, quality="preview"),
        30,
        9,
    )
    ready: PreparedObject = prepare(picture, mask, quality="preview")
    tell("next preview (slider), 1 MP", picture, lambda: ready.render(operation), 30, 9)


@pytest.mark.parametrize(("own", "color"), CASES)
def test_final_of_one_megapixel(own, color):
    picture, mask = ellipse(1000, 1000, own)
    tell("final, 1 MP", picture, lambda: recolor(picture, mask, RecolorOperation(color)), 300, 5)


@pytest.mark.parametrize(("own", "color"), CASES)
def test_twelve_megapixels(own, color):
    picture, mask = ellipse(3000, 4000, own)
    operation = RecolorOperation(color)
    tell("final, 12 MP", picture, lambda: recolor(picture, mask, operation), 1000, 3)
    tell("preview, 12 MP", picture, lambda: recolor(picture, mask, operation, quality="preview"), 100, 5)
