"""What two states of a list share at its ends: nearly everything, since an edit copies nothing else."""

from __future__ import annotations

from itertools import islice, takewhile
from operator import is_, truth
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def shared_ends(before: Sequence[Any], after: Sequence[Any]) -> tuple[int, int]:
    """How many items are the very same objects at the beginning, and how many of the rest at the end.

    Everything between these ends may differ: `before[first : len(before) - last]` became
    `after[first : len(after) - last]`.
    """
    most = min(len(before), len(after))
    first = _count_shared(before, after, most)
    return first, _count_shared(reversed(before), reversed(after), most - first)


def _count_shared(one: Iterable[Any], other: Iterable[Any], most: int) -> int:
    return sum(takewhile(truth, islice(map(is_, one, other), most)))
