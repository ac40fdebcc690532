"""Changes of colour and sharpness that a photograph survives; every function keeps shape and dtype."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

JPEG_QUALITY = (25, 75)  # from visible blocks to what most cameras and web sites write


@dataclass(frozen=True, slots=True)
class ColorJitter:
    """Largest relative change of each property; 0 switches it off."""

    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.35
    hue_degrees: float = 12.0
    grey_probability: float = 0.05
    blur_probability: float = 0.08
    noise_probability: float = 0.08
    jpeg_probability: float = 0.08

    def times(self, factor: float) -> ColorJitter:
        """Every change so many times as large, or as likely."""
        return ColorJitter(**{name: factor * value for name, value in asdict(self).items()})


def jitter_colors(image: Image, jitter: ColorJitter, rng: np.random.Generator) -> Image:
    """(H, W, 3) uint8 RGB with random changes of colour, blur, noise and JPEG artefacts."""
    gain = 1.0 + rng.uniform(-jitter.contrast, jitter.contrast)
    offset = 255.0 * rng.uniform(-jitter.brightness, jitter.brightness) * 0.5
    levels = np.arange(256, dtype=np.float32)
    table = np.clip((levels - 127.5) * gain + 127.5 + offset, 0, 255).astype(np.uint8)
    out = np.asarray(cv2.LUT(image, table), np.uint8)
    out = _jitter_hue_and_saturation(out, jitter, rng)
    if rng.random() < jitter.grey_probability:
        out = np.repeat(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    if rng.random() < jitter.blur_probability:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.6)), np.uint8)
    if rng.random() < jitter.noise_probability:
        noise = rng.normal(0.0, rng.uniform(2.0, 10.0), out.shape[:2]).astype(np.float32)
        out = np.clip(out + noise[:, :, None], 0, 255).astype(np.uint8)
    if rng.random() < jitter.jpeg_probability:
        out = _compress(out, int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1)))
    return np.ascontiguousarray(out)


def _compress(image: Image, quality: int) -> Image:
    """What an (H, W, 3) uint8 RGB picture looks like after it was stored as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    stored = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)


def _jitter_hue_and_saturation(image: Image, jitter: ColorJitter, rng: np.random.Generator) -> Image:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    # OpenCV keeps hue in half degrees, 0..179.
    shift = round(rng.uniform(-jitter.hue_degrees, jitter.hue_degrees) / 2)
    gain = 1.0 + rng.uniform(-jitter.saturation, jitter.saturation)
    table = np.stack([(levels + shift) % 180, np.clip(levels * gain, 0, 255), levels], axis=1).astype(
        np.uint8
    )
    return np.asarray(cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB), np.uint8)
