"""How well the objects that look like one are found: precision and recall over the similarity slider.

A query is an annotated object with others of its category in the same picture. One click on its deepest
point (or its annotated mask) says what to look for; the others are to be found. A find is right if it has
IoU >= 0.5 with one of them that no better find has taken. Objects under MIN_AREA_SHARE of the picture make
no query and are neither to be found nor held against what is found there; nor is the object itself, what is
outlined by a box only, and, in partially annotated pictures, whatever nobody has annotated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Mask, Seed
from converters.shapes.geometry import mask_iou
from models.evaluation.clicks import MIN_AREA_SHARE, deepest_point
from models.segmenter import SIMILAR_FROM, Encoding, Prediction, Segmenter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset

MATCH_IOU = 0.5
MOSTLY = 0.5  # share of a find inside something unknown from which it does not count
MIN_SIMILARITY = 0.05
MAX_FINDS = 200


@dataclass(frozen=True, slots=True)
class SimilarScore:
    """One query's result.

    Attributes:
        wanted: how many objects were to be found.
        scores: of the finds that count, best first.
        right: for each of them, whether it is one of the wanted.
    """

    label: str
    wanted: int
    scores: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SimilarReport:
    """The finds of all queries together; shares in [0, 1].

    Attributes:
        pictures: that had a query.
        wanted: objects to be found, over all queries.
        threshold: where the slider starts; `precision` and `recall` are taken there.
        ap: area under precision over recall while the slider moves, one slider for all queries.
        mean_ap: the same for each query by itself, on average.
        best_f1, best_threshold: the best position of the slider, known only afterwards.
    """

    pictures: int
    queries: int
    wanted: int
    threshold: float
    precision: float
    recall: float
    ap: float
    mean_ap: float
    best_f1: float
    best_threshold: float

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


def queries_of(picture: AnnotatedPicture) -> list[tuple[int, list[int]]]:
    """(index of an object, indices of those to be found from it), for objects that are large enough."""
    least = MIN_AREA_SHARE * picture.height * picture.width
    large = [i for i, o in enumerate(picture.objects) if o.has_mask and o.mask.area >= least]
    pairs = []
    for query in large:
        category = picture.objects[query].category
        others = [i for i in large if i != query and picture.objects[i].category == category]
        if others:
            pairs.append((query, others))
    return pairs


def find_from(encoding: Encoding, item: AnnotatedObject, *, from_mask: bool) -> list[Prediction]:
    """What the network finds when shown an object by one click on it, or by its mask."""
    mask = item.mask
    if not from_mask:
        row, column = deepest_point(item.mask.to_full(encoding.height, encoding.width))
        mask = Mask.from_full(encoding.mask([Seed(column + 0.5, row + 0.5)]))
    reference = encoding.appearance([mask])
    return encoding.find_similar(reference, known=[mask], min_similarity=MIN_SIMILARITY, max_count=MAX_FINDS)


def judge_finds(
    found: Sequence[Prediction], picture: AnnotatedPicture, query: int, wanted: Sequence[int]
) -> tuple[list[float], list[bool]]:
    """Scores of the finds that count, and whether each is right."""
    scores: list[float] = []
    right: list[bool] = []
    free = set(wanted)
    for prediction in sorted(found, key=lambda p: -p.score):
        ious = {i: mask_iou(prediction.mask, picture.objects[i].mask) for i in sorted(free)}
        best = max(ious, key=lambda i: ious[i], default=None)
        hit = best is not None and ious[best] >= MATCH_IOU
        if hit and best is not None:
            free.discard(best)
        elif _does_not_count(prediction.mask, picture, query, wanted):
            continue
        scores.append(prediction.score)
        right.append(hit)
    return scores, right


def _does_not_count(mask: Mask, picture: AnnotatedPicture, query: int, wanted: Sequence[int]) -> bool:
    """Whether a find that is not right is not wrong either."""
    category = picture.objects[query].category
    annotated = np.zeros(mask.array.shape, np.bool_)
    for index, item in enumerate(picture.objects):
        inside = item.mask.window(mask.box)
        if not item.has_mask and np.count_nonzero(inside & mask.array) > MOSTLY * mask.area:
            return True
        small = item.category == category and index not in wanted
        if small and mask_iou(mask, item.mask) >= MATCH_IOU:
            return True
        annotated |= inside
    unknown = int(np.count_nonzero(mask.array & ~annotated))
    return not picture.exhaustive and unknown > MOSTLY * mask.area


def evaluate_similar(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    from_mask: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[SimilarReport, list[SimilarScore]]:
    """Run the protocol over a data set.

    Args:
        from_mask: show each query by its annotated mask instead of one click.
        on_progress: receives pictures done and in all.
    """
    results: list[SimilarScore] = []
    pictures = 0
    for done, picture in enumerate(dataset.pictures):
        if should_stop():
            break
        pairs = queries_of(picture)
        if pairs:
            pictures += 1
            encoding = segmenter.encode(picture.pixels())
            for query, wanted in pairs:
                item = picture.objects[query]
                found = find_from(encoding, item, from_mask=from_mask)
                scores, right = judge_finds(found, picture, query, wanted)
                label = dataset.categories[item.category]
                results.append(SimilarScore(label, len(wanted), tuple(scores), tuple(right)))
        on_progress(done + 1, len(dataset.pictures))
    return summarize_similar(results, pictures), results


def summarize_similar(results: Sequence[SimilarScore], pictures: int) -> SimilarReport:
    """Pool the queries; zeros where there were none."""
    scores = np.array([score for r in results for score in r.scores], np.float64)
    right = np.array([hit for r in results for hit in r.right], np.bool_)
    wanted = sum(r.wanted for r in results)
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    hits = right.cumsum()
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / max(1, wanted)
    f1 = 2.0 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = int(f1.argmax()) if len(f1) else None
    shown = int(np.count_nonzero(scores >= SIMILAR_FROM))
    each = [average_precision(np.array(r.right, np.bool_), r.wanted) for r in results]
    return SimilarReport(
        pictures=pictures,
        queries=len(results),
        wanted=wanted,
        threshold=SIMILAR_FROM,
        precision=float(precision[shown - 1]) if shown else 0.0,
        recall=float(recall[shown - 1]) if shown else 0.0,
        ap=average_precision(right, wanted),
        mean_ap=float(np.mean(each)) if each else 0.0,
        best_f1=float(f1[best]) if best is not None else 0.0,
        best_threshold=float(scores[best]) if best is not None else 0.0,
    )


def average_precision(right: NDArray[np.bool_], wanted: int) -> float:
    """Area under the precision-recall curve, precision made non-increasing in recall.

    Args:
        right: (N,) in the order of the ranking.
        wanted: how many right ones there are in all.
    """
    if not right.any():
        return 0.0
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / wanted)
