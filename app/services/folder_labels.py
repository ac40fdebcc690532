"""Which labels the open folder uses, and where: in its files, and in the documents that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.project.picture_states import PictureState
from app.workers.labels_in_use import ReadLabels, read_labels_job
from app.workers.task import TaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from app.project.workspace import Workspace
    from app.services.pictures import Pictures
    from app.services.saving import Saving


class FolderLabels(QObject):
    """The one place that knows them.

    Files are read in the background when a folder is opened; a document that is open, saved or not, counts
    instead of its file.

    Signals:
        changed: more files have been read, or one was written.
    """

    changed = Signal()

    def __init__(self, pictures: Pictures, saving: Saving, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pictures = pictures
        self._workspace: Workspace | None = None
        self._in_files: dict[Path, tuple[str, ...]] = {}
        self.runner = TaskRunner(read_labels_job, name="labels in use", parent=self)
        self.runner.progressed.connect(self._take)
        pictures.list_changed.connect(self._read)
        saving.saved.connect(self._follow_save)

    @property
    def names(self) -> tuple[str, ...]:
        """Every label in use, as far as is known, in the order of the pictures."""
        return tuple(dict.fromkeys(name for names in self._in_use().values() for name in names))

    @property
    def is_complete(self) -> bool:
        """Whether every picture has been looked at."""
        return len(self._in_use()) == len(self._pictures.paths)

    def pictures_with(self, label: str) -> tuple[Path, ...]:
        """The pictures that are known to have objects with a label."""
        return tuple(path for path, names in self._in_use().items() if label in names)

    def pictures_that_may_have(self, label: str) -> tuple[Path, ...]:
        """Those, and the ones of which that is not known: not read yet, or with work that no file holds."""
        known, opened = self._in_use(), self._pictures.annotations()
        workspace = self._pictures.workspace
        if workspace is None:
            return ()
        return tuple(
            path
            for path in workspace.pictures
            if path not in known
            or label in known[path]
            or (path not in opened and workspace.state(path) is PictureState.MODIFIED)
        )

    def shutdown(self) -> bool:
        """Cancels and joins the worker."""
        return self.runner.shutdown()

    def _in_use(self) -> dict[Path, tuple[str, ...]]:
        if self._workspace is not self._pictures.workspace:
            return {}  # another folder is about to take over
        known = dict(self._in_files)
        for path, annotation in self._pictures.annotations().items():
            known[path] = annotation.labels
        return known

    @Slot()
    def _read(self) -> None:
        self._workspace = self._pictures.workspace
        self._in_files.clear()
        self.runner.submit(ReadLabels(self._pictures.files()))
        self.changed.emit()

    @Slot(object, object)
    def _take(self, _request: ReadLabels, read: dict[Path, tuple[str, ...]]) -> None:
        self._in_files.update({path: names for path, names in read.items() if path not in self._in_files})
        self.changed.emit()

    @Slot(object)
    def _follow_save(self, file: Path) -> None:
        workspace = self._pictures.workspace
        for path, annotation in self._pictures.annotations().items():
            if workspace is not None and workspace.label_file(path) == file:
                self._in_files[path] = annotation.labels
                self.changed.emit()
