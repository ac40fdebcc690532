"""Panoptic segmentations and their quality (Kirillov et al., arXiv 1801.00868).

    PQ = sum of IoU over matched segments / (TP + FP / 2 + FN / 2) = SQ x RQ
    SQ = mean IoU of the matched segments, RQ = TP / (TP + FP / 2 + FN / 2)

Segments match when they are of one class and their IoU exceeds 0.5; then each has at most one partner.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from models.errors import SegmenterError
from models.networks.panoptic.fusion import UNKNOWN, VOID, PanopticMap, fuse_panoptic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset
    from models.segmenter import Encoding, Segmenter

MATCH_IOU = 0.5
# A predicted segment with more of itself on unknown ground, or in crowds of its category, counts neither way.
MOSTLY_VOID = 0.5


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
        is_crowd = np.isin(np.arange(len(true_category)), list(truth.crowds))
        overlap = _overlaps(truth.ids, found.ids, len(true_category), len(found_category))
        unknown = overlap[0, 1:]
        common = overlap[2:, 1:]
        true_area = overlap[2:].sum(axis=1)
        found_area = overlap[:, 1:].sum(axis=0)
        # Unknown ground counts neither for nor against a predicted segment.
        either = true_area[:, None] + (found_area - unknown)[None, :] - common
        iou = common / np.maximum(either, 1)
        same = true_category[:, None] == found_category[None, :]
        matched = (iou > MATCH_IOU) & same & ~is_crowd[:, None]
        rows, columns = np.nonzero(matched)
        np.add.at(self.iou, true_category[rows], iou[rows, columns])
        np.add.at(self.hits, true_category[rows], 1)
        lost = np.setdiff1d(np.flatnonzero(~is_crowd), rows)
        np.add.at(self.missed, true_category[lost], 1)
        in_crowd = (common * (same & is_crowd[:, None])).sum(axis=0)
        judged = (unknown + in_crowd <= MOSTLY_VOID * found_area) & (found_area > 0)
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
    """A picture's annotation: one segment per thing and per crowd, one per category of stuff.

    Where objects overlap the smaller one has the pixel; crowds lie below all objects. What is outlined by a
    box only, and what lies outside of all objects of a picture that is not annotated exhaustively, is
    unknown.
    """
    outside = VOID if picture.exhaustive else UNKNOWN
    ids = np.full((picture.height, picture.width), outside, np.int32)
    categories: list[int] = []
    for crowd in picture.crowds:
        categories.append(crowd.category)
        _paint(ids, crowd, len(categories))
    crowds = frozenset(range(len(categories)))
    for item in sorted(picture.objects, key=lambda o: (o.has_mask, -o.mask.area)):
        segment = UNKNOWN
        if item.has_mask:
            known = categories[len(crowds) :]
            if item.category not in stuff or item.category not in known:
                categories.append(item.category)
                segment = len(categories)
            else:
                segment = len(crowds) + known.index(item.category) + 1
        _paint(ids, item, segment)
    return _without_hidden(PanopticMap(ids, tuple(categories), crowds))


def _paint(ids: NDArray[np.int32], item: AnnotatedObject, segment: int) -> None:
    mask = item.mask.clipped(*ids.shape)
    ids[mask.y0 : mask.y1, mask.x0 : mask.x1][mask.array] = segment


def _without_hidden(segments: PanopticMap) -> PanopticMap:
    """Without the segments that others hide entirely."""
    seen = np.unique(segments.ids[segments.ids > 0])
    renumbered = np.zeros(len(segments.categories) + 2, np.int32)
    renumbered[-1] = UNKNOWN
    renumbered[seen] = np.arange(1, len(seen) + 1)
    crowds = frozenset(place for place, i in enumerate(seen) if int(i) - 1 in segments.crowds)
    return PanopticMap(renumbered[segments.ids], tuple(segments.categories[i - 1] for i in seen), crowds)


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

    A network that finds objects only parts the picture into these, best first, and nothing else.
    Categories meet by name; one that the network alone knows has no true segments.

    Raises:
        SegmenterError: the network names no categories.
    """
    if not segmenter.categories:
        raise SegmenterError(f"{segmenter.name} names no categories, so it makes no panoptic maps.")
    stuff_names = segmenter.stuff if isinstance(segmenter, KnowsStuff) else ()
    strange = [name for name in segmenter.categories if name not in dataset.categories]
    names = (*dataset.categories, *strange)
    place = [names.index(name) for name in segmenter.categories]
    stuff = [i for i, name in enumerate(dataset.categories) if name in stuff_names]
    counts = PanopticCounts.empty(len(names))
    done = 0
    for picture in dataset.pictures:
        if should_stop():
            break
        found = part_picture(segmenter.encode(picture.pixels()), segmenter.categories, min_score)
        moved = PanopticMap(found.ids, tuple(place[c] for c in found.categories))
        counts.add(true_panoptic_map(picture, stuff), moved)
        done += 1
        on_progress(done, len(dataset.pictures))
    return summarize_panoptic(counts, names, stuff_names, done)


def part_picture(encoding: Encoding, categories: Sequence[str], min_score: float) -> PanopticMap:
    """The encoding's own segments, or its objects, each on the pixels that better ones leave."""
    if isinstance(encoding, PanopticEncodingLike):
        return encoding.panoptic(min_score)
    nothing = np.zeros((encoding.height, encoding.width), np.int32)
    return fuse_panoptic(encoding.instances(min_score), nothing, categories, ())[0]
