"""Joining two sets of changes to one document, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ABSENT: Final = object()


def merge_by_key(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[tuple[str, ...], ...]]:
    """What comes of two versions that both began as `base`.

    A key that only one side changed is as that side has it. Where both changed it differently, nested
    objects are merged in turn, a change wins over a removal, and of two changes ours wins.

    Returns:
        The merged document, its keys in their order, or in ours where theirs is that of `base`, with those
        of the other side behind them; and the keys (each with those that lead to it) where a change of
        theirs gave way.
    """
    merged: dict[str, Any] = {}
    conflicts: list[tuple[str, ...]] = []
    first, second = (ours, theirs) if list(theirs) == list(base) else (theirs, ours)
    for key in dict.fromkeys((*first, *second)):
        before, our, their = (each.get(key, _ABSENT) for each in (base, ours, theirs))
        if isinstance(our, Mapping) and isinstance(their, Mapping):  # equal ones, too: their order may differ
            value, inner = merge_by_key(before if isinstance(before, Mapping) else {}, our, their)
            conflicts += [(key, *path) for path in inner]
        elif our in (before, their):
            value = their
        elif their in (before, _ABSENT):
            value = our
        elif our is _ABSENT:
            value = their
        else:
            value = our
            conflicts.append((key,))
        if value is not _ABSENT:
            merged[key] = value
    return merged, tuple(conflicts)
