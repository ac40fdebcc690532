"""Mask AP and AR by the COCO protocol, with pycocotools as the judge.

What is measured is `Encoding.instances` of any segmenter, class by class or class-agnostic.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from converters.shapes.rle import encode_rle
from models.closer_look import look_closer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.data.dataset import AnnotatedPicture, Dataset
    from models.segmenter import Prediction, Segmenter

MIN_SCORE = 0.005  # average precision counts what is hardly believed in, too
MAX_DETECTIONS = 100


@dataclass(frozen=True, slots=True)
class CocoReport:
    """COCO's figures in [0, 1]; -1 where there was nothing to measure, as pycocotools has it.

    Attributes:
        ap: mean over IoU 0.50 to 0.95; `ap50`, `ap75` at one IoU; the sizes by COCO's areas (32², 96²).
        ar_1, ar_10, ar_100: recall with at most so many objects per picture, mean over the same IoUs.
        per_category: AP of each category that occurs; empty if class-agnostic.
        unknown_labels: predictions left out because the data set has no category of that name.
    """

    pictures: int
    objects: int
    predictions: int
    class_agnostic: bool
    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar_1: float
    ar_10: float
    ar_100: float
    per_category: dict[str, float] = field(default_factory=dict)
    unknown_labels: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_coco(
    segmenter: Segmenter,
    dataset: Dataset,
    *,
    class_agnostic: bool | None = None,
    min_score: float = MIN_SCORE,
    closer: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CocoReport:
    """Find the objects of every picture and judge them.

    Args:
        class_agnostic: count all objects as one category; None does so for a segmenter without categories.
        closer: look at the pictures' parts, too (closer_look.py).
        on_progress: receives pictures done and in all.

    Crowds, and objects annotated with a box only, are ignored regions: neither to be found nor held against
    what is found there.
    """
    agnostic = not segmenter.categories if class_agnostic is None else class_agnostic
    found: list[list[Prediction]] = []
    for picture in dataset.pictures:
        if should_stop():
            break
        pixels = picture.pixels()
        here = segmenter.encode(pixels).instances(min_score=min_score, max_count=MAX_DETECTIONS)
        if closer:
            here = look_closer(segmenter, pixels, here, min_score=min_score, max_count=MAX_DETECTIONS)
        found.append(here)
        on_progress(len(found), len(dataset.pictures))
    seen = dataset.pictures[: len(found)]
    return judge_predictions(seen, found, dataset.categories, class_agnostic=agnostic)


def judge_predictions(
    pictures: Sequence[AnnotatedPicture],
    predictions: Sequence[Sequence[Prediction]],
    categories: Sequence[str],
    *,
    class_agnostic: bool,
) -> CocoReport:
    """The figures for predictions already made, one list per picture."""
    annotations = [
        _annotation(index, picture, item.mask, 0 if class_agnostic else item.category, crowd)
        for index, picture in enumerate(pictures)
        for item, crowd in (
            *((o, not o.has_mask) for o in picture.objects),
            *((c, True) for c in picture.crowds),
        )
    ]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number + 1
    known = {name: 0 if class_agnostic else i for i, name in enumerate(categories)}
    results = []
    unknown = 0
    for index, (picture, found) in enumerate(zip(pictures, predictions, strict=True)):
        for prediction in found:
            category = 0 if class_agnostic else known.get(prediction.label or "")
            if category is None:
                unknown += 1
                continue
            result = _annotation(index, picture, prediction.mask, category, crowd=False)
            results.append({**result, "score": prediction.score})
    names = ("object",) if class_agnostic else tuple(categories)
    stats, per_category = _judge(pictures, annotations, results, names)
    return CocoReport(
        pictures=len(pictures),
        objects=sum(1 for a in annotations if not a["iscrowd"]),
        predictions=len(results),
        class_agnostic=class_agnostic,
        **dict(zip(_STATS, stats, strict=True)),
        per_category={} if class_agnostic else per_category,
        unknown_labels=unknown,
    )


_STATS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100")


def _annotation(
    index: int, picture: AnnotatedPicture, mask: Any, category: int, crowd: bool
) -> dict[str, Any]:
    x0, y0, x1, y1 = mask.box
    return {
        "image_id": index + 1,
        "category_id": category + 1,
        "segmentation": encode_rle(mask, picture.height, picture.width),
        "area": float(mask.area),
        "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
        "iscrowd": int(crowd),
    }


def _judge(
    pictures: Sequence[AnnotatedPicture],
    annotations: list[dict[str, Any]],
    results: list[dict[str, Any]],
    names: Sequence[str],
) -> tuple[list[float], dict[str, float]]:
    """COCO's first nine figures, and the AP of each category."""
    if not results:
        return [0.0 if annotations else -1.0] * len(_STATS), {}
    truth = COCO()
    truth.dataset = {
        "images": [
            {"id": index + 1, "height": picture.height, "width": picture.width}
            for index, picture in enumerate(pictures)
        ],
        "annotations": annotations,
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(names)],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # IoU, recall, category
    per_category = {
        name: float(np.mean(precision[:, :, index]))
        for index, name in enumerate(names)
        if np.all(precision[:, :, index] >= 0.0)
    }
    return [float(value) for value in evaluation.stats[: len(_STATS)]], per_category
