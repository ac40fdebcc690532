"""The face every network shows to the window, the commands and Python (DESIGN.md, section 3).

    segmenter = load_segmenter("seednet")
    encoding = segmenter.encode(image)                 # the one expensive step
    mask = encoding.mask([Seed(120, 80)])              # everything after it is cheap

Coordinates are pixels of the whole upright picture, also when only a region was encoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from converters.annotation import Mask, Seed
from models.errors import SeedOutsideError, SegmenterError, ThresholdError

Region: TypeAlias = tuple[int, int, int, int]
RgbImage: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One object found automatically.

    Attributes:
        label: class name, or None from a class-agnostic network.
        score: confidence in [0, 1] that ranks the results.
        mask_score: predicted IoU of the mask in [0, 1].
        seed, tau: asking for `mask([seed], tau)` gives this region again.
        level: the level that answered, for networks with levels.
    """

    mask: Mask
    label: str | None
    score: float
    mask_score: float
    seed: Seed
    tau: float
    level: int | None = None


class Encoding(ABC):
    """One picture (or a region of it), encoded by one version of one model.

    Attributes:
        height, width: of the whole picture, pixels.
        region: the encoded part (x0, y0, x1, y1), half open.
        version: of the model that made it.
        level_count: how many nested answers a seed has.
    """

    height: int
    width: int
    region: Region
    version: str
    level_count: int = 1

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held, for caches bounded by bytes."""

    @abstractmethod
    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        """How much each pixel belongs with the positive seeds.

        Args:
            seeds: at least one positive.
            level: 0 is the smallest answer; None takes the one with the best predicted IoU.
            region: the part of the picture wanted; None is the whole picture.
            size: (rows, columns) of the result, sampled evenly over the region; None is one value per
                pixel. A preview asks for the size it has on the screen.

        Returns:
            (rows, columns) float32 in [0, 1]; 1 at the positive seeds, 0 outside what was encoded.

        Raises:
            SeedOutsideError: a seed does not lie on the encoded part.
        """

    @abstractmethod
    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        """The threshold the network believes in, in (0, 1)."""

    @abstractmethod
    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        """Predicted IoU of each level in [0, 1], small to large."""

    def mask(
        self,
        seeds: Sequence[Seed],
        tau: float | None = None,
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.bool_]:
        """similarity >= tau, minus what the negative seeds claim; arguments as in `similarity`.

        Raises:
            ThresholdError: tau is not strictly between 0 and 1.
            SeedOutsideError: a seed does not lie on the encoded part.
        """
        self.check_seeds(seeds)
        if tau is None:
            tau = self.suggest_tau(seeds, level)
        check_tau(tau)
        similarity = self.similarity(seeds, level, region, size)
        out: NDArray[np.bool_] = similarity >= tau
        if not all(seed.positive for seed in seeds):
            claimed = self.claimed(seeds, clip_region(region, self.height, self.width), similarity.shape)
            if claimed is not None:
                out &= ~(claimed > similarity)
        return out

    def claimed(
        self, seeds: Sequence[Seed], wanted: Region, size: tuple[int, ...]
    ) -> NDArray[np.float32] | None:
        """The negative seeds' own similarity, which wins where it is larger.

        Args:
            seeds: all seeds, at least one of them negative.
            wanted, size: the part of the picture and the result's (rows, columns).

        Returns:
            A map of that size; None if `similarity` has taken the negative seeds into account.
        """
        return None

    @abstractmethod
    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        """Objects found without a click, best first."""

    def check_seeds(self, seeds: Sequence[Seed]) -> None:
        """Raise unless there is a positive seed and every seed lies on the encoded part."""
        if not any(seed.positive for seed in seeds):
            raise SegmenterError("at least one positive seed is needed.")
        x0, y0, x1, y1 = self.region
        for seed in seeds:
            if not (x0 <= seed.x < x1 and y0 <= seed.y < y1):
                raise SeedOutsideError(
                    f"the seed ({seed.x:g}, {seed.y:g}) lies outside the picture's "
                    f"{x1 - x0} x {y1 - y0} pixels from ({x0}, {y0})."
                )


class Segmenter(ABC):
    """A loaded model.

    Attributes:
        name: registry name.
        version: changes with the weights; encodings and suggested thresholds belong to one version.
        categories: class names, empty if class-agnostic.
        device: "cpu", "cuda" or "mps".
        notice: what the user should know about how it runs (for example a fall-back to the CPU), or "".
    """

    name: str
    version: str
    categories: tuple[str, ...] = ()
    device: str = "cpu"
    notice: str = ""

    @abstractmethod
    def encode(
        self,
        image: RgbImage,
        region: Region | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Encoding:
        """Run the network once.

        Args:
            image: (H, W, 3) uint8 RGB, upright, the whole picture.
            region: encode only this part, at the network's full input resolution.

        Raises:
            SegmenterError: not such an array, or an empty region.
            Cancelled: `should_stop` answered True.
        """


def check_image(image: RgbImage) -> None:
    """Raise unless the array is a non-empty (H, W, 3) uint8 picture."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise SegmenterError(
            f"a picture must be an (H, W, 3) uint8 array, got {image.dtype} {tuple(image.shape)}."
        )


def clip_region(region: Region | None, height: int, width: int) -> Region:
    """The region inside the picture; the whole picture for None.

    Raises:
        SegmenterError: nothing of it lies in the picture.
    """
    if region is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = region
    clipped = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise SegmenterError(f"the region {region} lies outside the picture of {width} x {height} pixels.")
    return clipped


def check_tau(tau: float) -> None:
    """Raise unless 0 < tau < 1."""
    if not 0.0 < tau < 1.0:
        raise ThresholdError(f"τ must lie strictly between 0 and 1, got {tau:g}.")
