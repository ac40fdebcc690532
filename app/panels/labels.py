"""The list of labels: choose the one for new objects, recolour, rename, select by label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QLineEdit,
    QListView,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import tr
from app.panels.controls import swatch_icon
from app.panels.rename_label import RenameLabelDialog
from app.project.labels import TYPED_LENGTH

if TYPE_CHECKING:
    from PySide6.QtCore import QObject, QPoint

    from app.document.change import Change
    from app.services.folder_labels import FolderLabels
    from app.services.renaming import LabelRenaming
    from app.session import Session

_Index = QModelIndex | QPersistentModelIndex
NAME_ROLE: Final = int(Qt.ItemDataRole.UserRole)
ROW: Final = QSize(80, 28)


class LabelModel(QAbstractListModel):
    """One row per label, with how often it occurs; colours are asked for when a row is seen."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._names: list[str] = []
        self._rows: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, top to bottom."""
        return tuple(self._names)

    def show(self, names: list[str], counts: Counter[str]) -> None:
        """Lists these labels."""
        self._counts = Counter(counts)
        if names == self._names:
            self.refresh()
            return
        self.beginResetModel()
        self._names = names
        self._rows = {name: row for row, name in enumerate(names)}
        self.endResetModel()

    @Slot()
    def refresh(self) -> None:
        """Counts or colours are others."""
        if self._names:
            self.dataChanged.emit(self.index(0), self.index(len(self._names) - 1))

    def index_of(self, name: str) -> QModelIndex:
        """The label's row; invalid where it is not listed."""
        return self.index(self._rows[name]) if name in self._rows else QModelIndex()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._names)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._names):
            return None
        name = self._names[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            count = self._counts[name]
            return f"{name}   {count}" if count else name
        if role == NAME_ROLE:
            return name
        if role == Qt.ItemDataRole.DecorationRole:
            return swatch_icon(self._session.color_of(name))
        return ROW if role == Qt.ItemDataRole.SizeHintRole else None


class LabelsPanel(QWidget):
    """The folder's labels, also those of pictures that were not opened yet, and those used before.

    Beside each stands how often it occurs in the open picture.

    Signals:
        label_added: a new label was typed.
    """

    label_added = Signal(str)

    def __init__(self, session: Session, folder_labels: FolderLabels, renaming: LabelRenaming) -> None:
        super().__init__()
        self._session = session
        self._folder_labels = folder_labels
        self._renaming = renaming
        self._met: list[str] = []  # in pictures of the open folder
        self._renamed: set[str] = set()  # not shown until met again
        self._labels: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self.entry = QLineEdit()
        self.entry.setPlaceholderText(tr("New label, then Enter"))
        self.entry.setMaxLength(TYPED_LENGTH)
        self.entry.returnPressed.connect(self._add)
        self.model = LabelModel(session, self)
        self._syncing = False
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setIconSize(QSize(14, 14))
        self.list.setUniformItemSizes(True)
        self.list.setMinimumHeight(30)  # one row, where there is no room for more
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setAccessibleName(tr("Labels"))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.selectionModel().currentChanged.connect(self._choose)
        self.list.doubleClicked.connect(self._select_objects)
        self.list.setToolTip(
            tr("New objects get the marked label. Double-click selects all objects that have it.")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.entry)
        column.addWidget(self.list, 1)
        session.document_opened.connect(self._count)
        session.document_changed.connect(self._follow)
        session.label_changed.connect(self.refresh)
        session.labels_changed.connect(self.refresh)
        session.colors_changed.connect(self.model.refresh)
        folder_labels.changed.connect(self._meet)
        self._count()
        self._meet()

    def hand_over(self) -> tuple[str, list[str], set[str]]:
        return self.entry.text(), self._met, self._renamed

    def take_over(self, state: tuple[str, list[str], set[str]]) -> None:
        typed, self._met, self._renamed = state
        self.entry.setText(typed)
        self.refresh()

    def labels(self) -> tuple[str, ...]:
        """What the list shows, top to bottom."""
        return self.model.names

    @Slot()
    def _meet(self) -> None:
        """More pictures of the folder were looked into."""
        self._met = list(dict.fromkeys([*self._met, *self._folder_labels.names]))
        self.refresh()

    @Slot()
    def _count(self) -> None:
        """Counts the labels of another picture."""
        document = self._session.document
        instances = document.annotation.instances if document is not None else ()
        if document is None:
            self._met.clear()
            self._renamed.clear()
        self._labels = {instance.id: instance.label for instance in instances}
        self._counts = Counter(self._labels.values())
        self.refresh()

    @Slot(object)
    def _follow(self, change: Change) -> None:
        """Counts again what an edit touched."""
        before = Counter(self._counts)
        for name in (*change.removed, *change.changed):
            self._counts[self._labels.pop(name, "")] -= 1
        for instance in self._session.instances((*change.added, *change.changed)):
            self._labels[instance.id] = instance.label
            self._counts[instance.label] += 1
        self._counts = +self._counts
        if self._counts != before:
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Shows the labels, their counts and which one is current; touches only what differs."""
        current = self._session.options.label
        self._met = list(dict.fromkeys([*self._met, *self._counts, current]))
        self._renamed -= {*self._counts, current}
        shown = dict.fromkeys([*self._session.labels.names, *self._met])
        self._syncing = True
        self.model.show([name for name in shown if name and name not in self._renamed], self._counts)
        index = self.model.index_of(current)
        if index.isValid() and self.list.currentIndex() != index:
            self.list.setCurrentIndex(index)
        self._syncing = False

    @Slot()
    def _add(self) -> None:
        name = self.entry.text().strip()
        if name:
            self.entry.clear()
            self._session.add_label(name)
            self.label_added.emit(name)
            self._session.set_option("label", name)

    @Slot(QModelIndex, QModelIndex)
    def _choose(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and not self._syncing:
            self._session.set_option("label", str(index.data(NAME_ROLE)))

    @Slot(QModelIndex)
    def _select_objects(self, index: QModelIndex) -> None:
        self._select(str(index.data(NAME_ROLE)))

    def _select(self, label: str) -> None:
        document = self._session.document
        if document is not None:
            self._session.select(i.id for i in document.annotation.instances if i.label == label)

    @Slot(object)
    def _show_menu(self, position: QPoint) -> None:
        index = self.list.indexAt(position)
        if not index.isValid():
            return
        label = str(index.data(NAME_ROLE))
        menu = QMenu(self)
        assign = menu.addAction(tr("Give to the selected objects"))
        assign.setEnabled(bool(self._session.selection))
        select = menu.addAction(tr("Select its objects"))
        hide = menu.addAction(tr("Hide or show its objects"))
        menu.addSeparator()
        rename = menu.addAction(tr("Rename…"))
        shade = menu.addAction(tr("Choose a colour…"))
        chosen = menu.exec(self.list.viewport().mapToGlobal(position))
        if chosen is assign and self._session.document is not None:
            self._session.document.relabel(self._session.selection, label)
        elif chosen is select:
            self._select(label)
        elif chosen is hide:
            self.toggle_hidden(label)
        elif chosen is rename:
            self._ask_name(label)
        elif chosen is shade:
            color = QColorDialog.getColor(self._session.color_of(label), self.window(), label)
            if color.isValid():
                self._session.set_label_color(label, QColor(color).name())

    def toggle_hidden(self, label: str) -> None:
        """Hides all objects of a label, or shows them if all are hidden."""
        document = self._session.document
        if document is None:
            return
        ids = {i.id for i in document.annotation.instances if i.label == label}
        hidden = self._session.hidden
        self._session.set_hidden(hidden - ids if ids <= hidden else hidden | ids)

    def _ask_name(self, label: str) -> None:
        dialog = RenameLabelDialog(label, self._counts[label], self._folder_labels, self.window())
        accepted = dialog.exec() == RenameLabelDialog.DialogCode.Accepted
        name, everywhere = dialog.name(), dialog.everywhere.isChecked()
        dialog.deleteLater()
        if accepted and name and name != label:
            self.rename(label, name, everywhere=everywhere)

    def rename(self, label: str, name: str, *, everywhere: bool = True) -> None:
        """Gives the objects of a label another one: in the folder, or in this picture alone."""
        self._renaming.rename(label, name, everywhere=everywhere)
        if everywhere:
            self._met = [name if known == label else known for known in self._met]
            self._renamed.add(label)
        if self._session.options.label == label:
            self._session.set_option("label", name)
        self.label_added.emit(name)
        self.refresh()
