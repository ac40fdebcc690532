"""What an edit meant: which instances came, went or changed, and what must be painted anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.document.extent import PixelBox, pixel_extent, union_extent

if TYPE_CHECKING:
    from app.appearance.title import Title
    from app.document.diff import AnnotationDiff, Rewrite
    from converters.annotation import ImageAnnotation


@dataclass(frozen=True, slots=True)
class Change:
    """What subscribers are told after every edit, undo and redo.

    Attributes:
        title: what was done, English ("Add person"); `Title.translated` says it in any language.
        added, removed, changed: instance ids. One that only moved in the order counts as changed.
        region: half-open pixel box whose overlay must be repainted; None: nothing visible changed.
        fields: the picture's own fields that changed ("flags", "extra", ...).
        kind: whether it was an edit, its undoing or its redoing.
    """

    title: Title
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    region: PixelBox | None = None
    fields: tuple[str, ...] = ()
    kind: Literal["edit", "undo", "redo"] = "edit"

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed at all."""
        return not (self.added or self.removed or self.changed or self.fields)


def describe(
    title: Title,
    states: tuple[ImageAnnotation, ImageAnnotation],
    diff: AnnotationDiff,
    *,
    kind: Literal["edit", "undo", "redo"] = "edit",
) -> Change:
    """What the diff between the two states (before, after) means for those who show them."""
    arriving = {placed.instance.id for placed in diff.added}
    leaving = {placed.instance.id for placed in diff.removed}
    boxes = [pixel_extent(placed.instance.geometry) for placed in diff.added + diff.removed]
    repainted = {r.before.id for r in diff.rewritten if _looks_different(r)}
    if repainted:
        for state in states:
            boxes += [pixel_extent(i.geometry) for i in state.instances if i.id in repainted]
    before = states[0]
    return Change(
        title,
        added=tuple(p.instance.id for p in diff.added if p.instance.id not in leaving),
        removed=tuple(p.instance.id for p in diff.removed if p.instance.id not in arriving),
        changed=tuple(r.before.id for r in diff.rewritten)
        + tuple(p.instance.id for p in diff.added if p.instance.id in leaving),
        region=union_extent(boxes, before.height, before.width),
        fields=tuple(diff.fields_after),
        kind=kind,
    )


def _looks_different(rewrite: Rewrite) -> bool:
    """Whether the two versions of an instance are painted differently."""
    one, other = rewrite.before, rewrite.after
    return (
        is_reshaped(rewrite)
        or one.label != other.label
        or one.recolor != other.recolor
        or one.iscrowd != other.iscrowd
    )


def is_reshaped(rewrite: Rewrite) -> bool:
    """Whether the two versions of an instance cover different pixels."""
    if rewrite.patch is not None:
        return bool(rewrite.patch.bits)
    one, other = rewrite.before.geometry, rewrite.after.geometry
    return one is not other and (type(one) is not type(other) or one != other)
