"""Copying objects from one picture to another, also between two running windows.

What is copied travels as text, so the system's clipboard can carry it. Pasted objects are new ones:
fresh ids, no lock, groups of their own, and no part outside the picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from app.document.extent import pixel_extent
from app.document.instance_codec import decode_instance, encode_instance
from converters.annotation import Provenance, Seed, new_instance_id
from converters.errors import ConverterError
from converters.files.files import parse_json
from converters.shapes.kinds import kind_of, moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from converters.annotation import Geometry, ImageAnnotation, Instance

MIME_TYPE: Final = "application/x-seedhue-instances"
_FORMAT: Final = "seedhue-instances"


@dataclass(frozen=True, slots=True)
class Pasted:
    """What became of copied objects.

    Attributes:
        instances: ready for `document.add`.
        clipped: how many of them lost a part that lay outside the picture.
        dropped: how many lay outside altogether and are not among them.
    """

    instances: tuple[Instance, ...]
    clipped: int
    dropped: int


def to_text(instances: Iterable[Instance], source: str) -> str:
    """The instances as text for the clipboard; `source` names their picture (its absolute path)."""
    content = {"format": _FORMAT, "source": source, "instances": [encode_instance(i) for i in instances]}
    return json.dumps(content, default=str)


def from_text(text: str) -> tuple[tuple[Instance, ...], str] | None:
    """The instances on the clipboard and the picture they come from; None if it holds none."""
    try:
        content: Any = parse_json(text)
        if content["format"] != _FORMAT:
            return None
        return tuple(decode_instance(value) for value in content["instances"]), str(content["source"])
    except (ValueError, LookupError, TypeError, AttributeError, ConverterError):
        return None


def paste(
    instances: Sequence[Instance],
    annotation: ImageAnnotation,
    *,
    offset: tuple[int, int] = (0, 0),
    same_picture: bool = False,
) -> Pasted:
    """Copied instances as new ones for a picture.

    Args:
        annotation: the picture they go to.
        offset: moves them by whole pixels (x, y), so that a copy does not hide its original.
        same_picture: whether they come from this very picture: only then the seeds they grew from
            mean anything and are kept.
    """
    used = [i.group_id for i in annotation.instances if i.group_id is not None]
    next_group = max(used, default=0) + 1
    groups: dict[int, int] = {}
    kept: list[Instance] = []
    clipped = 0
    for instance in instances:
        shifted = moved(instance.geometry, *offset)
        geometry = clipped_to(shifted, annotation.height, annotation.width)
        if geometry is None:
            continue
        clipped += geometry != shifted
        group = instance.group_id
        if group is not None:
            group = groups.setdefault(group, next_group + len(groups))
        origin = Provenance()
        if same_picture:
            seeds = tuple(
                Seed(s.x + offset[0], s.y + offset[1], s.positive) for s in instance.provenance.seeds
            )
            origin = replace(instance.provenance, seeds=seeds)
        kept.append(
            replace(
                instance,
                id=new_instance_id(),
                geometry=geometry,
                group_id=group,
                locked=False,
                provenance=origin,
            )
        )
    return Pasted(tuple(kept), clipped, len(instances) - len(kept))


def clipped_to(geometry: Geometry, height: int, width: int) -> Geometry | None:
    """The part of the geometry inside a picture of that size; None if there is none.

    Exact for masks, polygons, boxes, lines and points. A circle, an oriented box and a chain of
    lines have no clipped form of their own: they stay whole as long as they touch the picture.
    """
    kind = kind_of(geometry)
    if kind.clipped is not None:
        clipped: Geometry | None = kind.clipped(geometry, height, width)
        return clipped
    box = pixel_extent(geometry)
    touches = box is not None and box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
    return geometry if touches else None
