"""Panoptic segmentations and their quality (Kirillov et al., arXiv 1801.00868).

    PQ = sum of IoU over matched segments / (TP + FP / 2 + FN / 2) = SQ x RQ
    SQ = mean IoU of the matched segments, RQ = TP / (TP + FP / 2 + FN / 2)

Segments match when they are of one class and their IoU exceeds 0.5; then each has at most one partner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.data.dataset import AnnotatedPicture, Dataset
from models.errors import SegmenterError
from models.segmenter import Segmenter

VOID = 0
UNKNOWN = -1
MATCH_IOU = 0.5
MOSTLY_VOID = 0.5  # a predicted segment with more of itself on unknown ground is not held against anyone


@dataclass(frozen=True, slots=True)
class PanopticMap:
    """Every pixel of a picture belongs to one segment, or to none.

    Attributes:
        ids: (H, W) int32; segment i + 1 for the i-th category below, VOID for no segment, UNKNOWN where
            the truth is not known.
        categories: category index of each segment.
    """

    ids: NDArray[np.int32]
    categories: tuple[int, ...]


@dataclass(slots=True)
class PanopticCounts:
    """What has been matched so far, (categories,) each."""

    iou: NDArray[np.float64]
    hits: NDArray[np.int64]
    surplus: NDArray[np.int64]
    missed: NDArray[np.int64]

    @classmethod
    def empty(cls, categories: int) -> PanopticCounts:
        counts = (np.zeros(categories, np.int64) for _ in range(3))
        return cls(np.zeros(categories), *counts)

    def add(self, truth: PanopticMap, found: PanopticMap) -> None:
        """Match one picture's segments."""
        true_category = np.array(truth.categories, np.int64)
        found_category = np.array(found.categories, np.int64)
        overlap = _overlaps(truth.ids, found.ids, len(true_category), len(found_category))
        unknown = overlap[0, 1:]
        common = overlap[2:, 1:]
        true_area = overlap[2:].sum(axis=1)
        found_area = overlap[:, 1:].sum(axis=0)
        # Unknown ground counts neither for nor against a predicted segment.
        either = true_area[:, None] + (found_area - unknown)[None, :] - common
        iou = common / np.maximum(either, 1)
        matched = (iou > MATCH_IOU) & (true_category[:, None] == found_category[None, :])
        rows, columns = np.nonzero(matched)
        np.add.at(self.iou, true_category[rows], iou[rows, columns])
        np.add.at(self.hits, true_category[rows], 1)
        lost = np.setdiff1d(np.arange(len(true_category)), rows)
        np.add.at(self.missed, true_category[lost], 1)
        judged = (unknown <= MOSTLY_VOID * found_area) & (found_area > 0)
        judged[columns] = False
        np.add.at(self.surplus, found_category[judged], 1)


def _overlaps(
    truth: NDArray[np.int32], found: NDArray[np.int32], true_count: int, found_count: int
) -> NDArray[np.int64]:
    """(true_count + 2, found_count + 1) pixel counts; rows: unknown, void, then the true segments."""
    pairs = (truth.astype(np.int64) + 1) * (found_count + 1) + found
    shape = true_count + 2, found_count + 1
    return np.bincount(pairs.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True, slots=True)
class Quality:
    """PQ, SQ and RQ in [0, 1], means over so many categories."""

    pq: float
    sq: float
    rq: float
    categories: int


@dataclass(frozen=True, slots=True)
class PanopticReport:
    """Figures over all categories, over the things and over the stuff; a category that neither occurs nor
    was predicted does not count."""

    pictures: int
    all: Quality
    things: Quality
    stuff: Quality
    per_category: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize_panoptic(
    counts: PanopticCounts, names: Sequence[str], stuff: Sequence[str], pictures: int
) -> PanopticReport:
    """Per category first, then the means."""
    hits = counts.hits.astype(float)
    total = hits + 0.5 * counts.surplus + 0.5 * counts.missed
    rq = hits / np.maximum(total, 0.5)
    sq = counts.iou / np.maximum(hits, 1.0)
    pq = sq * rq
    occurs = total > 0
    is_stuff = np.array([name in set(stuff) for name in names], np.bool_)

    def mean(chosen: NDArray[np.bool_]) -> Quality:
        number = int(chosen.sum())
        means = [float(v[chosen].mean()) if number else 0.0 for v in (pq, sq, rq)]
        return Quality(pq=means[0], sq=means[1], rq=means[2], categories=number)

    return PanopticReport(
        pictures=pictures,
        all=mean(occurs),
        things=mean(occurs & ~is_stuff),
        stuff=mean(occurs & is_stuff),
        per_category={name: float(pq[i]) for i, name in enumerate(names) if occurs[i]},
    )


def true_panoptic_map(picture: AnnotatedPicture, stuff: Sequence[int]) -> PanopticMap:
    """A picture's annotation: one segment per thing, one per category of stuff.

    Where objects overlap the smaller one has the pixel. What is outlined by a box only, and what lies
    outside of all objects of a picture that is not annotated exhaustively, is unknown.
    """
    outside = VOID if picture.exhaustive else UNKNOWN
    ids = np.full((picture.height, picture.width), outside, np.int32)
    categories: list[int] = []
    for item in sorted(picture.objects, key=lambda o: (o.has_mask, -o.mask.area)):
        segment = UNKNOWN
        if item.has_mask:
            if item.category not in stuff or item.category not in categories:
                categories.append(item.category)
                segment = len(categories)
            else:
                segment = categories.index(item.category) + 1
        mask = item.mask.clipped(picture.height, picture.width)
        ids[mask.y0 : mask.y1, mask.x0 : mask.x1][mask.array] = segment
    return _without_hidden(PanopticMap(ids, tuple(categories)))


def _without_hidden(segments: PanopticMap) -> PanopticMap:
    """Without the segments that others hide entirely."""
    seen = np.unique(segments.ids[segments.ids > 0])
    renumbered = np.zeros(len(segments.categories) + 2, np.int32)
    renumbered[-1] = UNKNOWN
    renumbered[seen] = np.arange(1, len(seen) + 1)
    return PanopticMap(renumbered[segments.ids], tuple(segments.categories[i - 1] for i in seen))


@runtime_checkable
class PanopticEncodingLike(Protocol):
    """An encoding that parts the whole picture into segments."""

    def panoptic(self, min_score: float = 0.5) -> PanopticMap: ...


@runtime_checkable
class KnowsStuff(Protocol):
    """A segmenter that tells which of its categories are stuff."""

    stuff: tuple[str, ...]


def evaluate_panoptic(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    min_score: float = 0.5,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PanopticReport:
    """Part every picture into segments and judge them.

    Raises:
        SegmenterError: the network makes no panoptic maps, or has other categories than the data set.
    """
    if not isinstance(segmenter, KnowsStuff):
        raise SegmenterError(f"{segmenter.name} makes no panoptic maps.")
    if segmenter.categories != dataset.categories:
        raise SegmenterError("the network and the data set have different categories.")
    stuff = [i for i, name in enumerate(dataset.categories) if name in segmenter.stuff]
    counts = PanopticCounts.empty(len(dataset.categories))
    done = 0
    for picture in dataset.pictures:
        if should_stop():
            break
        encoding = segmenter.encode(picture.pixels())
        assert isinstance(encoding, PanopticEncodingLike)
        counts.add(true_panoptic_map(picture, stuff), encoding.panoptic(min_score))
        done += 1
        on_progress(done, len(dataset.pictures))
    return summarize_panoptic(counts, dataset.categories, segmenter.stuff, done)
