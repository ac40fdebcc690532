"""Objects of the sample photographs in white: it must look like white, not like grey."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from app.recolor.engine import apply_operations
from converters.annotation import Mask, RecolorOperation
from converters.files.images import read_image

SAMPLES = Path(__file__).resolve().parents[4] / "resources" / "samples"

# The box an object lies in, (x0, y0, x1, y1), and the hue (OpenCV's, 0 to 180) that it stays below.
OBJECTS = {
    "coffee.jpg": ((70, 150, 490, 390), 9),
    "astronaut.jpg": ((0, 180, 360, 512), 14),
    "chelsea.jpg": ((60, 20, 360, 280), 25),
    "rocket.jpg": ((308, 160, 332, 390), 40),
}


@lru_cache
def photograph(name):
    """A picture and the largest patch of its object's colour: saucer, suit, cat, rocket."""
    picture = read_image(SAMPLES / name)
    (x0, y0, x1, y1), hue = OBJECTS[name]
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    alike = np.zeros(picture.shape[:2], np.uint8)
    alike[y0:y1, x0:x1] = cv2.inRange(hsv, (0, 60, 60), (hue, 255, 255))[y0:y1, x0:x1]
    alike = cv2.morphologyEx(alike, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(alike)
    return picture, parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])


def in_color(name, color, quality="final"):
    """CIELAB (N, 3) of the object's inside before and after, and its pixels after."""
    picture, member = photograph(name)
    mask = Mask.from_full(member)
    result = apply_operations(picture, [(mask, RecolorOperation(color))], quality=quality)
    inside = cv2.erode(member.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return rgb2lab(picture)[inside], rgb2lab(result)[inside], result[inside]


@pytest.mark.parametrize("quality", ["final", "preview"])
@pytest.mark.parametrize("name", OBJECTS)
def test_white_looks_white_and_keeps_its_shading(name, quality):
    before, after, codes = in_color(name, "#ffffff", quality)
    assert np.percentile(after[:, 0], 60) > 93, "the lit surface is paper white"
    assert np.median(np.hypot(after[:, 1], after[:, 2])) < 4, "and has no tint"
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.8, "what was darker is darker"
    low, high = np.percentile(after[:, 0], (10, 60))
    assert high - low > 12, "shadows stay"
    assert (codes == 255).all(axis=1).mean() < 0.12, "little is burnt out"


@pytest.mark.parametrize("name", OBJECTS)
def test_lighter_is_lighter_up_to_white(name):
    """The palette's white and what lies around it are told apart where the object is lit."""
    shades = ("#c8c8c8", "#e0e0e0", "#f4f4f2", "#ffffff")
    lit = [np.percentile(in_color(name, color, "preview")[1][:, 0], 60) for color in shades]
    assert (np.diff(lit) > 0.5).all()
    assert lit[-2] > 91.5
