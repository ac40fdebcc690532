"""A picture parted into segments: each pixel belongs to one of them, or to none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.segmenter import Prediction

VOID = 0
UNKNOWN = -1
MIN_VISIBLE = 0.5  # a thing with less of itself left beside better ones is dropped
MIN_STUFF_SHARE = 0.01  # of the picture; smaller patches of stuff are left void (4096 pixels of COCO's)


@dataclass(frozen=True, slots=True)
class PanopticMap:
    """Every pixel of a picture belongs to one segment, or to none.

    Attributes:
        ids: (H, W) int32; segment i + 1 for the i-th category below, VOID for no segment, UNKNOWN where
            the truth is not known.
        categories: category index of each segment.
        crowds: segments of a truth, by their place in `categories`, that hold several objects which are
            not told apart.
    """

    ids: NDArray[np.int32]
    categories: tuple[int, ...]
    crowds: frozenset[int] = frozenset()


def fuse_panoptic(
    things: Sequence[Prediction],
    classes: NDArray[np.int32],
    categories: Sequence[str],
    stuff: Sequence[int],
) -> tuple[PanopticMap, list[Prediction | None]]:
    """Kirillov et al., arXiv 1801.00868, section 5 (and 1901.02446, section 3): things first, best first,
    each on the pixels still free; then stuff on what is left.

    Args:
        things: found objects, best first.
        classes: (H, W) int32, 0 background, category + 1.
        stuff: category indices that are stuff.

    Returns:
        The segments, and for each the thing it came from (None for stuff).
    """
    ids = np.full(classes.shape, VOID, np.int32)
    labels: list[int] = []
    sources: list[Prediction | None] = []
    index = {name: i for i, name in enumerate(categories)}
    for thing in things:
        mask = thing.mask.clipped(*classes.shape)
        window = ids[mask.y0 : mask.y1, mask.x0 : mask.x1]
        free = mask.array & (window == VOID)
        if thing.label is None or free.sum() < MIN_VISIBLE * max(1, mask.area):
            continue
        labels.append(index[thing.label])
        sources.append(thing)
        window[free] = len(labels)
    smallest = MIN_STUFF_SHARE * classes.size
    for category in stuff:
        patch = (classes == category + 1) & (ids == VOID)
        if np.count_nonzero(patch) >= max(1.0, smallest):
            labels.append(category)
            sources.append(None)
            ids[patch] = len(labels)
    return PanopticMap(ids, tuple(labels)), sources
