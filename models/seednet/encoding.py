"""SeedNet behind the segmenter's face: encode once, then every click is a distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.grid.frame import GridFrame, mark_seeds
from models.seednet.automatic import find_instances
from models.seednet.click.answers import ClickAnswers, up_to_last_positive
from models.seednet.click.mending import kernel, mend
from models.seednet.click.outline import PULL, EdgeGuide
from models.seednet.click.seed_answer import Grid, Hypothesis, SeedAnswer, most_believed
from models.seednet.click.speckles import remove_specks
from models.seednet.similar import AppearanceMap, SimilarityFinder
from models.segmenter import (
    LEAST_SIMILARITY,
    Appearance,
    Encoding,
    Prediction,
    Region,
    clip_region,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from converters.annotation import Mask, Seed
    from models.seednet.features import SeedFeatures, SeedView
    from models.seednet.network import SeedNet

KEPT_MAPS = 4  # for the screen: before and after negative clicks, and what a click of either sign would give
KEPT_PIXELS = 8_000_000  # of all of them together; about what the largest screens show


@dataclass(frozen=True, slots=True)
class _KeptPixels:
    """A similarity that a turn of τ or a negative seed asks for again: a map and what it was asked with."""

    key: tuple[tuple[Seed, ...], int, Region, tuple[int, int]]
    map: Grid


class SeedNetEncoding(Encoding):
    """The features of one picture; see `Encoding` for the face."""

    def __init__(
        self,
        network: SeedNet,
        features: SeedFeatures,
        mirror: SeedView,
        frame: GridFrame,
        guide: EdgeGuide,
        version: str,
    ) -> None:
        self.height, self.width = guide.picture_size
        self.region, self.input_side = frame.region, frame.input_side
        self.version = version
        self.level_count = network.config.levels
        self._network = network
        self._features = features
        self._frame = frame
        self._answers = ClickAnswers(network, features, mirror, frame)
        self._guide = guide
        self._kept: tuple[_KeptPixels, ...] = ()
        self._finder: SimilarityFinder | None = None

    @property
    def nbytes(self) -> int:
        candidates = self._finder.nbytes if self._finder is not None else 0
        pixels = sum(kept.map.nbytes for kept in self._kept)
        return self._answers.nbytes + candidates + pixels + self._guide.nbytes

    def answer_points(self, points: Sequence[tuple[float, float]]) -> list[SeedAnswer]:
        """Nested masks for picture coordinates (x, y), all in one pass, each sorted by area."""
        return self._answers.at_points(points)

    def _hypotheses(
        self, clicks: Sequence[Seed], seeds: Sequence[Seed]
    ) -> list[tuple[SeedAnswer, list[Hypothesis]]]:
        """Of some of several clicks: the answer, and each level's best threshold in the others' light."""
        out = []
        for click, answer in zip(clicks, self._answers.answers(clicks, seeds), strict=True):
            others = [
                (s.positive == click.positive, self._answers.cell(s.x, s.y)) for s in seeds if s != click
            ]
            out.append((answer, answer.best_per_level(answer.disagreement(others))))
        return out

    def _first(self, seeds: Sequence[Seed], level: int | None) -> tuple[SeedAnswer, Hypothesis]:
        """The first positive seed's answer, and the hypothesis of a level, or the most believed of all."""
        first = next(s for s in seeds if s.positive)
        [(answer, hypotheses)] = self._hypotheses([first], seeds)
        if level is not None:
            return answer, hypotheses[min(max(level, 0), self.level_count - 1)]
        return answer, most_believed(hypotheses)

    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        [(_, hypotheses)] = self._hypotheses([first], seeds)
        return tuple(min(max(h.score, 0.0), 1.0) for h in hypotheses)

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        self.check_seeds(seeds)
        answer, hypothesis = self._first(seeds, level)
        return answer.tau(hypothesis)

    def reach(self, seed: Seed, tau: float, level: int) -> Region:
        """The part of the picture outside of which a click's mask has no pixel."""
        grid, _ = self._similarity_on_grid([seed], level)
        return self._frame.region_around(grid >= tau - PULL)  # the outline may be pulled that far

    def _similarity_on_grid(self, seeds: Sequence[Seed], level: int) -> tuple[Grid, float]:
        """(h, w): the first positive seed's similarity, mended by the other clicks, without specks; and
        the threshold it is suggested with."""
        answer, hypothesis = self._first(seeds, level)
        cells = [self._answers.cell(s.x, s.y) for s in seeds]
        field = answer.logits[hypothesis.level] - np.float32(hypothesis.threshold)
        if len(seeds) > 1:

            def kernels(clicks: Sequence[int]) -> list[Grid]:
                found = self._hypotheses([seeds[j] for j in clicks], seeds)
                return [
                    kernel(a, most_believed(h), cells[j]) for j, (a, h) in zip(clicks, found, strict=True)
                ]

            field = mend(field, kernels, cells, [s.positive for s in seeds])
        return answer.similarity(hypothesis, remove_specks(field, cells)), answer.tau(hypothesis)

    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        self.check_seeds(seeds)
        wanted = clip_region(region, self.height, self.width)
        size = size or (wanted[3] - wanted[1], wanted[2] - wanted[0])
        if level is None:
            level = self._first(seeds, None)[1].level
        grown = up_to_last_positive(seeds)
        out = self._kept_pixels(grown, level, wanted, size).copy()
        if len(grown) < len(seeds):  # a negative seed only ever takes away from what was there
            out = np.minimum(out, self._kept_pixels(seeds, level, wanted, size), out=out)
        mark_seeds(out, [s for s in seeds if not s.positive], wanted, 0.0)
        mark_seeds(out, [s for s in seeds if s.positive], wanted, 1.0)
        return out

    def _kept_pixels(self, seeds: Sequence[Seed], level: int, wanted: Region, size: tuple[int, int]) -> Grid:
        """`_pixels`, not to be changed; of previews the last ones are kept."""
        key = tuple(seeds), level, wanted, size
        found = next((known for known in self._kept if known.key == key), None)
        if found is None:
            found = _KeptPixels(key, self._pixels(seeds, level, wanted, size))
        kept: list[_KeptPixels] = []
        for known in (found, *(known for known in self._kept if known is not found)):  # the newest first
            if len(kept) < KEPT_MAPS and known.map.size + sum(k.map.size for k in kept) <= KEPT_PIXELS:
                kept.append(known)
        self._kept = tuple(kept)
        return found.map

    def _pixels(self, seeds: Sequence[Seed], level: int, wanted: Region, size: tuple[int, int]) -> Grid:
        """`_similarity_on_grid` at the picture's resolution, its border on the picture's edges."""
        grid, tau = self._similarity_on_grid(seeds, level)
        x0, y0, x1, y1 = wanted
        if size != (y1 - y0, x1 - x0):
            return self._guide.pull(self._frame.resample(grid, wanted, size, outside=0.0), grid, tau, wanted)
        # The guide looks at a pixel's neighbours, also at those outside the part that is wanted.
        wide = max(0, x0 - 1), max(0, y0 - 1), min(self.width, x1 + 1), min(self.height, y1 + 1)
        shape = (wide[3] - wide[1], wide[2] - wide[0])
        out = self._guide.pull(self._frame.resample(grid, wide, shape, outside=0.0), grid, tau, wide)
        return np.ascontiguousarray(out[y0 - wide[1] : y1 - wide[1], x0 - wide[0] : x1 - wide[0]])

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        return find_instances(
            self, self._frame, self._answers.seediness, min_score=min_score, max_count=max_count
        )

    def _similarity_finder(self) -> SimilarityFinder:
        if self._finder is None:
            features = self._features.backbone[0].float().cpu().numpy()
            self._finder = SimilarityFinder(AppearanceMap(features, self._frame), self._answers.seediness)
        return self._finder

    def appearance(self, objects: Sequence[Mask]) -> Appearance:
        return self._similarity_finder().describe(self, objects)

    def find_similar(
        self,
        reference: Appearance,
        *,
        known: Sequence[Mask] = (),
        elsewhere: bool = False,
        min_similarity: float = LEAST_SIMILARITY,
        max_count: int = 100,
    ) -> list[Prediction]:
        self.check_reference(reference)
        return self._similarity_finder().find(
            self,
            reference,
            known=known,
            elsewhere=elsewhere,
            min_similarity=min_similarity,
            max_count=max_count,
        )
