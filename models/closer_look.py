"""A closer look: what is too small for the network when it sees the whole picture is found in parts of it.

Each part is encoded by itself, at the network's full input resolution, through the face that every network
shows. Of what a part shows only small things count that it does not cut off; the rest the whole picture shows
better. Of several answers about one object the one with the best score stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from converters.shapes.geometry import mask_iou
from models.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from converters.annotation import Mask
    from models.segmenter import Prediction, Region, RgbImage, Segmenter

SHARE = 0.6  # of each side of the picture that a part shows; what two parts share lies whole in one of them
SMALL = 0.03  # of the picture; larger things are seen well enough in all of it
CUT_WITHIN = 2  # pixels of the border between a part and the rest
SAME_IOU = 0.6


def look_closer(
    segmenter: Segmenter,
    image: RgbImage,
    found: Sequence[Prediction],
    *,
    min_score: float = 0.5,
    max_count: int = 100,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Prediction]:
    """What was found in the whole picture, and what its parts show besides or better, best first.

    Args:
        image: (H, W, 3) uint8 RGB, upright, the whole picture.
        found: `Encoding.instances` of it.
        min_score, max_count: as for `Encoding.instances`, of each part and of the whole answer.

    Returns:
        Predictions of which those that a part showed tell that part, in pixels of the whole picture.

    Raises:
        SegmenterError: `image` is no such array.
        Cancelled: `should_stop` answered True.
    """
    seen: list[Prediction] = []
    for part in parts_of(*image.shape[:2]):
        seen += small_things(
            segmenter, image, part, min_score=min_score, max_count=max_count, should_stop=should_stop
        )
    return joined(found, seen, max_count=max_count)


def small_things(
    segmenter: Segmenter,
    image: RgbImage,
    part: Region,
    *,
    min_score: float,
    max_count: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Prediction]:
    """What counts of what one part shows; arguments as in `look_closer`, which takes all parts."""
    height, width = image.shape[:2]
    encoding = segmenter.encode(image, region=part, should_stop=should_stop)
    found = encoding.instances(min_score, max_count)
    if should_stop():
        raise Cancelled
    return [
        replace(seen, region=part)
        for seen in found
        if seen.mask.area < SMALL * height * width and not is_cut(seen.mask, part, height, width)
    ]


def joined(found: Sequence[Prediction], seen: Sequence[Prediction], *, max_count: int) -> list[Prediction]:
    """What was found in the whole picture and seen in its parts, each object once, best first."""
    return _one_of_each(sorted((*found, *seen), key=lambda p: -p.score))[:max_count]


def parts_of(height: int, width: int) -> tuple[Region, ...]:
    """The four corners of a picture, which overlap."""
    rows, columns = max(1, round(SHARE * height)), max(1, round(SHARE * width))
    return tuple(
        (left, top, left + columns, top + rows) for top in (0, height - rows) for left in (0, width - columns)
    )


def is_cut(mask: Mask, part: Region, height: int, width: int) -> bool:
    """Whether a mask reaches the border between a part and the rest of the picture."""
    x0, y0, x1, y1 = mask.box
    return (
        (part[0] > 0 and x0 < part[0] + CUT_WITHIN)
        or (part[1] > 0 and y0 < part[1] + CUT_WITHIN)
        or (part[2] < width and x1 > part[2] - CUT_WITHIN)
        or (part[3] < height and y1 > part[3] - CUT_WITHIN)
    )


def _one_of_each(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Those that are not about the same as an earlier one; two that were found in the whole picture have been
    compared there already."""
    kept: list[Prediction] = []
    for prediction in predictions:
        others = (known for known in kept if known.region is not None or prediction.region is not None)
        if all(mask_iou(prediction.mask, other.mask) <= SAME_IOU for other in others):
            kept.append(prediction)
    return kept
