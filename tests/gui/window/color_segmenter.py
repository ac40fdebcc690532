"""A small segmenter with the face of `models.Segmenter`: regions of similar colour, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from converters.annotation import Mask, Seed

if TYPE_CHECKING:
    import threading

LEVELS = (0.55, 0.8, 0.7)


@dataclass(frozen=True)
class Found:
    mask: Mask
    label: str | None
    score: float
    mask_score: float
    seed: Seed
    tau: float
    level: int | None = None
    region: tuple[int, int, int, int] | None = None


class ColorEncoding:
    """Similarity is the closeness of colour to the seeds' mean colour."""

    level_count = 3
    version = "color-1"
    input_side = 768

    def __init__(self, image, region=None):
        self.image = image.astype(np.float32) / 255
        self.height, self.width = image.shape[:2]
        self.region = region or (0, 0, self.width, self.height)
        self.nbytes = self.image.nbytes

    def similarity(self, seeds, level=None, region=None, size=None):
        level = int(np.argmax(LEVELS)) if level is None else level
        x0, y0, x1, y1 = region or self.region
        rows, columns = size or (y1 - y0, x1 - x0)
        ys = (y0 + (np.arange(rows) + 0.5) * (y1 - y0) / rows).astype(int)
        xs = (x0 + (np.arange(columns) + 0.5) * (x1 - x0) / columns).astype(int)
        part = self.image[np.ix_(ys, xs)]
        colors = [self.image[int(s.y), int(s.x)] for s in seeds if s.positive]
        distance = np.min([np.abs(part - color).sum(axis=2) for color in colors], axis=0)
        return np.exp(-distance * (3 - level)).astype(np.float32)

    def suggest_tau(self, seeds, level=None):
        return 0.42

    def level_scores(self, seeds):
        return LEVELS

    def mask(self, seeds, tau=None, level=None, region=None, size=None):
        return self.similarity(seeds, level, region, size) >= (
            self.suggest_tau(seeds) if tau is None else tau
        )

    def instances(self, min_score=0.5, max_count=100):
        found = []
        for number, (x, y) in enumerate(((0.5, 0.4), (0.2, 0.8), (0.85, 0.75))):
            seed = Seed(x * self.width, y * self.height)
            mask = Mask.from_full(self.mask([seed], 0.6))
            found.append(Found(mask, None, 0.9 - 0.25 * number, 0.8, seed, 0.6))
        return [each for each in found if each.score >= min_score][:max_count]

    def appearance(self, objects):
        """The mean colour of each object."""
        return [self.image[mask.to_full(self.height, self.width)].mean(axis=0) for mask in objects]

    def find_similar(self, reference, *, known=(), elsewhere=False, min_similarity=0.1, max_count=100):
        """What stands out from the grey ground, by how near its colour is."""
        stands_out = np.abs(self.image - 120 / 255).sum(axis=2) > 0.1
        count, parts = cv2.connectedComponents(stands_out.astype(np.uint8))
        found = []
        for part in range(1, count):
            mask = Mask.from_full(parts == part)
            if any((mask.array & other.window(mask.box)).any() for other in known):
                continue
            shade = self.image[parts == part].mean(axis=0)
            score = float(np.exp(-3 * min(np.abs(shade - color).sum() for color in reference)))
            if score >= min_similarity:
                x0, y0, x1, y1 = mask.box
                found.append(Found(mask, None, score, 0.9, Seed((x0 + x1) / 2, (y0 + y1) / 2), 0.6, 1))
        return sorted(found, key=lambda each: -each.score)[:max_count]


class ColorSegmenter:
    """`gate`, when given, holds every encoding back until it is set."""

    name = "seednet"
    version = "color-1"
    categories = ()
    device = "cpu"
    notice = ""

    def __init__(self, gate: threading.Event | None = None):
        self.gate = gate
        self.encoded = 0

    def encode(self, image, region=None, should_stop=None):
        while self.gate is not None and not self.gate.wait(0.01):
            if should_stop is not None and should_stop():
                raise RuntimeError("cancelled")
        self.encoded += 1
        return ColorEncoding(image, region)


def color_engine(gate: threading.Event | None = None):
    """An inference engine that loads a ColorSegmenter; its `segmenter` is there to be asked."""
    from app.workers.inference import InferenceEngine
    from app.workers.requests import LoadModel, ModelChoice

    segmenter = ColorSegmenter(gate)

    def load(name, *, weights=None):
        return segmenter

    def choices(request):
        own = ModelChoice("color-1", "Colour", LoadModel("seednet"), True)
        return (own,)

    engine = InferenceEngine(load, choices)
    engine.segmenter = segmenter
    return engine
