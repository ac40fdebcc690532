"""Gives the session each folder's labels, and keeps what the user decides about them in the folder's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.project.labels import offered_labels
from app.project.project_file import ProjectFile
from app.workers.saving import SaveProject

if TYPE_CHECKING:
    from pathlib import Path

    from app.project.settings import SettingsStore
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.session import Session


class Labels(QObject):
    """Between the session, the project of the open folder and the saver's thread.

    What a folder has not decided is offered from the settings, which remember every label and its colour.

    Signals:
        written_changed: a folder's labels could not be written, or could be at last.
    """

    written_changed = Signal()

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        pictures: Pictures,
        saving: Saving,
        store: SettingsStore,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._pictures = pictures
        self._runner = saving.runner
        self._store = store
        self._unwritten: dict[Path, ProjectFile] = {}
        self._offer()
        pictures.list_changed.connect(self._open_project)
        session.label_kept.connect(self._keep)
        self._runner.finished.connect(self._take)

    @property
    def unwritten(self) -> tuple[tuple[Path, str], ...]:
        """Folders with labels that could not be written, and why."""
        return tuple((folder, project.problem) for folder, project in self._unwritten.items())

    def try_again(self) -> None:
        """Writes once more what could not be written."""
        for project in self._unwritten.values():
            self._save(project)

    def _offer(self) -> None:
        settings = self._store.settings
        names = (*settings.labels, *settings.label_colors, settings.label)
        self._session.offer_labels(offered_labels(names, settings.label_colors))

    @Slot()
    def _open_project(self) -> None:
        workspace, before = self._pictures.workspace, self._session.project
        project = workspace.project if workspace is not None else ProjectFile()
        if project.folder is not None:  # what was chosen here and is not in the file yet goes on
            project = self._unwritten.get(project.folder, project)
        self._offer()
        self._session.open_project(project)
        self._tell_news(project)
        if project.folder is not None and project.folder == before.folder:
            self._save(project)  # it may have been read before the last change was written

    @Slot()
    def _keep(self) -> None:
        if self._session.project.is_changed:
            self._save(self._session.project)

    def _save(self, project: ProjectFile) -> None:
        if project.folder is not None:
            self._runner.submit(SaveProject(project), key=f"project:{project.folder}")

    @Slot(object, object)
    def _take(self, request: object, _result: object) -> None:
        if isinstance(request, SaveProject):
            self._tell_news(request.project)
            self._note_written(request.project)
            if request.project is self._session.project:
                self._session.refresh_labels()

    def _note_written(self, project: ProjectFile) -> None:
        if project.folder is None:
            return
        if project.problem:
            self._unwritten[project.folder] = project
        elif self._unwritten.pop(project.folder, None) is None:
            return
        self.written_changed.emit()

    def _tell_news(self, project: ProjectFile) -> None:
        for news in project.take_news():
            self._notices.post("warning", news.translated())
