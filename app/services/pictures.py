"""Opens folders and pictures, goes from one to the next, and keeps the list's states in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import tr
from app.services.loading_news import LoadingNews
from app.services.open_documents import OpenDocuments
from app.workers.pictures import (
    LoadedPicture,
    LoadPicture,
    OpenDocument,
    OpenedDocument,
    OpenedList,
    OpenPaths,
    PruneJournals,
    ReadStates,
    StateRead,
    UnsavedFound,
    picture_job,
)
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.document.document import Document
    from app.project.workspace import Workspace
    from app.services.notifications import NotificationCentre
    from app.session import Session
    from app.workers.failure import Failure
    from converters.annotation import ImageAnnotation


class Pictures(QObject):
    """Owns the loader threads, the open list and the documents of its pictures.

    Signals:
        listed: the pictures of another folder or of other files, {Path: state}, in order.
        state_changed: (Path, state) of one of them.
        shown_changed: the Path that is open or about to be; None for none.
        list_changed: another folder or other files are open.
        opened: the Path of a folder or picture that was opened; for the recent list.
        about_to_leave: the open picture is about to make way for another.
        loaded: a LoadedPicture that is in the session now.
        document_opened: (Path, Document) as asked for by `ask_document`.
        document_failed: (Path, Failure) instead.
        edited: the Document that was edited or brought back, shown or not.
        journal_failed: why a journal cannot be written any more.
        busy_changed: what is being read, None when nothing is.
    """

    listed = Signal(object)
    state_changed = Signal(object, str)
    shown_changed = Signal(object)
    list_changed = Signal()
    opened = Signal(object)
    about_to_leave = Signal()
    loaded = Signal(object)
    document_opened = Signal(object, object)
    document_failed = Signal(object, object)
    edited = Signal(object)
    journal_failed = Signal(object)
    busy_changed = Signal(object)

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        *,
        journal_dir: Path,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._journal_dir = journal_dir
        self._workspace: Workspace | None = None
        self._subfolders = False
        self._source: Path | None = None
        self._wanted: Path | None = None
        self._here: Path | None = None
        self._saver: TaskRunner | None = None
        self._next_list: OpenedList | None = None
        self._has_left = False
        self._open = OpenDocuments()
        self._opening: list[LoadPicture | OpenDocument] = []
        self._asked: set[Path] = set()
        self._news = LoadingNews(notices)
        self.runner = TaskRunner(picture_job, name="loader", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        self.runner.dropped.connect(self._let_go)
        self.runner.ended.connect(self._end_opening)
        self.runner.busy_changed.connect(self._follow_busy)
        self.state_runner = TaskRunner(picture_job, name="states", parent=self)
        self.state_runner.progressed.connect(self._take_state)
        self.journal_runner = TaskRunner(picture_job, name="journals", parent=self)
        session.arrivals.changed.connect(self._switch_list)
        session.document_changed.connect(self._follow_edit)

    @property
    def workspace(self) -> Workspace | None:
        return self._workspace

    @property
    def paths(self) -> tuple[Path, ...]:
        """The pictures of the list, in order."""
        return self._workspace.pictures if self._workspace is not None else ()

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every open document: those of the list, and those of earlier lists with unsaved work."""
        return self._open.all

    def home_of(self, path: Path) -> Workspace | None:
        """The workspace that knows the annotation file of an open document."""
        return self._open.home_of(path)

    @property
    def journal_dir(self) -> Path:
        """The recovery journals' folder."""
        return self._journal_dir

    @property
    def folder(self) -> Path | None:
        """The folder that holds the list's pictures."""
        return self._workspace.root if self._workspace is not None else None

    @property
    def current(self) -> Path | None:
        """The open picture."""
        document = self._session.document
        return document.path if document is not None else None

    def wait_for(self, saver: TaskRunner) -> None:
        """The runner whose saves must be done before another list takes over."""
        self._saver = saver
        saver.busy_changed.connect(self._switch_list)

    def files(self) -> dict[Path, Path]:
        """Each picture's annotation file, existing or not."""
        workspace = self._workspace
        return {path: workspace.label_file(path) for path in self.paths} if workspace is not None else {}

    def annotations(self) -> dict[Path, ImageAnnotation]:
        """What is on the list's pictures where the annotation file is not the one to ask: those whose
        documents are open, saved or not, and those of which an earlier session left unsaved work."""
        known = self._open.annotations
        return {path: known[path] for path in self.paths if path in known}

    # Opening

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Opens folders, pictures or labelme files; the list becomes theirs."""
        if paths and self._may_leave():
            self.runner.submit(OpenPaths(tuple(paths), self._subfolders), key="list")

    def set_subfolders(self, on: bool) -> None:
        """Whether folders bring those below them along; an open folder is opened again."""
        if on == self._subfolders:
            return
        self._subfolders = on
        source = self._source
        if source is not None and source.is_dir() and self._may_leave():
            self.runner.submit(OpenPaths((source,), on, self.current), key="list")

    @Slot(object)
    def open_path(self, path: Path) -> None:
        """Opens one folder, picture or labelme file."""
        self.open_paths([path])

    @Slot(object)
    def open_picture(self, path: Path) -> None:
        """Shows a picture of the list."""
        if self._workspace is None or path == self._wanted or not self._may_leave():
            return
        self._wanted = self._here = path
        self.shown_changed.emit(path)
        self._load()

    def _may_leave(self) -> bool:
        """Whether the open picture may make way; what was said about it goes before it."""
        if self.current is not None:
            self._session.message.emit("")
        return self._session.settle()

    def _load(self) -> None:
        """Has the wanted picture read; not before a document of it that is being opened was kept or closed,
        because its journal has one writer."""
        workspace, path = self._workspace, self._wanted
        self.runner.cancel("picture")
        if workspace is None or path is None or self._is_opening(path):
            return
        document = self._open.get(path)
        request = LoadPicture(workspace, path, self._journal_dir, document, self.journal_failed.emit)
        if document is None:
            self._opening.append(request)
        self.runner.submit(request, key="picture")

    def _is_opening(self, path: Path) -> bool:
        return any(request.path == path for request in self._opening)

    def ask_document(self, path: Path) -> None:
        """Opens the document of a picture of the list without showing it.

        `document_opened` or `document_failed` answers, at once if it is open already.
        """
        document = self._open.get(path)
        if document is not None:
            self.document_opened.emit(path, document)
        else:
            self._asked.add(path)
            self._open_asked()

    def _open_asked(self) -> None:
        """Opens what was asked for, as `_load` does."""
        for path in [path for path in self._asked if not self._is_opening(path)]:
            self._asked.discard(path)
            document = self._open.get(path)
            if document is not None:  # shown meanwhile
                self.document_opened.emit(path, document)
            elif self._workspace is not None:
                request = OpenDocument(self._workspace, path, self._journal_dir, self.journal_failed.emit)
                self._opening.append(request)
                self.runner.submit(request, key=f"document:{path}")

    def note_edit(self, document: Document) -> None:
        """A document was edited or saved that may not be the one shown."""
        if document.path is not None and self._workspace is not None:
            self._workspace.set_modified(document.path, document.is_modified, document.annotation)
            self.refresh_state(document.path)
        self.edited.emit(document)

    def prune_journals(self) -> None:
        """Deletes, in the background, the journals that nobody needs any more."""
        self.journal_runner.submit(PruneJournals(self._journal_dir))

    def step(self, places: int) -> None:
        """Shows the picture so many places further in the list."""
        if self._workspace is None or self._here is None:
            return
        there = self._workspace.following(self._here, places)
        if there is not None:
            self.open_picture(there)
        elif places > 0:
            self._session.message.emit(tr("This is the last picture."))
        else:
            self._session.message.emit(tr("This is the first picture."))

    def shutdown(self) -> None:
        """Joins the threads and closes the journals."""
        self.runner.shutdown()
        self.state_runner.shutdown()
        self.journal_runner.shutdown()
        self._open.close_all()

    # Answers

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(result, OpenedList):
            self._show_list(result)
        elif isinstance(result, LoadedPicture):
            self._show_picture(result)
        elif isinstance(request, OpenDocument):
            self._keep_document(request, result)

    def _keep_document(self, request: OpenDocument, opened: OpenedDocument) -> None:
        """A document opened without being shown is the first to go when there are too many."""
        if request.workspace is not self._workspace:
            opened.document.close()
            return
        self._open.add(opened.path, opened.document, request.workspace, shown=False)
        self.document_opened.emit(opened.path, opened.document)

    @Slot(object)
    def _end_opening(self, request: object) -> None:
        """A document that was being opened is kept, closed or failed: what waited for that goes on."""
        if request not in self._opening:
            return
        self._opening = [other for other in self._opening if other is not request]
        if self._wanted is not None and self._wanted != self.current and request.path == self._wanted:
            self._load()
        self._open_asked()

    def _show_list(self, opened: OpenedList) -> None:
        self._session.leaving.emit()
        self._next_list, self._has_left = opened, False
        self._switch_list()

    @Slot()
    def _switch_list(self) -> None:
        """Takes the next list over, once the last one's objects have arrived and are on the disk.

        Its saved documents are closed then.
        """
        opened = self._next_list
        if opened is None or self._session.arrivals.is_busy:
            return
        if not self._has_left:
            self._has_left = True
            self.about_to_leave.emit()
        if self._saver is not None and self._saver.is_busy:
            return
        self._next_list = None
        workspace = self._workspace = opened.workspace
        self._source = opened.source
        self._session.open_document(None, None)
        self._open.leave(workspace.pictures)
        for document in self._open.all:
            if document.path is not None:
                workspace.set_modified(document.path, document.is_modified, document.annotation)
        self._asked.clear()
        self._wanted = self._here = None
        self.listed.emit({path: workspace.state(path).value for path in workspace.pictures})
        for skipped in workspace.skipped[:3]:
            self._notices.post("warning", str(skipped))
        self.list_changed.emit()
        self.opened.emit(opened.source)
        self.state_runner.submit(ReadStates(workspace, self._journal_dir), key="states")
        self.open_picture(opened.first)

    def _show_picture(self, loaded: LoadedPicture) -> None:
        if loaded.path != self._wanted:
            self._let_go(None, loaded)
            return
        if self.current != loaded.path:
            self._session.leaving.emit()
            self.about_to_leave.emit()
        document = loaded.document
        if self._workspace is not None:
            self._open.add(loaded.path, document, self._workspace, shown=True)
        labels = loaded.labels if document.revision == loaded.revision else None
        self._session.open_document(document, loaded.image, labels)
        self.drop_old_documents()
        self.note_edit(document)  # its journal may have brought work back, or looked as if it would
        self._news.tell(loaded)
        self.loaded.emit(loaded)

    def drop_old_documents(self) -> None:
        """Closes the saved documents not used for longest; unsaved ones stay."""
        self._open.drop_old(self._session.document, frozenset(self.paths), self._is_needed)

    def _is_needed(self, document: Document) -> bool:
        """Whether an edit is on its way into a document, or it is about to be shown."""
        return document.path == self._wanted or self._session.arrivals.is_expected(document)

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        if isinstance(request, OpenDocument):
            if request.workspace is self._workspace:
                self.document_failed.emit(request.path, failure)
            return
        if isinstance(request, LoadPicture):
            # `_here` stays on it: "next" goes on from there, so one bad file does not block the way.
            self._wanted = self.current
            self.state_changed.emit(request.path, "broken")
            self.shown_changed.emit(self.current)
        self._notices.report(failure)

    @Slot(object, object)
    def _let_go(self, _request: object, result: object) -> None:
        """Closes the document of a picture that is not wanted any more."""
        if isinstance(result, LoadedPicture):
            if self._open.get(result.path) is not result.document:
                result.document.close()
        elif isinstance(result, OpenedDocument):
            result.document.close()

    @Slot(object, object)
    def _take_state(self, request: ReadStates, event: object) -> None:
        if isinstance(event, StateRead):
            self.state_changed.emit(event.path, event.state.value)
        elif isinstance(event, UnsavedFound) and self._open.get(event.path) is None:
            # An open document knows better: its journal may have been read in the middle of a save.
            request.workspace.set_modified(event.path, True, event.annotation)
            if event.annotation is not None and request.workspace is self._workspace:
                self._open.note_left(event.path, event.annotation)
            self.state_changed.emit(event.path, request.workspace.state(event.path).value)

    @Slot()
    def _follow_edit(self) -> None:
        if self._session.document is not None:
            self.note_edit(self._session.document)

    def refresh_state(self, path: Path) -> None:
        """Shows what the workspace knows about a picture."""
        if self._workspace is not None:
            self.state_changed.emit(path, self._workspace.state(path).value)

    @Slot(bool)
    def _follow_busy(self, busy: bool) -> None:
        self.busy_changed.emit(tr("Opening…") if busy else None)
