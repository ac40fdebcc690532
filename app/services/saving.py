"""Autosave: every edit reaches the annotation file beside the picture, a moment later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.appearance.i18n import tr
from app.project.workspace import ForeignChangeError
from app.workers.saving import SaveAnnotation, SaveSettings, save_job
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
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
        written_changed: a save failed, or one that had failed succeeded or is not needed any more.
    """

    state_changed = Signal(str)
    saved = Signal(object)
    written_changed = Signal()

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
        self._failed: dict[Path, Failure] = {}
        self._asked: set[Path] = set()
        self._settings_failed: tuple[SaveSettings, Failure] | None = None
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
        pictures.edited.connect(self._show_state)

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
        document = self._session.document
        if document is None or document.path is None:
            return
        if document.path in self._protected:
            if always:
                self._ask_about_damage(document.path)
            return
        if document.is_modified or always:
            if always:
                self._asked.add(document.path)
            self._submit(document, replace_foreign=replace_foreign)
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
        if document.path is not None and document.path not in self._protected:
            self._submit(document)

    def save_again(self, document: Document | None, *, replace_foreign: bool = False) -> None:
        """Writes a document whose saving failed, shown or not."""
        if document is None or document is self._session.document:
            self.save_now(always=True, replace_foreign=replace_foreign)
        elif document.path is not None:
            self._asked.add(document.path)
            self._submit(document, replace_foreign=replace_foreign)

    def problem_of(self, document: Document) -> str:
        """Why a document's work is not in its annotation file; empty if it is or soon will be."""
        if document.path is None or not document.is_modified:
            return ""
        if document.path in self._protected:
            return tr("its annotation file is damaged and is not overwritten")
        failure = self._failed.get(document.path)
        return failure.title if failure is not None else ""

    def will_save(self, document: Document) -> bool:
        """Whether a document's work will be in its annotation file without anybody asking."""
        return self._autosave and not self.problem_of(document)

    @property
    def settings_problem(self) -> str:
        """Why the settings could not be written; empty while they can."""
        return self._settings_failed[1].title if self._settings_failed is not None else ""

    def try_again(self) -> None:
        """Writes once more what could not be written; not where somebody has to decide first."""
        for document in self._pictures.documents:
            failure = self._failed.get(document.path) if document.path is not None else None
            if failure is not None and failure.kind != ForeignChangeError.__name__ and document.is_modified:
                self._submit(document)
        if self._settings_failed is not None:
            self.runner.submit(self._settings_failed[0], key="settings")

    def write_all(self, *, asked: bool = False) -> None:
        """Starts to write every document that autosave would write sooner or later.

        Args:
            asked: the user began something that needs what is saved: also without autosave.
        """
        if self._autosave or asked:
            self._timer.stop()
            self._longest.stop()
            for document in self._pictures.documents:
                if document.is_modified and document.path not in self._protected:
                    self._submit(document)

    def _submit(self, document: Document, *, replace_foreign: bool = False) -> None:
        path = document.path
        workspace = self._pictures.home_of(path) if path is not None else None
        if path is not None and workspace is not None:
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
        if isinstance(request, SaveSettings) and self._settings_failed is not None:
            self._settings_failed = None
            self.written_changed.emit()
        if not isinstance(request, SaveAnnotation):
            return
        self._failed.pop(request.path, None)
        self._asked.discard(request.path)
        request.document.mark_saved(request.state)
        self._pictures.note_edit(request.document)
        if request.document is self._session.document:
            self._show_state()
        self.saved.emit(file)

    @Slot(object, object)
    def _fail(self, request: SaveRequest, failure: Failure) -> None:
        if isinstance(request, SaveSettings):
            if self._settings_failed is None or self._settings_failed[1].title != failure.title:
                self._notices.report(failure)
            self._settings_failed = request, failure
        elif isinstance(request, SaveAnnotation):
            self._fail_annotation(request, failure)
        else:
            self._notices.report(failure)
        self.written_changed.emit()

    def _fail_annotation(self, request: SaveAnnotation, failure: Failure) -> None:
        known = self._failed.get(request.path)
        is_new = known is None or known.title != failure.title or request.path in self._asked
        self._failed[request.path] = failure
        self._asked.discard(request.path)
        if request.document is self._session.document:
            self._show_state()
        if not is_new:
            return
        decision = _Decision(self, request.path, request.document)
        if failure.kind == ForeignChangeError.__name__:
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
