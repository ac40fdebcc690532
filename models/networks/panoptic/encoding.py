"""The panoptic network behind the segmenter's face, and the fusion of its two answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.annotation import Mask, Seed
from models.errors import SegmenterError
from models.grid.segmenter import GridSegmenter
from models.layers.detections import Detections
from models.networks.fcn.encoding import STRIDE, FCNEncoding, pooled_probability
from models.networks.panoptic.fusion import PanopticMap, fuse_panoptic
from models.networks.panoptic.network import PanopticNetwork
from models.networks.proposals.encoding import ProposalEncoding
from models.segmenter import Encoding, Prediction, Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.grid.frame import GridFrame

NAME = "panoptic"


class PanopticEncoding(Encoding):
    """Things by their proposals, stuff by its class; see `Encoding` for the face.

    A click on a thing is answered by the proposals under it, any other click by the class of the pixel.
    """

    def __init__(
        self, things: ProposalEncoding, pixels: FCNEncoding, categories: tuple[str, ...], stuff: Sequence[int]
    ) -> None:
        self.height, self.width = things.height, things.width
        self.region, self.version = things.region, things.version
        self.level_count, self.input_side = things.level_count, things.input_side
        self._things, self._pixels = things, pixels
        self._categories, self._stuff = categories, tuple(stuff)

    @property
    def nbytes(self) -> int:
        return self._things.nbytes + self._pixels.nbytes

    def _answering(self, seeds: Sequence[Seed]) -> Encoding:
        """Who answers: the proposals if one covers the first positive seed."""
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        return self._things if self._things.covers(first) else self._pixels

    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        return self._answering(seeds).similarity(seeds, level, region, size)

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        return self._answering(seeds).suggest_tau(seeds, level)

    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        scores = self._answering(seeds).level_scores(seeds)
        return scores + (0.0,) * (self.level_count - len(scores))

    def mask(
        self,
        seeds: Sequence[Seed],
        tau: float | None = None,
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.bool_]:
        return self._answering(seeds).mask(seeds, tau, level, region, size)

    def panoptic(self, min_score: float = 0.5) -> PanopticMap:
        """The whole picture parted into segments; `categories` of the map index the segmenter's."""
        return self._fuse(min_score, 100)[0]

    def _fuse(self, min_score: float, max_count: int) -> tuple[PanopticMap, list[Prediction | None]]:
        things = self._things.instances(min_score, max_count)
        return fuse_panoptic(things, self._pixels.class_map(), self._categories, self._stuff)

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        """The segments of the fusion, best first; they do not overlap.

        What a better neighbour took from a thing is missing from its mask here, and comes back when its
        seed is asked for.
        """
        segments, sources = self._fuse(min_score, max_count)
        found = []
        for number, (category, thing) in enumerate(zip(segments.categories, sources, strict=True), start=1):
            mask = Mask.from_full(segments.ids == number)
            if mask.is_empty:
                continue
            if thing is not None:
                found.append(replace(thing, mask=mask))
                continue
            stuff = self._pixels.predict_part(mask, self._categories[category])
            if stuff.score >= min_score:
                found.append(stuff)
        return sorted(found, key=lambda p: -p.score)[:max_count]


class PanopticSegmenter(GridSegmenter[tuple[Detections, NDArray[np.float16]]]):
    """A loaded panoptic network.

    Attributes:
        stuff: names of the categories that are stuff.
    """

    name = NAME

    def __init__(self, network: PanopticNetwork, *, categories: tuple[str, ...], **facts: Any) -> None:
        config = network.config
        super().__init__(network, categories=categories, **facts)
        self._stuff = config.stuff
        self._thing_names = tuple(categories[i] for i in config.things)
        self.stuff = tuple(categories[i] for i in config.stuff)

    def run_network(self, pixels: Tensor) -> tuple[Detections, NDArray[np.float16]]:
        assert isinstance(self._network, PanopticNetwork)
        things, logits = self._network.detect_both(pixels)
        return things[0], pooled_probability(logits)

    def make_encoding(
        self,
        features: tuple[Detections, NDArray[np.float16]],
        frame: GridFrame,
        size: tuple[int, int],
    ) -> PanopticEncoding:
        detections, probability = features
        if not self._thing_names:
            raise SegmenterError("a panoptic network needs at least one category of things.")
        things = ProposalEncoding(detections, frame, size, version=self.version, categories=self._thing_names)
        pixels = FCNEncoding(probability, replace(frame, stride=STRIDE), size, self.version, self.categories)
        return PanopticEncoding(things, pixels, self.categories, self._stuff)
