"""What the Edit and Object menus do to the selected objects: each one undoable step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Slot

from app.core.title import Title
from app.i18n import phrase, tr
from converters.annotation import Instance, Mask, Polygon, Provenance, new_instance_id
from converters.geometry import (
    difference,
    fill_holes,
    intersection,
    join_rings,
    largest_part,
    mask_iou,
    mask_to_rings,
    rasterize,
    union,
    xor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.core.document import Document
    from app.session import Session

POLYGON_TOLERANCE: Final = 0.75
"""How far, in pixels, a simplified outline may leave the mask's."""


class ObjectCommands(QObject):
    """Slots for the commands that change objects; what cannot be done is told in the status bar."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._clipboard: tuple[Instance, ...] = ()

    @property
    def has_clipboard(self) -> bool:
        """Whether there is something to paste."""
        return bool(self._clipboard)

    @Slot()
    def undo(self) -> None:
        document = self._session.document
        change = document.undo() if document is not None else None
        if change is not None:
            self._session.message.emit(tr("Undone: {title}", title=change.title.translated()))

    @Slot()
    def redo(self) -> None:
        document = self._session.document
        change = document.redo() if document is not None else None
        if change is not None:
            self._session.message.emit(tr("Done again: {title}", title=change.title.translated()))

    @Slot()
    def copy(self) -> None:
        self._clipboard = self._session.selected_instances()
        self._session.message.emit(tr("Objects copied: {count}", count=len(self._clipboard)))

    @Slot()
    def paste(self) -> None:
        """Puts the copied objects into the open picture, at the same place, clipped to it."""
        self._insert(self._clipboard, Title(phrase("Paste {count} objects"), count=len(self._clipboard)))

    @Slot()
    def duplicate(self) -> None:
        chosen = self._session.selected_instances()
        self._insert(chosen, Title(phrase("Duplicate {count} objects"), count=len(chosen)))

    @Slot()
    def delete(self) -> None:
        document, chosen = self._unlocked()
        if document is not None and chosen:
            document.remove([instance.id for instance in chosen])

    @Slot()
    def select_all(self) -> None:
        if self._session.document is not None:
            hidden = self._session.hidden
            instances = self._session.document.annotation.instances
            self._session.select(i.id for i in instances if i.id not in hidden)

    @Slot()
    def select_none(self) -> None:
        self._session.select(())

    @Slot()
    def lock(self) -> None:
        """Locks the selected objects; unlocks them if all are locked."""
        chosen = self._session.selected_instances()
        if self._session.document is not None and chosen:
            self._session.document.set_locked([i.id for i in chosen], not all(i.locked for i in chosen))

    @Slot()
    def hide(self) -> None:
        """Hides the selected objects; shows them if all are hidden."""
        chosen, hidden = set(self._session.selection), self._session.hidden
        self._session.set_hidden(hidden - chosen if chosen <= hidden else hidden | chosen)

    @Slot()
    def show_all(self) -> None:
        self._session.set_hidden(())

    @Slot()
    def raise_object(self) -> None:
        self._move_by(1)

    @Slot()
    def lower_object(self) -> None:
        self._move_by(-1)

    @Slot()
    def fill_holes(self) -> None:
        self._reshape_masks(phrase("Fill holes"), fill_holes)

    @Slot()
    def keep_largest(self) -> None:
        self._reshape_masks(phrase("Keep the largest part"), largest_part)

    @Slot()
    def union(self) -> None:
        self._combine(phrase("Union"), union)

    @Slot()
    def subtract(self) -> None:
        self._combine(phrase("Subtract"), difference, keep_others=True)

    @Slot()
    def intersect(self) -> None:
        self._combine(phrase("Intersection"), intersection)

    @Slot()
    def exclude(self) -> None:
        self._combine(phrase("Exclude the overlap"), xor)

    @Slot()
    def to_mask(self) -> None:
        """Turns the selected shapes into the pixels they cover."""
        document, chosen = self._unlocked()
        if document is None:
            return
        height, width = document.annotation.height, document.annotation.width
        changed = [
            replace(instance, geometry=rasterize(instance.geometry, height, width, rule="centers"))
            for instance in chosen
            if not isinstance(instance.geometry, Mask)
        ]
        changed = [i for i in changed if isinstance(i.geometry, Mask) and not i.geometry.is_empty]
        if changed:
            document.replace(*changed, title=Title(phrase("Shape to mask")))
        else:
            self._session.message.emit(tr("Nothing to turn into a mask here."))

    @Slot()
    def to_polygon(self) -> None:
        """Turns the selected masks into polygons: one per part, those of one mask share a group."""
        document, chosen = self._unlocked()
        if document is None:
            return
        masks = [instance for instance in chosen if isinstance(instance.geometry, Mask)]
        if not masks:
            self._session.message.emit(tr("Nothing to turn into a polygon here."))
            return
        annotation = document.annotation
        groups = [i.group_id for i in annotation.instances if i.group_id is not None]
        next_group = max(groups, default=0) + 1
        made: dict[str, tuple[Instance, ...]] = {}
        agreement = 1.0
        for instance in masks:
            assert isinstance(instance.geometry, Mask)
            parts = _polygons(instance.geometry)
            group = instance.group_id
            if len(parts) > 1 and group is None:
                group, next_group = next_group, next_group + 1
            first = replace(instance, geometry=parts[0], group_id=group)
            others = (replace(first, id=new_instance_id(), geometry=part) for part in parts[1:])
            made[instance.id] = (first, *others)
            again = union_all(
                [rasterize(part, annotation.height, annotation.width, rule="centers") for part in parts]
            )
            agreement = min(agreement, mask_iou(again, instance.geometry))
        instances = tuple(new for old in annotation.instances for new in made.get(old.id, (old,)))
        document.edit(Title(phrase("Mask to polygon")), annotation.with_instances(instances))
        self._session.select(i.id for pieces in made.values() for i in pieces)
        points = sum(
            len(i.geometry.points) for p in made.values() for i in p if isinstance(i.geometry, Polygon)
        )
        percent = f"{100 * agreement:.1f}"
        self._session.message.emit(
            tr("Polygons: {points} points, {percent} % the same region", points=points, percent=percent)
        )

    @Slot()
    def remove_recolor(self) -> None:
        document, chosen = self._unlocked()
        changed = [replace(i, recolor=None) for i in chosen if i.recolor is not None]
        if document is not None and changed:
            document.replace(*changed, title=Title(phrase("Give back the original colour")))

    def _unlocked(self) -> tuple[Document | None, list[Instance]]:
        """The document and the selected objects that may be changed; tells about locked ones."""
        selected = self._session.selected_instances()
        chosen = [instance for instance in selected if not instance.locked]
        if len(chosen) < len(selected):
            self._session.message.emit(
                tr("Locked objects stay as they are: {count}", count=len(selected) - len(chosen))
            )
        return self._session.document, chosen

    def _insert(self, instances: tuple[Instance, ...], title: Title) -> None:
        document = self._session.document
        if document is None or not instances:
            return
        copies = []
        for instance in instances:
            geometry = instance.geometry
            if isinstance(geometry, Mask):
                geometry = geometry.clipped(document.annotation.height, document.annotation.width)
                if geometry.is_empty:
                    continue
            copies.append(replace(instance, id=new_instance_id(), geometry=geometry, locked=False))
        if copies:
            document.add(*copies, title=title)
            self._session.select(copy.id for copy in copies)

    def _move_by(self, step: int) -> None:
        document = self._session.document
        chosen = set(self._session.selection)
        if document is None or not chosen:
            return
        order = document.annotation.instances
        places = [number for number, instance in enumerate(order) if instance.id in chosen]
        below = sum(1 for instance in order[: min(places)] if instance.id not in chosen)
        if step > 0:
            below = sum(1 for instance in order[: max(places)] if instance.id not in chosen)
        document.move(chosen, max(0, below + step))

    def _reshape_masks(self, title: str, operation: Callable[[Mask], Mask]) -> None:
        document, chosen = self._unlocked()
        changed = []
        for instance in chosen:
            if isinstance(instance.geometry, Mask):
                mask = operation(instance.geometry)
                if mask != instance.geometry:
                    changed.append(_edited(instance, mask))
        if document is not None and changed:
            document.replace(*changed, title=Title(title))
        else:
            self._session.message.emit(tr("Nothing changes."))

    def _combine(
        self, title: str, operation: Callable[[Mask, Mask], Mask], *, keep_others: bool = False
    ) -> None:
        """Folds the selected objects into the first selected one, which keeps its label."""
        document, chosen = self._unlocked()
        if document is None or len(chosen) < 2:
            return
        height, width = document.annotation.height, document.annotation.width
        first, *others = chosen
        result = rasterize(first.geometry, height, width, rule="centers")
        for other in others:
            result = operation(result, rasterize(other.geometry, height, width, rule="centers"))
        if result.is_empty:
            self._session.message.emit(tr("Nothing would be left; nothing was changed."))
            return
        gone = set() if keep_others else {other.id for other in others}
        instances = tuple(
            _edited(i, result) if i.id == first.id else i
            for i in document.annotation.instances
            if i.id not in gone
        )
        document.edit(Title(title), document.annotation.with_instances(instances))
        self._session.select((first.id,))


def union_all(masks: list[Mask]) -> Mask:
    """Pixels of any of the masks (at least one)."""
    result = masks[0]
    for mask in masks[1:]:
        result = union(result, mask)
    return result


def _polygons(mask: Mask) -> list[Polygon]:
    """One polygon per part, its holes joined to it; details below the tolerance are smoothed away."""
    rings = mask_to_rings(mask, POLYGON_TOLERANCE)
    return [join_rings([outer, *holes]) for outer, holes in rings]


def _edited(instance: Instance, mask: Mask) -> Instance:
    provenance: Provenance = replace(instance.provenance, edited=True)
    return replace(instance, geometry=mask, provenance=provenance)
