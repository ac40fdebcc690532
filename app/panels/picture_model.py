"""The folder's pictures as a Qt list model; thumbnails are read in the background when first seen."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QImage, QPixmap

from app.appearance.i18n import phrase, tr
from app.appearance.plain_text import plain_tip
from app.workers.task import TaskRunner
from app.workers.thumbnails import ThumbnailRequest, make_thumbnail

if TYPE_CHECKING:
    from pathlib import Path

PATH_ROLE = int(Qt.ItemDataRole.UserRole)
STATE_ROLE = PATH_ROLE + 1
CURRENT_ROLE = PATH_ROLE + 2
THUMBNAIL: Final = QSize(56, 42)
_WAITING_KEPT: Final = 48
_PIXMAPS_KEPT: Final = 600

STATE_TEXTS: Final[dict[str, str]] = {
    "none": phrase("not annotated"),
    "annotated": phrase("annotated"),
    "reviewed": phrase("reviewed"),
    "rejected": phrase("to be redone"),
    "modified": phrase("not saved yet"),
    "emptied": phrase("not saved yet"),
    "broken": phrase("damaged"),
}
_Index = QModelIndex | QPersistentModelIndex


class PictureModel(QAbstractListModel):
    """One row per picture file.

    A view asks for the thumbnails of the rows it shows; they are read one at a time, the one asked
    for last first, so that fast scrolling never waits for rows that have gone by.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths: list[Path] = []
        self._rows: dict[Path, int] = {}
        self._states: dict[Path, str] = {}
        self._current: Path | None = None
        self._pixmaps: OrderedDict[Path, QPixmap | None] = OrderedDict()
        self._waiting: OrderedDict[Path, None] = OrderedDict()
        self._ratio = 1.0
        self.runner = TaskRunner(make_thumbnail, name="thumbnails", parent=self)
        self.runner.finished.connect(self._take)
        self.runner.failed.connect(self._give_up)
        # Not when a result arrives: the job counts as running until the runner has forgotten it.
        self.runner.busy_changed.connect(self._read_next)

    def set_device_ratio(self, ratio: float) -> None:
        """Device pixels per logical pixel of the screen."""
        self._ratio = ratio

    @Slot(object)
    def show(self, states: dict[Path, str]) -> None:
        """Lists other pictures, in the order of `states`."""
        self.beginResetModel()
        self._paths = list(states)
        self._rows = {path: row for row, path in enumerate(self._paths)}
        self._states = dict(states)
        self._waiting.clear()
        self._pixmaps.clear()
        self.endResetModel()

    @Slot(object, str)
    def set_state(self, path: Path, state: str) -> None:
        """A picture is annotated, modified, ... now."""
        if path in self._rows and self._states.get(path) != state:
            self._states[path] = state
            self._touch(path, STATE_ROLE)

    @Slot(object)
    def set_current(self, path: Path | None) -> None:
        """Marks the picture that is open."""
        before, self._current = self._current, path
        for changed in (before, path):
            if changed is not None:
                self._touch(changed, CURRENT_ROLE)

    def count_states(self) -> Counter[str]:
        """How many pictures are in which state."""
        return Counter(self._states.get(path, "none") for path in self._paths)

    def row_of(self, path: Path) -> int:
        """The picture's row, -1 where it is not listed."""
        return self._rows.get(path, -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._paths)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._paths):
            return None
        path = self._paths[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return path.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnail(path)
        if role == PATH_ROLE:
            return path
        if role == STATE_ROLE:
            return self._states.get(path, "none")
        if role == CURRENT_ROLE:
            return path == self._current
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(f"{path}\n{tr(STATE_TEXTS[self._states.get(path, 'none')])}")
        return None

    def _thumbnail(self, path: Path) -> QPixmap | None:
        if path in self._pixmaps:
            self._pixmaps.move_to_end(path)
            return self._pixmaps[path]
        self._waiting[path] = None
        self._waiting.move_to_end(path)
        while len(self._waiting) > _WAITING_KEPT:
            self._waiting.popitem(last=False)
        self._read_next()
        return None

    @Slot()
    def _read_next(self) -> None:
        if self._waiting and not self.runner.is_busy:
            path, _ = self._waiting.popitem()
            side = round(max(THUMBNAIL.width(), THUMBNAIL.height()) * self._ratio)
            self._pixmaps[path] = None
            self.runner.submit(ThumbnailRequest(path, side))

    @Slot(object, object)
    def _take(self, request: ThumbnailRequest, image: QImage) -> None:
        if request.path in self._rows:
            pixmap = QPixmap.fromImage(image)
            pixmap.setDevicePixelRatio(self._ratio)
            self._pixmaps[request.path] = pixmap
            self._pixmaps.move_to_end(request.path)
            while len(self._pixmaps) > _PIXMAPS_KEPT:
                self._pixmaps.popitem(last=False)
            self._touch(request.path, Qt.ItemDataRole.DecorationRole)

    @Slot(object, object)
    def _give_up(self, request: ThumbnailRequest, _failure: object) -> None:
        """A picture that cannot be read is marked; opening it tells the reason."""
        self.set_state(request.path, "broken")

    def _touch(self, path: Path, role: int) -> None:
        row = self._rows.get(path, -1)
        if row >= 0:
            index = self.index(row)
            self.dataChanged.emit(index, index, [role])
