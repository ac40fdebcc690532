"""How masks on one grid overlap, and which of them tell of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DUPLICATE_IOU = 0.5
DUPLICATE_CONTAINED = 0.85  # a mask that lies so far inside a better one is a part of it


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How N masks lie to each other.

    Attributes:
        area: (N,) float32, cells of each.
        common: (N, N) float32, cells of both.
    """

    area: NDArray[np.float32]
    common: NDArray[np.float32]

    @classmethod
    def of(cls, masks: Sequence[NDArray[np.bool_]]) -> Overlaps:
        """Of masks of one size, none empty."""
        flat = np.stack([m.ravel() for m in masks]).astype(np.float32)
        return cls(flat.sum(axis=1), flat @ flat.T)

    @property
    def iou(self) -> NDArray[np.float32]:
        """(N, N)."""
        return self.common / (self.area[:, None] + self.area[None, :] - self.common)

    @property
    def inside(self) -> NDArray[np.float32]:
        """(N, N), the share of the first that lies in the second."""
        return self.common / self.area[:, None]


def suppress_duplicates(
    masks: Sequence[NDArray[np.bool_]],
    scores: Sequence[float],
    groups: Sequence[int] | None = None,
    *,
    iou: float = DUPLICATE_IOU,
    contained: float | None = DUPLICATE_CONTAINED,
) -> list[int]:
    """Greedy suppression by IoU and containment; returns the survivors' indices, best first.

    Args:
        groups: only masks of the same group, for example a class, suppress each other.
        iou: above it two masks are one object.
        contained: share of the smaller of two masks above which it is a part of the other, not an object
            of its own; None lets parts stand beside wholes.
    """
    if not masks:
        return []
    overlaps = Overlaps.of(masks)
    clash = overlaps.iou > iou
    if contained is not None:
        clash |= np.maximum(overlaps.inside, overlaps.inside.T) > contained
    if groups is not None:
        clash &= np.equal.outer(np.asarray(groups), np.asarray(groups))
    return best_first(np.asarray(scores), clash)


def best_first(scores: NDArray[np.floating], clash: NDArray[np.bool_]) -> list[int]:
    """Indices, best first, of what does not clash with anything better."""
    alive = np.ones(len(scores), np.bool_)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if alive[index]:
            kept.append(int(index))
            alive &= ~clash[index]
    return kept
