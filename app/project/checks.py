"""Quality checks of a picture's labels, before they are exported or trained on.

Each finding names its objects and where to look. Nothing is changed; the window offers the objects
for selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.extent import PixelBox, pixel_extent
from converters.annotation import EMPTY_MASK, Geometry, ImageAnnotation, Instance, Mask
from converters.shapes.geometry import bounding_box, rasterize
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Check(Enum):
    """What can be wrong."""

    EMPTY = "empty"
    TINY = "tiny"
    OUTSIDE = "outside"
    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    NO_LABEL = "no label"
    UNKNOWN_LABEL = "unknown label"


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """From where on something is told.

    Attributes:
        tiny_area: regions with fewer pixels are told.
        duplicate_iou: two regions at least so alike are one object drawn twice.
        overlap_share: two objects of one label that share at least this part of the smaller one.
        labels: the allowed labels; empty: any.
    """

    tiny_area: int = 16
    duplicate_iou: float = 0.9
    overlap_share: float = 0.2
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Attributes:
        check: which check found it.
        ids: the objects concerned, in drawing order.
        message: what is wrong, in one sentence.
        box: half-open pixel box to show; None if it lies outside the picture.
        is_error: whether an export would be wrong, not merely doubtful.
    """

    check: Check
    ids: tuple[str, ...]
    message: Title
    box: PixelBox | None
    is_error: bool = False


def check_annotation(
    annotation: ImageAnnotation,
    limits: CheckLimits | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Finding]:
    """All findings of one picture, in drawing order of their first object; for a worker thread."""
    chosen = limits or CheckLimits()
    findings: list[Finding] = []
    regions: list[_Region] = []
    for order, instance in enumerate(annotation.instances):
        if should_stop():
            return []
        findings += _label_findings(instance, annotation, chosen)
        mask = _region_of(instance.geometry, annotation)
        findings += _shape_findings(instance, mask, annotation, chosen)
        if mask is not None and not mask.is_empty:
            regions.append(_Region(order, instance, mask, mask.area))
    for one, other in _touching(regions):
        if should_stop():
            return []
        findings += _pair_findings(one, other, chosen)
    places = {instance.id: order for order, instance in enumerate(annotation.instances)}
    return sorted(findings, key=lambda finding: places[finding.ids[0]])


@dataclass(frozen=True, slots=True)
class _Region:
    """An instance's pixels inside the picture, counted once."""

    order: int
    instance: Instance
    mask: Mask
    area: int


def _region_of(geometry: Geometry, annotation: ImageAnnotation) -> Mask | None:
    """The pixels inside the picture; None for lines and points, which have none of their own."""
    if not is_region(geometry):
        return None
    if isinstance(geometry, Mask):
        return geometry.clipped(annotation.height, annotation.width)
    if pixel_extent(geometry) is None:
        return EMPTY_MASK  # no vertices, or coordinates that are not finite
    return rasterize(geometry, annotation.height, annotation.width)


def _label_findings(
    instance: Instance, annotation: ImageAnnotation, limits: CheckLimits
) -> Iterator[Finding]:
    box = _visible(instance.geometry, annotation)
    if not instance.label.strip():
        yield Finding(Check.NO_LABEL, (instance.id,), Title(phrase("An object has no label.")), box, True)
    elif limits.labels and instance.label not in limits.labels:
        message = Title(
            phrase("The label {label} is not one of those declared in this folder."), label=instance.label
        )
        yield Finding(Check.UNKNOWN_LABEL, (instance.id,), message, box)


def _shape_findings(
    instance: Instance, mask: Mask | None, annotation: ImageAnnotation, limits: CheckLimits
) -> Iterator[Finding]:
    ids, label = (instance.id,), instance.label
    box = _visible(instance.geometry, annotation)
    if pixel_extent(instance.geometry) is None or (
        isinstance(instance.geometry, Mask) and instance.geometry.is_empty
    ):
        yield Finding(Check.EMPTY, ids, Title(phrase("{label} has no pixels."), label=label), box, True)
        return
    extent = bounding_box(instance.geometry)
    beyond = extent[2] < 0 or extent[3] < 0 or extent[0] > annotation.width or extent[1] > annotation.height
    if beyond or (mask is not None and mask.is_empty):
        message = Title(phrase("{label} lies outside the picture."), label=label)
        yield Finding(Check.OUTSIDE, ids, message, None, True)
        return
    if extent[0] < 0 or extent[1] < 0 or extent[2] > annotation.width or extent[3] > annotation.height:
        message = Title(phrase("A part of {label} lies outside the picture."), label=label)
        yield Finding(Check.OUTSIDE, ids, message, box)
    if mask is None:
        return
    if (area := mask.area) < limits.tiny_area:
        message = Title(phrase("{label} has only {count} pixels."), label=label, count=area)
        yield Finding(Check.TINY, ids, message, box)


def _touching(regions: list[_Region]) -> Iterator[tuple[_Region, _Region]]:
    """Pairs whose boxes meet: a sweep from left to right, far from all pairs on real pictures."""
    active: list[_Region] = []
    for region in sorted(regions, key=lambda each: each.mask.x0):
        box = region.mask.box
        active = [other for other in active if other.mask.x1 > box[0]]
        for other in active:
            if other.mask.y0 < box[3] and other.mask.y1 > box[1]:
                yield (other, region) if other.order < region.order else (region, other)
        active.append(region)


def _pair_findings(one: _Region, other: _Region, limits: CheckLimits) -> Iterator[Finding]:
    group = one.instance.group_id
    if group is not None and group == other.instance.group_id and one.instance.label == other.instance.label:
        return  # two parts of one object
    box = (
        max(one.mask.x0, other.mask.x0),
        max(one.mask.y0, other.mask.y0),
        min(one.mask.x1, other.mask.x1),
        min(one.mask.y1, other.mask.y1),
    )
    most = (box[2] - box[0]) * (box[3] - box[1])
    smaller = min(one.area, other.area)
    same_label = one.instance.label == other.instance.label
    needed = limits.overlap_share * smaller if same_label else limits.duplicate_iou * smaller
    if most < needed:
        return
    shared = int((one.mask.window(box) & other.mask.window(box)).sum())
    ids = (one.instance.id, other.instance.id)
    names = {"label": one.instance.label, "other": other.instance.label}
    if shared >= limits.duplicate_iou * (one.area + other.area - shared):
        if same_label:
            message = Title(phrase("{label} is there twice."), label=one.instance.label)
        else:
            message = Title(phrase("{label} and {other} are the same region."), **names)
        yield Finding(Check.DUPLICATE, ids, message, box, same_label)
    elif same_label and shared >= limits.overlap_share * smaller:
        share = round(100 * shared / smaller)
        message = Title(
            phrase("Two objects {label} share {percent} % of the smaller."), percent=share, **names
        )
        yield Finding(Check.OVERLAP, ids, message, box)


def _visible(geometry: Geometry, annotation: ImageAnnotation) -> PixelBox | None:
    box = pixel_extent(geometry)
    if box is None:
        return None
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(annotation.width, box[2]), min(annotation.height, box[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
