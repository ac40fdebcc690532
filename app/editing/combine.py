"""What the Object menu does to selected objects: convert, combine, mend. One undoable step each.

Every function takes the document and the ids in the order they were selected, and returns the ids
to select afterwards. Locked objects make `Document` raise `LockedError`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import cv2
import numpy as np

from app.appearance.i18n import phrase
from app.appearance.title import Title
from converters.annotation import Mask, new_instance_id
from converters.shapes import geometry
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.document.document import Document
    from app.editing.superpixels import Superpixels
    from converters.annotation import Instance, Polygon

Ids = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapped:
    """What snapping to superpixels makes of some regions.

    Attributes:
        changed: those that have other pixels now.
        too_small: how many cover no superpixel by more than half, and stay as they are.
    """

    changed: tuple[Instance, ...]
    too_small: int


class NotRegionsError(ValueError):
    """The operation needs regions: lines and points have no inside."""


def masks_to_polygons(document: Document, ids: Iterable[str], tolerance: float = 0.0) -> Ids:
    """Masks become polygons, other shapes stay.

    Holes are joined to their outer ring by a cut of no width. Every further part becomes an object
    of its own in the same group.

    Args:
        tolerance: how far the border may move, in pixels; 0 keeps every pixel.
    """
    return _rebuild(
        document, ids, lambda instance: _as_polygons(document, instance, tolerance), phrase("Mask to polygon")
    )


def _as_polygons(document: Document, instance: Instance, tolerance: float) -> list[Instance]:
    if not isinstance(instance.geometry, Mask):
        return [instance]
    rings = geometry.mask_to_rings(instance.geometry, tolerance)
    polygons = [geometry.join_rings([outer, *holes]) for outer, holes in rings]
    return _parts(document, instance, polygons)


def shapes_to_masks(document: Document, ids: Iterable[str]) -> Ids:
    """Polygons, boxes and circles become masks: the pixels whose centre they cover."""
    chosen = [i for i in _chosen(document, ids) if is_region(i.geometry)]
    changed = [replace(i, geometry=_mask_of(document, i)) for i in chosen if not isinstance(i.geometry, Mask)]
    if changed:
        document.replace(*changed, title=Title(phrase("Shape to mask")))
    return tuple(ids)


def fill_holes(document: Document, ids: Iterable[str]) -> Ids:
    """Close every hole."""
    return _mend(document, ids, geometry.fill_holes, phrase("Fill holes"))


def keep_largest_part(document: Document, ids: Iterable[str]) -> Ids:
    """Leave only the part with the most pixels."""
    return _mend(document, ids, geometry.largest_part, phrase("Keep the largest part"))


def _mend(document: Document, ids: Iterable[str], mend: Callable[[Mask], Mask], title: str) -> Ids:
    chosen = tuple(ids)
    changed = []
    for instance in _chosen(document, chosen):
        if is_region(instance.geometry):
            before = _mask_of(document, instance)
            after = mend(before)
            if after != before:
                changed.append(_with_mask(instance, after))
    if changed:
        document.replace(*changed, title=Title(title))
    return chosen


def snapped(regions: Iterable[tuple[Instance, Mask]], superpixels: Superpixels) -> Snapped:
    """The regions with every pixel of the superpixels that they cover by more than half, and no other.

    Nothing is edited: this may take longer than a frame and runs in a worker's thread.

    Args:
        regions: objects, each with the pixels it covers.
    """
    changed, too_small = [], 0
    for instance, before in regions:
        after = superpixels.snapped(before)
        if after.is_empty:
            too_small += 1
        elif after != before:
            changed.append(_with_mask(instance, after))
    return Snapped(tuple(changed), too_small)


def split_parts(document: Document, ids: Iterable[str]) -> Ids:
    """Every 8-connected part of a mask becomes an object of its own."""
    return _rebuild(document, ids, _split, phrase("Split the parts"))


def _split(instance: Instance) -> list[Instance]:
    mask = instance.geometry
    if not isinstance(mask, Mask):
        return [instance]
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.array.view(np.uint8), connectivity=8)
    if count <= 2:
        return [instance]
    pieces = []
    for part in range(1, count):
        x, y, width, height = (int(value) for value in stats[part, : cv2.CC_STAT_AREA])
        cut = parts[y : y + height, x : x + width] == part
        piece = _with_mask(instance, Mask(mask.x0 + x, mask.y0 + y, cut))
        pieces.append(piece if part == 1 else replace(piece, id=new_instance_id()))
    return pieces


def unite(document: Document, ids: Iterable[str]) -> Ids:
    """All pixels of any; the first object takes them and the others go."""
    return _combine(document, ids, geometry.union, phrase("Union"))


def subtract(document: Document, ids: Iterable[str]) -> Ids:
    """The first object loses what the later ones cover; those stay."""
    chosen = _regions(document, ids)
    first, *others = chosen
    left = reduce(geometry.difference, (_mask_of(document, i) for i in others), _mask_of(document, first))
    if left.is_empty:
        document.remove((first.id,), title=Title(phrase("Subtract")))
        return tuple(i.id for i in others)
    document.replace(_with_mask(first, left), title=Title(phrase("Subtract")))
    return (first.id,)


def intersect(document: Document, ids: Iterable[str]) -> Ids:
    """Only the pixels of all; the first object takes them and the others go."""
    return _combine(document, ids, geometry.intersection, phrase("Intersection"))


def exclude(document: Document, ids: Iterable[str]) -> Ids:
    """The pixels of an odd number of them; the first object takes them and the others go."""
    return _combine(document, ids, geometry.xor, phrase("Exclude the overlap"))


def _combine(document: Document, ids: Iterable[str], join: Callable[[Mask, Mask], Mask], title: str) -> Ids:
    first, *others = _regions(document, ids)
    mask = reduce(join, (_mask_of(document, i) for i in others), _mask_of(document, first))
    gone = {i.id for i in others} | ({first.id} if mask.is_empty else set())
    annotation = document.annotation
    kept = [i for i in annotation.instances if i.id not in gone]
    instances = tuple(_with_mask(i, mask) if i.id == first.id else i for i in kept)
    document.edit(Title(title), annotation.with_instances(instances))
    return () if mask.is_empty else (first.id,)


def _rebuild(
    document: Document, ids: Iterable[str], make: Callable[[Instance], list[Instance]], title: str
) -> Ids:
    """Put what `make` gives in each chosen object's place."""
    chosen = frozenset(ids)
    instances: list[Instance] = []
    result: list[str] = []
    for instance in document.annotation.instances:
        made = make(instance) if instance.id in chosen else [instance]
        instances += made
        if instance.id in chosen:
            result += [i.id for i in made]
    document.edit(Title(title), document.annotation.with_instances(tuple(instances)))
    return tuple(result)


def _parts(document: Document, instance: Instance, polygons: list[Polygon]) -> list[Instance]:
    if not polygons:
        return [instance]
    group = instance.group_id
    if len(polygons) > 1 and group is None:
        used = [i.group_id for i in document.annotation.instances if i.group_id is not None]
        group = max(used, default=0) + 1
    return [
        replace(
            instance,
            id=instance.id if number == 0 else new_instance_id(),
            geometry=polygon,
            group_id=group,
            provenance=replace(instance.provenance, edited=True),
        )
        for number, polygon in enumerate(polygons)
    ]


def _chosen(document: Document, ids: Iterable[str]) -> list[Instance]:
    found = (document.annotation.instance(i) for i in ids)
    return [instance for instance in found if instance is not None]


def _regions(document: Document, ids: Iterable[str]) -> list[Instance]:
    chosen = _chosen(document, ids)
    if len(chosen) < 2 or not all(is_region(i.geometry) for i in chosen):
        raise NotRegionsError("this needs two or more regions")
    return chosen


def _mask_of(document: Document, instance: Instance) -> Mask:
    height, width = document.annotation.height, document.annotation.width
    return geometry.rasterize(instance.geometry, height, width, rule="centers")


def _with_mask(instance: Instance, mask: Mask) -> Instance:
    return replace(instance, geometry=mask, provenance=replace(instance.provenance, edited=True))
