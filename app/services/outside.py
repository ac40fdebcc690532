"""Follows what other programs do to the annotation files of open pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication

from app.appearance.i18n import tr
from app.workers.pictures import CheckOutside

if TYPE_CHECKING:
    from app.project.workspace import OutsideChange
    from app.services.notifications import NotificationCentre
    from app.services.pictures import Pictures
    from app.services.saving import Saving
    from app.session import Session
    from app.workers.pictures import LoadedPicture


class OutsideChanges(QObject):
    """Looks at the open picture's annotation file when the picture is shown again, and when the user comes
    back from another program.

    What it holds becomes the current state, as a step of the history. Unsaved work is not put aside while it
    is on the screen: its save asks. Coming back to the picture shows the other version, with the own one undo
    away.
    """

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        pictures: Pictures,
        saving: Saving,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._notices = notices
        self._pictures = pictures
        self._saving = saving
        self._come_back = False
        self._again = False
        pictures.loaded.connect(self._follow)
        pictures.journal_runner.finished.connect(self._take)
        saving.runner.busy_changed.connect(self._look_when_saved)
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.applicationStateChanged.connect(self._follow_application)

    @Slot(object)
    def _follow(self, loaded: LoadedPicture) -> None:
        if not loaded.is_new:
            self._come_back = True
            self.look()

    @Slot(Qt.ApplicationState)
    def _follow_application(self, state: Qt.ApplicationState) -> None:
        if state == Qt.ApplicationState.ApplicationActive:
            self._come_back = False
            self.look()

    @Slot()
    def look(self) -> None:
        """Looks at the open picture's file, once nothing is being saved."""
        self._again = self._saving.runner.is_busy
        path = self._pictures.current
        workspace = self._pictures.home_of(path) if path is not None else None
        if path is not None and workspace is not None and not self._again:
            self._pictures.journal_runner.submit(CheckOutside(workspace, path), key="outside")

    @Slot()
    def _look_when_saved(self) -> None:
        if self._again and not self._saving.runner.is_busy:
            self.look()

    @Slot(object, object)
    def _take(self, request: object, change: OutsideChange | None) -> None:
        document = self._session.document
        if not isinstance(request, CheckOutside) or change is None or document is None:
            return
        if document.path != change.picture or (document.is_modified and not self._come_back):
            return
        if self._saving.runner.is_busy:  # it may replace the file just now, or refuse to
            self._again = True
            return
        request.workspace.acknowledge(change)
        document.take_over(change.annotation)
        self._pictures.note_edit(document)
        self._notices.post(
            "info",
            tr("The annotation file was changed by another program; its content is shown."),
            remedy=tr("Undo brings back what was here before."),
        )
