"""A rendered sphere in several albedos: the true picture of a recoloured object is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from converters.annotation import Mask

ALBEDOS = {
    "red": (0.60, 0.05, 0.04),
    "blue": (0.05, 0.10, 0.55),
    "white": (0.85, 0.85, 0.83),
    "black": (0.030, 0.030, 0.032),
    "yellow": (0.75, 0.55, 0.04),
    "grey": (0.30, 0.30, 0.30),
}
PAIRS = (
    ("red", "blue"),
    ("blue", "red"),
    ("red", "white"),
    ("white", "red"),
    ("black", "white"),
    ("white", "black"),
    ("black", "yellow"),
    ("yellow", "blue"),
    ("grey", "red"),
)
SUPERSAMPLING = 4


def encode(linear):
    """Linear light to sRGB in [0, 1], by the formula of IEC 61966-2-1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class Scene:
    """A sphere with Lambert shading, 18 % texture and a white highlight before a random background.

    Rendered at four times the size and averaged in linear light, so that edge pixels mix as in a photo.
    """

    size: int = 200
    radius: float = 0.36
    noise: float = 0.0  # standard deviation in code values

    def _fine(self):
        size = self.size * SUPERSAMPLING
        axis = (np.arange(size) + 0.5) / size - 0.5
        x, y = np.meshgrid(axis / self.radius, axis / self.radius)
        inside = x * x + y * y < 1
        z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
        return inside, np.stack([x, y, z], axis=-1)

    @lru_cache(maxsize=8)  # noqa: B019  scenes live as long as the tests
    def _shading(self):
        """Diffuse light (with texture) and highlight, at the fine size."""
        inside, normal = self._fine()
        light = np.array([-0.45, -0.55, 0.70])
        light /= np.linalg.norm(light)
        diffuse = 0.12 + 0.78 * np.clip(normal @ light, 0, None)
        reflected = 2 * (normal @ light) * normal[..., 2] - light[2]
        highlight = 0.55 * np.clip(reflected, 0, None) ** 40
        texture = _smooth_noise(inside.shape, sigma=1.5 * SUPERSAMPLING, seed=1)
        return inside, diffuse * (1 + 0.18 * texture), highlight

    @lru_cache(maxsize=8)  # noqa: B019
    def background(self):
        size = self.size * SUPERSAMPLING
        planes = [_smooth_noise((size, size), sigma=6.0 * SUPERSAMPLING, seed=s) for s in (2, 3, 4)]
        return np.clip(0.25 + 0.15 * np.stack(planes, axis=-1), 0.01, 0.9)

    @lru_cache(maxsize=32)  # noqa: B019
    def picture(self, color):
        """(size, size, 3) uint8 sRGB of the sphere in that albedo."""
        inside, diffuse, highlight = self._shading()
        sphere = np.array(ALBEDOS[color]) * diffuse[..., None] + highlight[..., None]
        scene = np.where(inside[..., None], sphere, self.background()).astype(np.float32)
        small = cv2.resize(scene, (self.size, self.size), interpolation=cv2.INTER_AREA)
        codes = 255 * encode(small)
        if self.noise:
            codes = codes + np.random.default_rng(7).normal(0, self.noise, codes.shape)
        return np.clip(np.rint(codes), 0, 255).astype(np.uint8)

    @property
    def coverage(self):
        """(size, size) true share of the sphere in every pixel."""
        inside, _ = self._fine()
        fine = inside.astype(np.float32)
        return cv2.resize(fine, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def mask(self, grow=0):
        """(size, size) bool: the sphere's pixels, grown (or shrunk) by that many pixels."""
        exact = (self.coverage >= 0.5).astype(np.uint8)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grow) + 1,) * 2)
        if grow > 0:
            exact = cv2.dilate(exact, disc)
        elif grow < 0:
            exact = cv2.erode(exact, disc)
        return exact.astype(bool)

    def sphere(self, grow=0):
        """The same as the common form's mask."""
        return Mask.from_full(self.mask(grow))

    @property
    def inside(self):
        """(size, size) bool: wholly covered, away from the edge."""
        return cv2.erode((self.coverage >= 0.999).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)

    @property
    def ring(self):
        """(size, size) bool: within three pixels of the edge."""
        covered = (self.coverage >= 0.5).astype(np.uint8)
        kernel = np.ones((7, 7), np.uint8)
        return (cv2.dilate(covered, kernel) > 0) & (cv2.erode(covered, kernel) == 0)

    def lit_color(self, color):
        """'#rrggbb' of the sphere's surface at the 60th percentile of its diffuse light."""
        inside, diffuse, _ = self._shading()
        level = np.percentile(diffuse[inside], 60)
        red, green, blue = np.rint(255 * encode(np.array(ALBEDOS[color]) * level)).astype(int)
        return f"#{red:02x}{green:02x}{blue:02x}"


def _smooth_noise(shape, *, sigma, seed):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    return noise / noise.std()


def difference(first, second):
    """(H, W) CIEDE2000 between two uint8 sRGB pictures."""
    return deltaE_ciede2000(rgb2lab(first), rgb2lab(second))


@pytest.fixture(scope="session")
def scene():
    return Scene()


@pytest.fixture(scope="session")
def noisy_scene():
    return Scene(noise=1.0)


@pytest.fixture(scope="session")
def pairs():
    return PAIRS


@pytest.fixture(scope="session")
def delta_e():
    return difference


def pytest_generate_tests(metafunc):
    """Tests that ask for `pair` run for all nine pairs of albedos."""
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", PAIRS, ids=["-".join(pair) for pair in PAIRS])
