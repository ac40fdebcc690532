"""Mean IoU of class maps, the measure of semantic segmentation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import SegmenterError
from models.networks.fcn.encoding import FCNEncoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models.data.dataset import AnnotatedPicture, Dataset
    from models.segmenter import Segmenter

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class SemanticReport:
    """Attributes:
    mean_iou: over the classes that occur in the truth, with the background.
    pixel_accuracy: share of the known pixels that are right.
    per_class: IoU by name; the background is "background".
    """

    pictures: int
    mean_iou: float
    pixel_accuracy: float
    per_class: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def true_class_map(picture: AnnotatedPicture) -> NDArray[np.int32]:
    """(H, W) int32: 0 background, category + 1; UNKNOWN where not annotated or only boxed.

    Where objects overlap the smaller one has the pixel.
    """
    background = 0 if picture.exhaustive else UNKNOWN
    labels = np.full((picture.height, picture.width), background, np.int32)
    for item in sorted(picture.objects, key=lambda o: (o.has_mask, -o.mask.area)):
        mask = item.mask.clipped(picture.height, picture.width)
        window = labels[mask.y0 : mask.y1, mask.x0 : mask.x1]
        window[mask.array] = item.category + 1 if item.has_mask else UNKNOWN
    return labels


def confusion_matrix(truth: NDArray[np.int32], found: NDArray[np.int32], classes: int) -> NDArray[np.int64]:
    """(classes, classes) pixel counts, rows the truth; pixels of unknown truth do not count."""
    known = truth != UNKNOWN
    pairs = truth[known].astype(np.int64) * classes + found[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def summarize_confusion(counts: NDArray[np.int64], names: Sequence[str], pictures: int) -> SemanticReport:
    """IoU = hits / (truth + found - hits), class by class."""
    hits = counts.diagonal().astype(float)
    either = counts.sum(axis=0) + counts.sum(axis=1) - hits
    occurs = counts.sum(axis=1) > 0
    ious = {name: hits[i] / either[i] for i, name in enumerate(names) if occurs[i]}
    return SemanticReport(
        pictures=pictures,
        mean_iou=float(np.mean(list(ious.values()))) if ious else 0.0,
        pixel_accuracy=float(hits.sum() / max(1, counts.sum())),
        per_class={name: float(v) for name, v in ious.items()},
    )


def evaluate_semantic(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> SemanticReport:
    """Compare the class maps of a semantic network with the annotated masks.

    Raises:
        SegmenterError: the network has no class map, or other categories than the data set.
    """
    if segmenter.categories != dataset.categories:
        raise SegmenterError("the network and the data set have different categories.")
    names = ("background", *dataset.categories)
    counts = np.zeros((len(names), len(names)), np.int64)
    done = 0
    for picture in dataset.pictures:
        if should_stop():
            break
        encoding = segmenter.encode(picture.pixels())
        if not isinstance(encoding, FCNEncoding):
            raise SegmenterError(f"{segmenter.name} makes no class map.")
        counts += confusion_matrix(true_class_map(picture), encoding.class_map(), len(names))
        done += 1
        on_progress(done, len(dataset.pictures))
    return summarize_confusion(counts, names, done)
