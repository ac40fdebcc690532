"""Autosave: every edit reaches the annotation file beside the picture, a moment later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.appearance.i18n import tr
from app.workers.saving import SaveAnnotation, save_job
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from app.project.workspace import Workspace
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.session import Session
    from app.workers.failure import Failure
    from app.workers.pictures import LoadedPicture
    from app.workers.saving import SaveRequest

DELAY_MS: Final = 700
LONGEST_DELAY_MS: Final = 4000
"""A stroke that goes on and on is saved in between."""


class Saving(QObject):
    """Owns the saver thread.

    A picture whose annotation file is damaged is not saved until the user says so: the file might
    be mended, and nothing overwrites it unasked.

    Signals:
        state_changed: "none", "saved", "saving", "modified", "failed" or "read-only", of the open
            picture.
        saved: the Path of the annotation file written.
    """

    state_changed = Signal(str)
    saved = Signal(object)

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        pictures: Pictures,
        *,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._pictures = pictures
        self._state = "none"
        self._autosave = True
        self._protected: set[Path] = set()
        self._failed: set[Path] = set()
        self._timer = _single_shot(self, DELAY_MS)
        self._timer.timeout.connect(self.save_now)
        self._longest = _single_shot(self, LONGEST_DELAY_MS)
        self._longest.timeout.connect(self.save_now)
        self.runner = TaskRunner(save_job, name="saver", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        session.document_opened.connect(self._show_state)
        session.document_changed.connect(self._follow_edit)
        session.arrivals.arrived.connect(self.follow_arrival)
        pictures.loaded.connect(self._look_at)

    @property
    def state(self) -> str:
        """As `state_changed` told last."""
        return self._state

    def set_autosave(self, on: bool) -> None:
        """Whether edits are saved without being asked."""
        self._autosave = on

    @Slot()
    def save_now(self, *, always: bool = False, replace_foreign: bool = False) -> None:
        """Writes the open picture's annotation if it changed.

        Args:
            always: the user asked: also if nothing changed, and a message says so.
        """
        self._timer.stop()
        self._longest.stop()
        document, workspace = self._session.document, self._pictures.workspace
        if document is None or document.path is None or workspace is None:
            return
        if document.path in self._protected:
            if always:
                self._ask_about_damage(document.path)
            return
        if document.is_modified or always:
            self._submit(document, document.path, workspace, replace_foreign=replace_foreign)
            self._set_state("saving")

    def follow_edit_of(self, document: Document) -> None:
        """A document was edited that is not shown: autosave writes it at once."""
        if self._autosave:
            self._write(document)

    @Slot(object)
    def follow_arrival(self, document: Document) -> None:
        """An edit reached a picture that has been left: it is written as the picture was then."""
        if document is not self._session.document:
            self._pictures.note_edit(document)
            self._write(document)

    def _write(self, document: Document) -> None:
        workspace = self._pictures.workspace
        is_protected = document.path in self._protected
        if not is_protected and document.path is not None and workspace is not None:
            self._submit(document, document.path, workspace)

    def save_again(self, document: Document | None, *, replace_foreign: bool = False) -> None:
        """Writes a document whose saving failed, shown or not."""
        workspace = self._pictures.workspace
        if document is None or document is self._session.document:
            self.save_now(always=True, replace_foreign=replace_foreign)
        elif document.path is not None and workspace is not None:
            self._submit(document, document.path, workspace, replace_foreign=replace_foreign)

    def _submit(
        self, document: Document, path: Path, workspace: Workspace, *, replace_foreign: bool = False
    ) -> None:
        request = SaveAnnotation(
            workspace, path, document.annotation, document.state, document, replace_foreign
        )
        self.runner.submit(request, key=str(path))

    def shutdown(self) -> bool:
        """Saves what is modified, waits for the disk and joins the thread."""
        if self._autosave:
            self.save_now()
        self._timer.stop()
        self._longest.stop()
        return self.runner.shutdown(finish=True, wait_ms=30_000)

    @Slot()
    def _follow_edit(self) -> None:
        document = self._session.document
        if document is None:
            return
        self._show_state()
        if self._autosave and document.is_modified:
            self._timer.start()
            if not self._longest.isActive():
                self._longest.start()

    @Slot(object)
    def _look_at(self, loaded: LoadedPicture) -> None:
        """A damaged annotation file protects itself; restored work is saved soon."""
        if loaded.damage is not None:
            self._protected.add(loaded.path)
            self._notices.report(
                loaded.damage,
                retry_title=tr("Set it aside and start anew"),
                retry=_Decision(self, loaded.path).set_aside,
            )
        self._follow_edit()

    def _ask_about_damage(self, path: Path) -> None:
        self._notices.post(
            "warning",
            tr("The annotation file of {name} is damaged and was not overwritten.", name=path.name),
            remedy=tr("Mend it with a text editor, or keep it under another name and save anew."),
            retry_title=tr("Set it aside and start anew"),
            retry=_Decision(self, path).set_aside,
        )

    def unprotect(self, path: Path) -> None:
        """The user decided: the damaged file gets another name with the next save."""
        self._protected.discard(path)
        self._show_state()
        document = self._session.document
        if document is not None and document.path == path:
            self.save_now(always=True)

    @Slot(object, object)
    def _take(self, request: SaveRequest, file: Path) -> None:
        if not isinstance(request, SaveAnnotation):
            return
        self._failed.discard(request.path)
        self._mark_saved(request.document, request.state)
        self._pictures.refresh_state(request.path)
        if request.document is self._session.document:
            self._show_state()
        self.saved.emit(file)

    def _mark_saved(self, document: Document, state: int) -> None:
        document.mark_saved(state)
        workspace = self._pictures.workspace
        if workspace is not None and document.path is not None:
            workspace.set_modified(document.path, document.is_modified)

    @Slot(object, object)
    def _fail(self, request: SaveRequest, failure: Failure) -> None:
        if not isinstance(request, SaveAnnotation):
            self._notices.report(failure)
            return
        self._failed.add(request.path)
        if request.document is self._session.document:
            self._show_state()
        decision = _Decision(self, request.path, request.document)
        if failure.kind == "ForeignChangeError":
            title, action = tr("Replace it (it is kept)"), decision.replace_foreign
        else:
            title, action = tr("Retry"), decision.retry
        self._notices.report(failure, retry_title=title, retry=action)

    @Slot()
    def _show_state(self) -> None:
        document = self._session.document
        if document is None or document.path is None:
            self._set_state("none")
        elif document.path in self._protected:
            self._set_state("read-only")
        elif document.path in self._failed and document.is_modified:
            self._set_state("failed")
        elif document.is_modified:
            self._set_state("modified")
        else:
            self._set_state("saved")

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)


class _Decision:
    """What the buttons of a notice do, for one picture."""

    def __init__(self, saving: Saving, path: Path, document: Document | None = None) -> None:
        self._saving = saving
        self._path = path
        self._document = document

    def set_aside(self) -> None:
        self._saving.unprotect(self._path)

    def retry(self) -> None:
        self._saving.save_again(self._document)

    def replace_foreign(self) -> None:
        self._saving.save_again(self._document, replace_foreign=True)


def _single_shot(parent: QObject, delay: int) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(delay)
    return timer
