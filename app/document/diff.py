"""What one edit changed: the difference between two states of an annotated picture.

Objects that an edit does not touch are shared by both states and appear in no diff; masks that it
reshapes are kept as the pixels that flip (`MaskPatch`). A diff can be applied in both directions.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from app.document.mask_patch import MaskPatch
from app.document.shared_ends import shared_ends
from converters.annotation import EMPTY_MASK, Geometry, ImageAnnotation, Instance, Mask
from converters.frozen import FrozenMap

PICTURE_FIELDS: Final = ("flags", "rejected", "extra")
"""What an edit may change beside the instances; which picture it is never changes."""
_IDENTITY_FIELDS: Final = ("height", "width", "image_path", "image_data")

_ALL_FIELDS: Final = tuple(f.name for f in fields(Instance))
_GEOMETRY: Final = _ALL_FIELDS.index("geometry")
NO_PATCH: Final = MaskPatch.of(EMPTY_MASK)
_INSTANCE_FIELDS: Final = tuple(f.name for f in fields(Instance) if f.name != "geometry")


class DiffError(ValueError):
    """A diff does not fit the state it is applied to."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An instance and its place in the drawing order."""

    index: int
    instance: Instance


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An instance that changed and kept its place.

    Attributes:
        before, after: the two versions. With a patch, neither carries its mask.
        patch: the pixels that flip, if both versions are masks and these differ.
    """

    before: Instance
    after: Instance
    patch: MaskPatch | None = None


@dataclass(frozen=True, slots=True)
class AnnotationDiff:
    """The way from one state to another.

    Attributes:
        removed: instances to take out, with their places in the earlier state, ascending.
        added: instances to put in, with their places in the later state, ascending. An instance
            that moves in the drawing order stands in both.
        rewritten: instances that change and keep their places.
        fields_before, fields_after: the picture's own fields that change (`PICTURE_FIELDS`).
    """

    removed: tuple[Placed, ...] = ()
    added: tuple[Placed, ...] = ()
    rewritten: tuple[Rewrite, ...] = ()
    fields_before: FrozenMap[Any] = field(default_factory=FrozenMap)
    fields_after: FrozenMap[Any] = field(default_factory=FrozenMap)

    @property
    def is_empty(self) -> bool:
        return not (self.removed or self.added or self.rewritten or self.fields_after)

    def reversed(self) -> AnnotationDiff:
        """The way back."""
        rewritten = tuple(Rewrite(r.after, r.before, r.patch) for r in self.rewritten)
        return AnnotationDiff(self.added, self.removed, rewritten, self.fields_after, self.fields_before)

    def applied_to(self, state: ImageAnnotation) -> ImageAnnotation:
        """The later state, given the earlier one.

        Raises:
            DiffError: the state is not the one the diff was made from.
        """
        picture = replace(state, **self.fields_after) if self.fields_after else state
        if not (self.removed or self.added or self.rewritten):
            return picture
        kept = list(state.instances)
        places = {instance.id: place for place, instance in enumerate(kept)} if self.rewritten else {}
        for rewrite in self.rewritten:
            place = places.get(rewrite.before.id)
            if place is None:
                raise DiffError(f"no instance {rewrite.before.id} in this state")
            kept[place] = _rewritten(kept[place], rewrite)
        for placed in reversed(self.removed):
            if placed.index >= len(kept) or kept[placed.index].id != placed.instance.id:
                raise DiffError(f"no instance {placed.instance.id} at its place in this state")
            del kept[placed.index]
        present = {instance.id for instance in kept} if self.added else set()
        for placed in self.added:
            if placed.index > len(kept) or placed.instance.id in present:
                raise DiffError(f"instance {placed.instance.id} does not fit at place {placed.index}")
            kept.insert(placed.index, placed.instance)
        return picture.with_instances(tuple(kept))


def difference(before: ImageAnnotation, after: ImageAnnotation) -> AnnotationDiff:
    """The way from one state of a picture to another.

    Raises:
        ValueError: two instances share an id, or the pictures are not the same one.
    """
    for name in _IDENTITY_FIELDS:
        if not _same(getattr(before, name), getattr(after, name)):
            raise ValueError(f"an edit cannot change the picture's {name}")
    names = [name for name in PICTURE_FIELDS if not _same(getattr(before, name), getattr(after, name))]
    old_fields = FrozenMap({name: getattr(before, name) for name in names})
    new_fields = FrozenMap({name: getattr(after, name) for name in names})
    if before.instances is after.instances:
        return AnnotationDiff(fields_before=old_fields, fields_after=new_fields)

    if len({instance.id for instance in after.instances}) != len(after.instances):
        raise ValueError("two instances share an id")
    first, last = shared_ends(before.instances, after.instances)
    old = before.instances[first : len(before.instances) - last]
    new = after.instances[first : len(after.instances) - last]
    old_places = {instance.id: index for index, instance in enumerate(old, first)}
    new_ids = {instance.id for instance in new}
    staying = [old_places[i.id] for i in new if i.id in old_places]
    moved = {before.instances[place].id for place in set(staying) - _longest_ascending(staying)}

    removed = tuple(
        Placed(index, instance)
        for index, instance in enumerate(old, first)
        if instance.id not in new_ids or instance.id in moved
    )
    added: list[Placed] = []
    rewritten: list[Rewrite] = []
    for index, instance in enumerate(new, first):
        place = old_places.get(instance.id)
        if place is None or instance.id in moved:
            added.append(Placed(index, instance))
        elif before.instances[place] is not instance:
            rewrite = rewrite_between(before.instances[place], instance)
            if rewrite is not None:
                rewritten.append(rewrite)
    return AnnotationDiff(removed, tuple(added), tuple(rewritten), old_fields, new_fields)


def rewrite_between(before: Instance, after: Instance) -> Rewrite | None:
    """How an instance changed; None if it did not."""
    if isinstance(before.geometry, Mask) and isinstance(after.geometry, Mask):
        if before.geometry is not after.geometry:
            if _far_apart(before.geometry, after.geometry):
                return Rewrite(before, after)
            patch = MaskPatch.between(before.geometry, after.geometry)
            if patch.bits:
                return Rewrite(_without_mask(before), _without_mask(after), patch)
    elif not _same_geometry(before.geometry, after.geometry):
        return Rewrite(before, after)
    if any(not _same(getattr(before, n), getattr(after, n)) for n in _INSTANCE_FIELDS):
        # The same pixels: an empty patch keeps the mask out of the history.
        if isinstance(before.geometry, Mask):
            return Rewrite(_without_mask(before), _without_mask(after), NO_PATCH)
        return Rewrite(before, after)
    return None


def _far_apart(one: Mask, other: Mask) -> bool:
    """Whether the box around both masks is so much larger than they are that a patch does not pay."""
    if one.is_empty or other.is_empty:
        return False
    around = (max(one.x1, other.x1) - min(one.x0, other.x0)) * (max(one.y1, other.y1) - min(one.y0, other.y0))
    return around > 2 * (one.array.size + other.array.size)


def _without_mask(instance: Instance) -> Instance:
    """The same instance with an empty mask; what `dataclasses.replace` does, three times as fast."""
    values: list[Any] = [getattr(instance, name) for name in _ALL_FIELDS]
    values[_GEOMETRY] = EMPTY_MASK
    return Instance(*values)


def _rewritten(instance: Instance, rewrite: Rewrite) -> Instance:
    if rewrite.patch is None:
        return rewrite.after
    if not isinstance(instance.geometry, Mask):
        raise DiffError(f"instance {instance.id} is not a mask in this state")
    mask = rewrite.patch.applied_to(instance.geometry) if rewrite.patch.bits else instance.geometry
    return replace(rewrite.after, geometry=mask)


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _same_geometry(one: Geometry, other: Geometry) -> bool:
    return one is other or (type(one) is type(other) and one == other)


def _longest_ascending(places: list[int]) -> set[int]:
    """The values of a longest ascending subsequence: what may stay while the rest moves."""
    if all(a < b for a, b in itertools.pairwise(places)):
        return set(places)
    tails: list[int] = []  # the smallest last value of an ascending run of each length
    previous: dict[int, int | None] = {}
    for place in places:
        length = bisect_left(tails, place)
        previous[place] = tails[length - 1] if length else None
        if length == len(tails):
            tails.append(place)
        else:
            tails[length] = place
    chain: set[int] = set()
    step: int | None = tails[-1]
    while step is not None:
        chain.add(step)
        step = previous[step]
    return chain
