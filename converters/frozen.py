"""An immutable, hashable-when-possible, picklable mapping for JSON-like data that travels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class FrozenMap(Mapping[str, V], Generic[V]):
    """A read-only `dict` with string keys; equal to any mapping with the same items.

    The values are not copied: callers hand over JSON values and do not change them afterwards.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | Iterable[tuple[str, V]] = ()) -> None:
        self._items: dict[str, V] = dict(items)

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._items == dict(other)

    __hash__ = None  # type: ignore[assignment]  # JSON values may be lists

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> tuple[type[FrozenMap[V]], tuple[dict[str, V]]]:
        return FrozenMap, (self._items,)


# What most objects have; one for all of them.
EMPTY: FrozenMap[Any] = FrozenMap()


def frozen(items: dict[str, V]) -> FrozenMap[V]:
    """The items as a `FrozenMap`; no new one for none."""
    return FrozenMap(items) if items else EMPTY
