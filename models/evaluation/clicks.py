"""How good a mask is after one click, and how many clicks mend it.

One click: the seed is the point of the object farthest from its border. Reported are the mean IoU at
the suggested threshold and the level the network chooses, at the best threshold of that level, and at the
best level and threshold (what a perfect chooser would reach); and how well the outline of the suggested
mask follows the true one (boundary F-score at 2 pixels).

NoC@85 and NoC@90: mean number of clicks until the IoU reaches 0.85 or 0.90, at most 20. The next click
falls on the deepest point of the larger error, as in the protocol of RITM (Sofiiuk et al., 2021).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from converters.annotation import Seed
from models.evaluation.boundary import boundary_f_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.data.dataset import AnnotatedPicture, Dataset
    from models.segmenter import Encoding, Segmenter

BoolImage = NDArray[np.bool_]

MIN_AREA_SHARE = 0.002
MAX_CLICKS = 20
HISTOGRAM_BINS = 512


@dataclass(frozen=True, slots=True)
class ClickScore:
    """One object's result.

    Attributes:
        iou: at the suggested τ and the chosen level.
        best_tau_iou: at the best τ of the chosen level.
        best_level_iou: at the best level, its suggested τ.
        best_iou: at the best level and τ.
        boundary_f: of the mask at the suggested τ and the chosen level, at 2 pixels.
        area_share: size of the object as a share of the picture.
        clicks_85, clicks_90: clicks needed; MAX_CLICKS if never reached; 0 if not measured.
    """

    label: str
    area_share: float
    iou: float
    best_tau_iou: float
    best_level_iou: float
    best_iou: float
    boundary_f: float = 0.0
    clicks_85: int = 0
    clicks_90: int = 0


@dataclass(frozen=True, slots=True)
class ClickReport:
    """Means over objects."""

    objects: int
    pictures: int
    iou: float
    best_tau_iou: float
    best_level_iou: float
    best_iou: float
    boundary_f: float
    noc_85: float | None
    noc_90: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def deepest_point(mask: BoolImage) -> tuple[int, int]:
    """(row, column) of the pixel farthest from the region's border and from the picture's edge."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 0)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)


def mask_iou(a: BoolImage, b: BoolImage) -> float:
    """Intersection over union; 1 for two empty masks."""
    either = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / either if either else 1.0


def best_threshold_iou(similarity: NDArray[np.float32], truth: BoolImage) -> float:
    """The largest IoU that any threshold on `similarity` reaches, by a histogram of 512 steps."""
    bins = np.minimum((similarity * HISTOGRAM_BINS).astype(np.int32), HISTOGRAM_BINS - 1)
    inside = np.bincount(bins[truth], minlength=HISTOGRAM_BINS)[::-1].cumsum()
    every = np.bincount(bins.ravel(), minlength=HISTOGRAM_BINS)[::-1].cumsum()
    union = every + np.count_nonzero(truth) - inside
    return float((inside / np.maximum(union, 1)).max())


def next_click(prediction: BoolImage, truth: BoolImage, taken: BoolImage) -> Seed | None:
    """The deepest point of the larger error region; None if every error pixel was clicked already."""
    depths = []
    for error in (truth & ~prediction, prediction & ~truth):
        depth = cv2.distanceTransform(np.pad(error, 1).astype(np.uint8), cv2.DIST_L2, 0)[1:-1, 1:-1]
        depths.append(np.where(taken, 0.0, depth))
    missing, surplus = depths
    positive = bool(missing.max() > surplus.max())
    chosen = missing if positive else surplus
    if chosen.max() <= 0.0:
        return None
    row, column = np.unravel_index(int(chosen.argmax()), chosen.shape)
    taken[row, column] = True
    return Seed(float(column) + 0.5, float(row) + 0.5, positive)


def count_clicks(encoding: Encoding, truth: BoolImage, targets: Sequence[float]) -> tuple[int, ...]:
    """Clicks needed to reach each target IoU, at most MAX_CLICKS."""
    seeds: list[Seed] = []
    prediction = np.zeros_like(truth)
    taken = np.zeros_like(truth)
    needed = [MAX_CLICKS] * len(targets)
    for count in range(1, MAX_CLICKS + 1):
        seed = next_click(prediction, truth, taken)
        if seed is None:
            break
        seeds.append(seed)
        prediction = encoding.mask(seeds)
        reached = mask_iou(prediction, truth)
        needed = [
            min(n, count) if reached >= target else n for n, target in zip(needed, targets, strict=True)
        ]
        if max(needed) <= count:
            break
    return tuple(needed)


def score_object(encoding: Encoding, truth: BoolImage, label: str, *, count: bool) -> ClickScore:
    """Measure one object of an encoded picture."""
    row, column = deepest_point(truth)
    seeds = [Seed(column + 0.5, row + 0.5)]
    levels = range(encoding.level_count)
    maps = [encoding.similarity(seeds, level) for level in levels]
    ious = [mask_iou(m >= encoding.suggest_tau(seeds, k), truth) for k, m in zip(levels, maps, strict=True)]
    best = [best_threshold_iou(m, truth) for m in maps]
    chosen = int(np.argmax(encoding.level_scores(seeds)))
    suggested = encoding.mask(seeds)
    clicks = count_clicks(encoding, truth, (0.85, 0.90)) if count else (0, 0)
    return ClickScore(
        label=label,
        area_share=float(truth.mean()),
        iou=mask_iou(suggested, truth),
        best_tau_iou=best[chosen],
        best_level_iou=max(ious),
        best_iou=max(best),
        boundary_f=boundary_f_score(suggested, truth),
        clicks_85=clicks[0],
        clicks_90=clicks[1],
    )


def evaluate_picture(
    segmenter: Segmenter, picture: AnnotatedPicture, categories: Sequence[str], *, count: bool
) -> list[ClickScore]:
    """Measure every object of a picture that is large enough."""
    truths = [
        (item.mask.to_full(picture.height, picture.width), categories[item.category])
        for item in picture.objects
        if item.has_mask and item.mask.area >= MIN_AREA_SHARE * picture.height * picture.width
    ]
    if not truths:
        return []
    encoding = segmenter.encode(picture.pixels())
    return [score_object(encoding, truth, label, count=count) for truth, label in truths]


def evaluate_clicks(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    count_clicks_needed: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[ClickReport, list[ClickScore]]:
    """Run the protocol over a data set.

    Args:
        count_clicks_needed: also measure NoC, which costs up to 20 masks per object.
        on_progress: receives pictures done and in all.
    """
    scores: list[ClickScore] = []
    for done, picture in enumerate(dataset.pictures):
        if should_stop():
            break
        scores += evaluate_picture(segmenter, picture, dataset.categories, count=count_clicks_needed)
        on_progress(done + 1, len(dataset.pictures))
    return summarize(scores, len(dataset.pictures), counted=count_clicks_needed), scores


def summarize(scores: Sequence[ClickScore], pictures: int, *, counted: bool) -> ClickReport:
    """Means over objects; zeros for an empty list."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(s, name) for s in scores])) if scores else 0.0

    return ClickReport(
        objects=len(scores),
        pictures=pictures,
        iou=mean("iou"),
        best_tau_iou=mean("best_tau_iou"),
        best_level_iou=mean("best_level_iou"),
        best_iou=mean("best_iou"),
        boundary_f=mean("boundary_f"),
        noc_85=mean("clicks_85") if counted else None,
        noc_90=mean("clicks_90") if counted else None,
    )
