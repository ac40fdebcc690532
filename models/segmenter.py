"""The face every network shows to the window, the commands and Python (docs/architecture.md).

    segmenter = load_segmenter("seednet")
    encoding = segmenter.encode(image)                 # the one expensive step
    mask = encoding.mask([Seed(120, 80)])              # everything after it is cheap

Coordinates are pixels of the whole upright picture, also when only a region was encoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converters.shapes.geometry import mask_iou
from models.errors import SeedOutsideError, SegmenterError, ThresholdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from converters.annotation import Mask, Seed

Region: TypeAlias = tuple[int, int, int, int]
RgbImage: TypeAlias = NDArray[np.uint8]

LEAST_SIMILARITY = 0.1
SIMILAR_FROM = 0.5
SAME_OBJECT_IOU = 0.3
MOSTLY = 0.5  # share of the smaller of two masks from which one object claims both


@dataclass(frozen=True, slots=True)
class Prediction:
    """One object found automatically.

    Attributes:
        label: class name, or None from a class-agnostic network.
        score: confidence in [0, 1] that ranks the results.
        mask_score: predicted IoU of the mask in [0, 1].
        seed, tau: asking for `mask([seed], tau)` gives this region again.
        level: the level that answered, for networks with levels.
        region: the part of the picture whose encoding is to be asked; None for the one that gave this.
    """

    mask: Mask
    label: str | None
    score: float
    mask_score: float
    seed: Seed
    tau: float
    level: int | None = None
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Appearance:
    """What some objects look like, to look for others like them in this and in other pictures.

    Attributes:
        version: of the model that described them; no other can use it.
        labels: class names, for networks that know classes.
        vectors: (N, C) float32, one description per object; C is 0 for networks that only know classes.
        background: (C,) float32, what all of the picture has in common; empty if the network does not tell.
    """

    version: str
    labels: frozenset[str | None] = frozenset()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    background: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


class Encoding(ABC):
    """One picture (or a region of it), encoded by one version of one model.

    Attributes:
        height, width: of the whole picture, pixels.
        region: the encoded part (x0, y0, x1, y1), half open.
        version: of the model that made it.
        level_count: how many nested answers a seed has.
        input_side: longer side of what the network saw of the region, pixels.
    """

    height: int
    width: int
    region: Region
    version: str
    level_count: int = 1
    input_side: int = 768

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
            seeds: at least one positive, in the order in which they were clicked.
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

    def appearance(self, objects: Sequence[Mask]) -> Appearance:
        """Describe objects of this picture, for `find_similar` of this or another one.

        By default: the classes that the network itself sees at their places.
        """
        found = self.instances(min_score=LEAST_SIMILARITY)
        seen = [_overlapping_most(mask, found) for mask in objects]
        return Appearance(self.version, frozenset(p.label for p in seen if p is not None))

    def find_similar(
        self,
        reference: Appearance,
        *,
        known: Sequence[Mask] = (),
        elsewhere: bool = False,
        min_similarity: float = LEAST_SIMILARITY,
        max_count: int = 100,
    ) -> list[Prediction]:
        """Other objects that look like the described ones, the most alike first.

        By default: the objects found without a click that have one of their classes, ranked by score.

        Args:
            reference: what to look for, from `appearance` of any picture by the same model version.
            known: objects of this picture that are not to be found again, such as the described ones.
            elsewhere: the described objects are in another picture, so that there may be none like them
                here: the likeness has to be believed by itself.
            min_similarity: leave out what is less alike.

        Returns:
            Predictions whose score is the similarity in [0, 1], at most `max_count` of them; from
            SIMILAR_FROM on the model itself believes in the likeness.

        Raises:
            SegmenterError: another model version made the description.
        """
        self.check_reference(reference)
        found = self.instances(min_score=min_similarity)
        new = (p for p in found if not any(overlaps(p.mask, mask) for mask in known))
        return [p for p in new if p.label in reference.labels][:max_count]

    def check_reference(self, reference: Appearance) -> None:
        """Raise unless this model version made the description."""
        if reference.version != self.version:
            raise SegmenterError(
                f"{reference.version} described what to look for, but {self.version} is in use now."
            )

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


def overlaps(a: Mask, b: Mask) -> bool:
    """Whether two masks show one object, or one a part of the other."""
    smaller = min(a.area, b.area)
    if smaller == 0 or a.x0 >= b.x1 or b.x0 >= a.x1 or a.y0 >= b.y1 or b.y0 >= a.y1:
        return False
    shared = np.count_nonzero(a.array & b.window(a.box))
    return bool(shared >= MOSTLY * smaller or shared >= SAME_OBJECT_IOU * (a.area + b.area - shared))


def _overlapping_most(mask: Mask, found: Sequence[Prediction]) -> Prediction | None:
    """The prediction that fits a mask best, None if none lies there."""
    best = max(found, key=lambda p: mask_iou(p.mask, mask), default=None)
    return best if best is not None and overlaps(best.mask, mask) else None


def check_tau(tau: float) -> None:
    """Raise unless 0 < tau < 1."""
    if not 0.0 < tau < 1.0:
        raise ThresholdError(f"τ must lie strictly between 0 and 1, got {tau:g}.")
