"""The lines of a journal: JSON, one record each, with a checksum against torn and damaged ones.

A line is `["<crc32, 8 hex digits>",<record>]`. The first record holds the picture's whole state, the
others what happened since; they tell only the way forward, because a reader has the state before.

    {"journal": 1, "picture": path, "file": [bytes, time], "state": n, "base": annotation}
    {"do": [title pattern, its values], "state": n, "diff": {...}}      a step
    {"do": ..., "state": n, "diff": {...}, "merge": true}               instead of the last step
    {"drop": true}, {"undo": true}, {"redo": true}, {"saved": n}
"""

from __future__ import annotations

import json
import zlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from app.appearance.title import Title
from app.document.diff import NO_PATCH, PICTURE_FIELDS, AnnotationDiff, DiffError, Placed, Rewrite
from app.document.instance_codec import (
    decode_field,
    decode_instance,
    decode_mask,
    encode_annotation,
    encode_field,
    encode_instance,
    encode_mask,
)
from app.document.mask_patch import MaskPatch
from converters.annotation import EMPTY_MASK, ImageAnnotation, Instance, Mask
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.document.history import Step

FORMAT: Final = 1
_INSTANCE_FIELDS: Final = tuple(f.name for f in fields(Instance) if f.name != "id")


def to_line(record: Mapping[str, Any]) -> bytes:
    """The record as a journal line, newline included."""
    # default=str: a foreign value that is no JSON must not cost the user the step.
    text = json.dumps(record, ensure_ascii=True, separators=(",", ":"), default=str)
    body = text.encode("ascii")
    return b'["%08x",%s]\n' % (zlib.crc32(body), body)


def from_line(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if the line is torn or damaged."""
    body = line[12:-2]
    if not line.endswith(b"]\n") or line[:12] != b'["%08x",' % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def header_record(picture: Path, annotation: ImageAnnotation, state: int) -> dict[str, Any]:
    """The journal's first record."""
    known = {"journal": FORMAT, "picture": str(picture), "file": file_facts(picture)}
    return {**known, "state": state, "base": encode_annotation(annotation)}


def file_facts(picture: Path) -> list[int] | None:
    """Size in bytes and time of change in ns, by which a moved picture is known again; None without one."""
    try:
        facts = picture.stat()
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns]


def step_record(step: Step, *, merge: bool = False) -> dict[str, Any]:
    """The record of one step."""
    record: dict[str, Any] = {
        "do": [step.title.pattern, step.title.values],
        "state": step.state,
        "diff": encode_diff(step.diff),
    }
    if merge:
        record["merge"] = True
    return record


def decode_title(value: Any) -> Title:
    """The title of a step's record."""
    pattern, values = value
    return Title(str(pattern), **values)


def encode_diff(diff: AnnotationDiff) -> dict[str, Any]:
    """The way forward of a diff: what leaves, what comes, what is set.

    out: ids; in: [place, instance], or [place, id] of one that only moves; set: an id with the
    fields that change, and under "flip" the pixels of its mask that do; picture: its own fields.
    """
    leaving = {placed.instance.id: placed.instance for placed in diff.removed}
    value: dict[str, Any] = {}
    if diff.removed:
        value["out"] = list(leaving)
    if diff.added:
        value["in"] = [
            [
                p.index,
                p.instance.id if leaving.get(p.instance.id) is p.instance else encode_instance(p.instance),
            ]
            for p in diff.added
        ]
    if diff.rewritten:
        value["set"] = [_encode_rewrite(rewrite) for rewrite in diff.rewritten]
    if diff.fields_after:
        value["picture"] = {name: encode_field(name, new) for name, new in diff.fields_after.items()}
    return value


def decode_diff(value: Mapping[str, Any], state: ImageAnnotation) -> AnnotationDiff:
    """The diff, both ways, from its way forward and the state it begins at.

    Raises:
        DiffError: it does not fit that state.
        ConverterError, KeyError, TypeError, ValueError: it is no such value.
    """
    places = {instance.id: index for index, instance in enumerate(state.instances)}

    def known(instance_id: str) -> Instance:
        if instance_id not in places:
            raise DiffError(f"no instance {instance_id} in this state")
        return state.instances[places[instance_id]]

    removed = sorted((Placed(places[known(i).id], known(i)) for i in value.get("out", ())), key=_place)
    added = [
        Placed(index, known(content) if isinstance(content, str) else decode_instance(content))
        for index, content in value.get("in", ())
    ]
    rewritten = [_decode_rewrite(change, known(change["id"])) for change in value.get("set", ())]
    picture = value.get("picture", {})
    if not picture.keys() <= set(PICTURE_FIELDS):
        raise DiffError("an unknown field of the picture")
    return AnnotationDiff(
        tuple(removed),
        tuple(added),
        tuple(rewritten),
        FrozenMap({name: getattr(state, name) for name in picture}),
        FrozenMap({name: decode_field(name, new) for name, new in picture.items()}),
    )


def _place(placed: Placed) -> int:
    return placed.index


def _encode_rewrite(rewrite: Rewrite) -> dict[str, Any]:
    before, after = rewrite.before, rewrite.after
    value: dict[str, Any] = {"id": after.id}
    for name in _INSTANCE_FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old is not new and old != new:
            value[name] = encode_field(name, new)
    if rewrite.patch is not None and rewrite.patch.bits:
        value["flip"] = encode_mask(rewrite.patch.mask)
    return value


def _decode_rewrite(value: Mapping[str, Any], before: Instance) -> Rewrite:
    new = {name: decode_field(name, content) for name, content in value.items() if name not in ("id", "flip")}
    after = replace(before, **new)
    if "flip" in value:
        patch = MaskPatch.of(decode_mask(value["flip"]))
    elif isinstance(before.geometry, Mask) and "geometry" not in new:
        patch = NO_PATCH
    else:
        return Rewrite(before, after)
    if not isinstance(before.geometry, Mask):
        raise DiffError(f"instance {before.id} is not a mask in this state")
    return Rewrite(replace(before, geometry=EMPTY_MASK), replace(after, geometry=EMPTY_MASK), patch)
