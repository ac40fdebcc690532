"""The open document's objects as a Qt table model: topmost first, cheap at a thousand rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Slot

from app.appearance.i18n import tr
from app.appearance.plain_text import plain_tip
from app.document.shared_ends import shared_ends
from app.panels.object_thumbnails import object_thumbnail
from converters.annotation import Mask
from converters.shapes.kinds import kind_of

if TYPE_CHECKING:
    from PySide6.QtGui import QPixmap

    from app.session import Session
    from converters.annotation import Geometry, Instance

VISIBLE, LOCKED, OBJECT = range(3)
THUMBNAIL = QSize(40, 40)
ID_ROLE = int(Qt.ItemDataRole.UserRole)
DETAIL_ROLE = ID_ROLE + 1

_Index = QModelIndex | QPersistentModelIndex


class ObjectModel(QAbstractTableModel):
    """Rows are instances, the last drawn one first; columns: visible, locked, the object itself.

    `DecorationRole` of the object column is its thumbnail, made when a view first asks for it and
    kept until the geometry changes.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._instances: tuple[Instance, ...] = ()
        self._places: dict[str, int] | None = None
        self._thumbnails: dict[str, tuple[Geometry, str, QPixmap]] = {}
        self._ratio = 1.0
        session.document_opened.connect(self.reload)
        session.document_changed.connect(self._follow)
        session.hidden_changed.connect(self._refresh_all)
        session.colors_changed.connect(self._refresh_all)
        self.reload()

    def set_device_ratio(self, ratio: float) -> None:
        """Device pixels per logical pixel of the screen the thumbnails are for."""
        if ratio != self._ratio:
            self._ratio = ratio
            self._thumbnails.clear()
            self._refresh_all()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._instances)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == OBJECT else flags

    def instance_at(self, row: int) -> Instance:
        return self._instances[-1 - row]

    def row_of(self, instance_id: str) -> int:
        """The row of an instance, -1 where it is not there."""
        if self._places is None:
            last = len(self._instances) - 1
            self._places = {instance.id: last - place for place, instance in enumerate(self._instances)}
        return self._places.get(instance_id, -1)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._instances):
            return None
        instance = self.instance_at(index.row())
        if role == ID_ROLE:
            return instance.id
        if index.column() == OBJECT:
            return self._object_data(instance, role)
        is_on = instance.id not in self._session.hidden if index.column() == VISIBLE else instance.locked
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ToolTipRole:
            if index.column() == VISIBLE:
                return tr("Hide") if is_on else tr("Show")
            return tr("Unlock") if is_on else tr("Lock")
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        document = self._session.document
        if document is None or not index.isValid():
            return False
        instance = self.instance_at(index.row())
        if index.column() == OBJECT and role == Qt.ItemDataRole.EditRole:
            label = str(value).strip()
            if not label or label == instance.label:
                return False
            document.relabel(self._targets(instance.id), label)
            self._session.set_option("label", label)
            return True
        if index.column() == LOCKED:
            document.set_locked(self._targets(instance.id), not instance.locked)
            return True
        if index.column() == VISIBLE:
            targets = set(self._targets(instance.id))
            hidden = self._session.hidden
            is_hidden = instance.id in hidden
            self._session.set_hidden(hidden - targets if is_hidden else hidden | targets)
            return True
        return False

    @Slot()
    def reload(self) -> None:
        """Reads the whole document anew."""
        self.beginResetModel()
        document = self._session.document
        self._set_rows(document.annotation.instances if document is not None else ())
        there = {instance.id for instance in self._instances}
        self._thumbnails = {key: kept for key, kept in self._thumbnails.items() if key in there}
        self.endResetModel()

    def _set_rows(self, instances: tuple[Instance, ...]) -> None:
        self._instances, self._places = instances, None

    @Slot()
    def _follow(self) -> None:
        """Nearly every edit changes rows, or puts in or takes out neighbours; others read all anew."""
        document = self._session.document
        if document is None:
            return
        before, now = self._instances, document.annotation.instances
        first, last = shared_ends(before, now)
        old, new = before[first : len(before) - last], now[first : len(now) - last]
        if [instance.id for instance in old] == [instance.id for instance in new]:
            self._set_rows(now)
            if new:  # places grow upwards in the list
                self.dataChanged.emit(self.index(last, 0), self.index(last + len(new) - 1, OBJECT))
        elif not old:
            self.beginInsertRows(QModelIndex(), last, last + len(new) - 1)
            self._set_rows(now)
            self.endInsertRows()
        elif not new:
            self.beginRemoveRows(QModelIndex(), last, last + len(old) - 1)
            self._set_rows(now)
            self.endRemoveRows()
        else:
            self.reload()

    @Slot()
    def _refresh_all(self) -> None:
        if self._instances:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._instances) - 1, OBJECT))

    def _targets(self, instance_id: str) -> tuple[str, ...]:
        """The whole selection if the instance is part of it, else the instance alone."""
        selection = self._session.selection
        return selection if instance_id in selection else (instance_id,)

    def _object_data(self, instance: Instance, role: int) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return instance.label
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnail(instance)
        if role == DETAIL_ROLE:
            return describe_instance(instance)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(instance.description or describe_instance(instance))
        return None

    def _thumbnail(self, instance: Instance) -> QPixmap | None:
        image = self._session.image
        if image is None:
            return None
        shade = self._session.color_of(instance.label)
        kept = self._thumbnails.get(instance.id)
        if kept is None or kept[0] is not instance.geometry or kept[1] != shade.name():
            pixmap = object_thumbnail(image, instance.geometry, shade, size=THUMBNAIL, ratio=self._ratio)
            kept = (instance.geometry, shade.name(), pixmap)
            self._thumbnails[instance.id] = kept
        return kept[2]


def describe_instance(instance: Instance) -> str:
    """One short line: what it is, how large, and where it came from."""
    geometry = instance.geometry
    parts = [geometry_name(geometry)]
    if isinstance(geometry, Mask):
        parts.append(tr("{count} px", count=f"{geometry.area:,}"))
    if instance.provenance.tau is not None:
        parts.append(f"τ {instance.provenance.tau:.2f}")
    elif instance.score is not None:
        parts.append(f"{instance.score:.2f}")
    return " · ".join(parts)


def geometry_name(geometry: Geometry) -> str:
    """What kind of shape it is, in the user's language."""
    return tr(kind_of(geometry).title)
