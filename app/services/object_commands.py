"""What the Edit and Object menus do to the selected objects: each one undoable step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from PySide6.QtCore import QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.document.document import LockedError
from app.editing import clipboard
from app.editing import combine as convert_selection
from app.editing.combine import NotRegionsError
from app.project.review import Review, ReviewStatus, review_of, with_review

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.document.document import Document
    from app.session import Session
    from converters.annotation import Instance

Ids: TypeAlias = tuple[str, ...]
DUPLICATE_OFFSET: Final = (10, 10)
POLYGON_TOLERANCE: Final = 0.75
"""How far, in pixels, a simplified outline may leave the mask's."""


class ObjectCommands(QObject):
    """Slots for the commands that change objects; what cannot be done is told in the status bar."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session

    @property
    def has_clipboard(self) -> bool:
        """Whether there is something to paste."""
        content = QGuiApplication.clipboard().mimeData()  # None while another program holds it
        return content is not None and content.hasFormat(clipboard.MIME_TYPE)

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
    def mark_reviewed(self) -> None:
        """Approves the picture's annotations; takes it back if they are approved already."""
        self._review(ReviewStatus.APPROVED)

    @Slot()
    def mark_rejected(self) -> None:
        """Says that the picture's annotations are to be redone; takes it back if that is said already."""
        self._review(ReviewStatus.REJECTED)

    def _review(self, status: ReviewStatus) -> None:
        """Gives the picture's review that state, or opens it again if it has it."""
        document = self._session.document
        if document is None:
            return
        is_given = review_of(document.annotation).status == status
        review = Review(ReviewStatus.OPEN if is_given else status)
        document.edit(review.title, with_review(document.annotation, review))

    @Slot()
    def copy(self) -> None:
        """Puts the selected objects on the system's clipboard, for any picture of any window."""
        chosen = self._session.selected_instances()
        if chosen:
            content = QMimeData()
            content.setData(clipboard.MIME_TYPE, clipboard.to_text(chosen, self._picture()).encode())
            QGuiApplication.clipboard().setMimeData(content)
            self._session.message.emit(tr("Objects copied: {count}", count=len(chosen)))

    @Slot()
    def paste(self) -> None:
        """Puts the copied objects into the open picture, at the same place, clipped to it."""
        if not self.has_clipboard:
            return
        data = QGuiApplication.clipboard().mimeData().data(clipboard.MIME_TYPE)
        found = clipboard.from_text(bytes(data.data()).decode("utf-8", "replace"))
        if found is not None:
            instances, source = found
            self._insert(instances, phrase("Paste {count} objects"), same_picture=source == self._picture())

    @Slot()
    def duplicate(self) -> None:
        """A copy of the selected objects, a little to the side."""
        self._insert(
            self._session.selected_instances(),
            phrase("Duplicate {count} objects"),
            same_picture=True,
            offset=DUPLICATE_OFFSET,
        )

    @Slot()
    def delete(self) -> None:
        document, chosen = self.unlocked()
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
        self._convert(convert_selection.fill_holes)

    @Slot()
    def keep_largest(self) -> None:
        self._convert(convert_selection.keep_largest_part)

    @Slot()
    def split_parts(self) -> None:
        self._convert(convert_selection.split_parts)

    @Slot()
    def union(self) -> None:
        self._convert(convert_selection.unite)

    @Slot()
    def subtract(self) -> None:
        self._convert(convert_selection.subtract)

    @Slot()
    def intersect(self) -> None:
        self._convert(convert_selection.intersect)

    @Slot()
    def exclude(self) -> None:
        self._convert(convert_selection.exclude)

    @Slot()
    def to_mask(self) -> None:
        self._convert(convert_selection.shapes_to_masks)

    @Slot()
    def to_polygon(self) -> None:
        self._convert(partial(convert_selection.masks_to_polygons, tolerance=POLYGON_TOLERANCE))

    def _convert(self, operation: Callable[[Document, Ids], Ids]) -> None:
        """Runs an operation on the selection and selects what came of it."""
        document = self._session.document
        if document is None or not self._session.selection:
            return
        revision = document.revision
        try:
            self._session.select(operation(document, self._session.selection))
        except LockedError:
            self._session.message.emit(tr("A locked object is in the way; unlock it first."))
            return
        except NotRegionsError:
            self._session.message.emit(tr("This needs two regions or more; lines and points have no inside."))
            return
        if document.revision == revision:
            self._session.message.emit(tr("Nothing changes."))

    @Slot()
    def remove_recolor(self) -> None:
        document, chosen = self.unlocked()
        changed = [replace(i, recolor=None) for i in chosen if i.recolor is not None]
        if document is not None and changed:
            document.replace(*changed, title=Title(phrase("Give back the original colour")))

    def unlocked(self) -> tuple[Document | None, list[Instance]]:
        """The document and the selected objects that may be changed; tells about locked ones."""
        selected = self._session.selected_instances()
        chosen = [instance for instance in selected if not instance.locked]
        if len(chosen) < len(selected):
            self._session.message.emit(
                tr("Locked objects stay as they are: {count}", count=len(selected) - len(chosen))
            )
        return self._session.document, chosen

    def _picture(self) -> str:
        """What the clipboard calls the open picture."""
        document = self._session.document
        return str(document.path) if document is not None else ""

    def _insert(
        self,
        instances: Sequence[Instance],
        pattern: str,
        *,
        same_picture: bool,
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        document = self._session.document
        if document is None or not instances:
            return
        pasted = clipboard.paste(instances, document.annotation, offset=offset, same_picture=same_picture)
        if pasted.instances:
            document.add(*pasted.instances, title=Title(pattern, count=len(pasted.instances)))
            self._session.select(instance.id for instance in pasted.instances)
        if pasted.clipped or pasted.dropped:
            self._session.message.emit(
                tr(
                    "Cut off at the border: {clipped}; outside the picture: {dropped}",
                    clipped=pasted.clipped,
                    dropped=pasted.dropped,
                )
            )

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
