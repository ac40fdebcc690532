"""Writes recoloured pictures and whole folders in other formats, off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.appearance.i18n import tr
from app.workers.exporting import ConvertFolder, ExportPicture, TransferProgress, export_job
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from app.services.notifications import NotificationCentre
    from app.services.saving import Saving
    from app.session import Session
    from app.workers.failure import Failure
    from converters.conversion.convert import Conversion


@dataclass(frozen=True, slots=True)
class TransferDone:
    """A conversion ended: where its result lies, and what it had to change."""

    target: Path
    conversion: Conversion


class Exporting(QObject):
    """Owns the export thread.

    Signals:
        busy_changed: text for the status bar, None when nothing runs.
        progressed: a TransferProgress.
        transferred: a TransferDone.
        failed: a Failure of a conversion; it has been reported already.
        ended: a ConvertFolder; comes last, however it ended.
    """

    busy_changed = Signal(object)
    progressed = Signal(object)
    transferred = Signal(object)
    failed = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        session: Session,
        notices: NotificationCentre,
        saving: Saving,
        *,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._saving = saving
        self._next: ConvertFolder | None = None
        saving.runner.busy_changed.connect(self._convert_next)
        self._session = session
        self._notices = notices
        self.runner = TaskRunner(export_job, name="export", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._fail)
        self.runner.ended.connect(self._end)
        self.runner.progressed.connect(self._follow)
        self.runner.busy_changed.connect(self._follow_busy)

    def export_picture(self, target: Path, folder: Path | None) -> None:
        """Writes the open picture with its recoloured objects to another file; `folder` is the open one."""
        image, document = self._session.image, self._session.document
        if image is not None and document is not None:
            request = ExportPicture(image.array, image.path, document.annotation, target, folder)
            self.runner.submit(request, key=f"picture {target}")

    def convert(self, request: ConvertFolder) -> None:
        """Converts a file or folder once everything is saved; `transferred` or `failed` answers."""
        self._saving.write_all()
        self._next = request
        self._convert_next()

    def cancel_conversion(self) -> None:
        """Ends the running conversion after its current file."""
        self._next = None
        self.runner.cancel("convert")

    def shutdown(self) -> bool:
        """Cancels and joins the worker."""
        return self.runner.shutdown()

    @Slot()
    def _convert_next(self) -> None:
        if self._next is not None and not self._saving.runner.is_busy:
            request, self._next = self._next, None
            self.runner.submit(request, key="convert")

    @Slot(object, object)
    def _take(self, request: object, result: Any) -> None:
        if isinstance(request, ExportPicture):
            self._notices.post(
                "info", tr("Exported {name}.", name=request.target.name), remedy=str(request.target)
            )
        elif isinstance(request, ConvertFolder):
            self.transferred.emit(TransferDone(request.target, result))

    @Slot(object, object)
    def _fail(self, request: object, failure: Failure) -> None:
        self._notices.report(failure)
        if isinstance(request, ConvertFolder):
            self.failed.emit(failure)

    @Slot(object)
    def _end(self, request: object) -> None:
        if isinstance(request, ConvertFolder):
            self.ended.emit(request)

    @Slot(object, object)
    def _follow(self, _request: object, event: object) -> None:
        if isinstance(event, TransferProgress):
            self.progressed.emit(event)

    @Slot(bool)
    def _follow_busy(self, busy: bool) -> None:
        self.busy_changed.emit(tr("Exporting…") if busy else None)
