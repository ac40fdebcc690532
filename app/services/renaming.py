"""Gives a label another name: in the open picture, or in every picture of the folder that has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import tr

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from app.services.folder_labels import FolderLabels
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.session import Session
    from app.workers.failure import Failure


@dataclass(slots=True)
class _Round:
    """A rename on its way through the folder."""

    label: str
    name: str
    waiting: list[Path]
    pictures: int = 0
    objects: int = 0
    problems: list[str] = field(default_factory=list)


class LabelRenaming(QObject):
    """One undoable step in each picture; pictures that are not open are opened one after the other, their
    unsaved work with them, and autosave follows.

    Signals:
        busy_changed: text for the status bar, None when nothing is renamed.
    """

    busy_changed = Signal(object)

    def __init__(
        self,
        session: Session,
        pictures: Pictures,
        saving: Saving,
        folder_labels: FolderLabels,
        notices: NotificationCentre,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._pictures = pictures
        self._saving = saving
        self._folder_labels = folder_labels
        self._notices = notices
        self._rounds: list[_Round] = []
        pictures.document_opened.connect(self._take)
        pictures.document_failed.connect(self._skip)
        pictures.list_changed.connect(self._forget_list)

    def rename(self, label: str, name: str, *, everywhere: bool) -> None:
        """Renames here, and with `everywhere` in the folder's other pictures, too."""
        here, document = self._pictures.current, self._session.document
        others = [path for path in self._folder_labels.pictures_that_may_have(label) if path != here]
        count = _relabel(document, label, name) if document is not None else 0
        if everywhere:
            self._session.rename_label(label, name)
            self._rounds.append(_Round(label, name, others, int(count > 0), count))
            if len(self._rounds) == 1:
                self.busy_changed.emit(tr("Renaming…"))
                self._go_on()
        elif label in self._session.labels.declared:
            self._session.add_label(name)

    def _go_on(self) -> None:
        if not self._rounds:
            return
        current = self._rounds[0]
        if current.waiting:
            self._pictures.ask_document(current.waiting[0])
            return
        self._rounds.pop(0)
        self._session.message.emit(
            tr(
                "Renamed: {count} objects in {pictures} pictures. Undo takes it back picture by picture.",
                count=current.objects,
                pictures=current.pictures,
            )
        )
        if current.problems:
            self._tell_left_out(current.label, current.problems)
        self.busy_changed.emit(tr("Renaming…") if self._rounds else None)
        self._go_on()

    @Slot(object, object)
    def _take(self, path: Path, document: Document) -> None:
        current = self._rounds[0] if self._rounds else None
        if current is None or current.waiting[:1] != [path]:
            return
        current.waiting.pop(0)
        count = _relabel(document, current.label, current.name)
        if count and document is not self._session.document:
            self._pictures.note_edit(document)
            self._saving.follow_edit_of(document)
        self._pictures.drop_old_documents()
        current.objects += count
        current.pictures += count > 0
        self._go_on()

    @Slot(object, object)
    def _skip(self, path: Path, failure: Failure) -> None:
        current = self._rounds[0] if self._rounds else None
        if current is not None and current.waiting[:1] == [path]:
            current.waiting.pop(0)
            current.problems.append(f"{path.name}: {failure.title}")
            self._go_on()

    @Slot()
    def _forget_list(self) -> None:
        """Another folder is open; what was not renamed is told."""
        for left in self._rounds:
            if left.waiting:
                self._tell_left_out(left.label, [path.name for path in left.waiting])
        self._rounds.clear()
        self.busy_changed.emit(None)

    def _tell_left_out(self, label: str, pictures: list[str]) -> None:
        title = tr("“{label}” was not renamed in {count} pictures.", label=label, count=len(pictures))
        self._notices.post("warning", title, details="\n".join(pictures))


def _relabel(document: Document, label: str, name: str) -> int:
    """How many objects of the document got another label."""
    ids = [instance.id for instance in document.annotation.instances if instance.label == label]
    if ids:
        document.relabel(ids, name)
    return len(ids)
