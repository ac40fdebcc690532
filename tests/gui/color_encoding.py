"""An `Encoding` for tests: similarity by colour, so that what a click must select is plain to see."""

from __future__ import annotations

import numpy as np

from models.segmenter import Encoding, clip_region


class ColorEncoding(Encoding):
    """Levels differ in how fast similarity falls with the distance of colours.

    A pixel of the seed's very colour has similarity 1; every level reaches further than the one
    before. A negative seed claims the pixels that are nearer to its colour than to any positive's.
    """

    level_count = 3
    version = "color-1"
    _REACH = (30.0, 90.0, 270.0)

    def __init__(self, image, region=None):
        self.height, self.width = image.shape[:2]
        self.region = clip_region(region, self.height, self.width)
        self._image = image
        self.asked = []

    @property
    def nbytes(self):
        return self._image.nbytes

    def _distance(self, seeds, part):
        colors = [self._image[int(seed.y), int(seed.x)].astype(np.float32) for seed in seeds]
        return np.min([np.sqrt(((part - color) ** 2).sum(axis=2)) for color in colors], axis=0)

    def _part(self, region, size):
        x0, y0, x1, y1 = region or (0, 0, self.width, self.height)
        rows, columns = size or (y1 - y0, x1 - x0)
        self.asked.append(((x0, y0, x1, y1), (rows, columns)))
        ys = (y0 + (np.arange(rows) + 0.5) * (y1 - y0) / rows).astype(int)
        xs = (x0 + (np.arange(columns) + 0.5) * (x1 - x0) / columns).astype(int)
        return self._image[ys][:, xs].astype(np.float32)

    def similarity(self, seeds, level=None, region=None, size=None):
        self.check_seeds(seeds)
        level = 1 if level is None else level
        part = self._part(region, size)
        near = self._distance([seed for seed in seeds if seed.positive], part)
        return np.exp(-near / self._REACH[level]).astype(np.float32)

    def suggest_tau(self, seeds, level=None):
        self.check_seeds(seeds)
        return 0.5

    def level_scores(self, seeds):
        self.check_seeds(seeds)
        return (0.6, 0.9, 0.3)

    def mask(self, seeds, tau=None, level=None, region=None, size=None):
        similarity = self.similarity(seeds, level, region, size)
        found = similarity >= (self.suggest_tau(seeds) if tau is None else tau)
        negative = [seed for seed in seeds if not seed.positive]
        if negative:
            part = self._part(region, size)
            positive = [seed for seed in seeds if seed.positive]
            found &= self._distance(positive, part) <= self._distance(negative, part)
        return found

    def instances(self, min_score=0.5, max_count=100):
        return []
