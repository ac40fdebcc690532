"""The list of objects: thumbnail, label (editable), colour, visible, locked; multi-select, filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import color, icon
from app.panels.controls import NoMatch, make_label
from app.panels.object_model import DETAIL_ROLE, ID_ROLE, LOCKED, OBJECT, VISIBLE, ObjectModel

if TYPE_CHECKING:
    from PySide6.QtGui import QContextMenuEvent, QMouseEvent

    from app.session import Session

ROW_HEIGHT = 48
_Index = QModelIndex | QPersistentModelIndex


class ObjectDelegate(QStyledItemDelegate):
    """Paints a row: eye, lock, thumbnail, colour dot, label and a line of detail."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._icons: dict[tuple[int, bool], QIcon] = {
            (VISIBLE, True): icon("mdi6.eye-outline", "muted"),
            (VISIBLE, False): icon("mdi6.eye-off-outline", "disabled"),
            (LOCKED, True): icon("mdi6.lock", "text"),
            (LOCKED, False): icon("mdi6.lock-open-variant-outline", "disabled"),
        }
        self._drawn: dict[tuple[int, bool, float], QPixmap] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(28 if index.column() != OBJECT else 120, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, color("accent_soft"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, color("hover"))
        if index.column() == OBJECT:
            self._paint_object(painter, option.rect, index)
        else:
            is_on = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            spot = QRect(0, 0, 18, 18)
            spot.moveCenter(option.rect.center())
            painter.drawPixmap(spot.topLeft(), self._drawn_icon(index.column(), is_on, painter))
        painter.restore()

    def _drawn_icon(self, column: int, is_on: bool, painter: QPainter) -> QPixmap:
        """The icon's pixels; drawing them from the font costs more than the rest of the row."""
        ratio = painter.device().devicePixelRatioF()
        key = column, is_on, ratio
        if key not in self._drawn:
            self._drawn[key] = self._icons[column, is_on].pixmap(QSize(18, 18), ratio)
        return self._drawn[key]

    def _paint_object(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        thumbnail = index.data(Qt.ItemDataRole.DecorationRole)
        frame = QRect(rect.left() + 2, rect.top() + 4, 40, 40)
        if thumbnail is not None:
            painter.drawPixmap(frame, thumbnail)
        label = str(index.data(Qt.ItemDataRole.DisplayRole))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(color("border_strong"))
        painter.setBrush(self._session.color_of(label))
        painter.drawEllipse(QRect(frame.right() + 10, rect.top() + 11, 10, 10))
        metrics = painter.fontMetrics()
        text = self._text_rect(rect)
        painter.setPen(color("text"))
        line = metrics.elidedText(label, Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), line)
        painter.setPen(color("muted"))
        below = QRect(frame.right() + 10, text.bottom(), rect.right() - frame.right() - 14, 18)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        detail = painter.fontMetrics().elidedText(
            str(index.data(DETAIL_ROLE)), Qt.TextElideMode.ElideRight, below.width()
        )
        painter.drawText(below, int(Qt.AlignmentFlag.AlignVCenter), detail)

    @staticmethod
    def _text_rect(rect: QRect) -> QRect:
        left = rect.left() + 2 + 40 + 26
        return QRect(left, rect.top() + 6, rect.right() - left - 4, 20)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        spot = self._text_rect(option.rect)
        editor.setGeometry(spot.adjusted(-10, -2, 4, 6))


class ObjectTable(QTableView):
    """The rows; a context menu with the object commands.

    Signals:
        menu_wanted: the user asked for the context menu, at that global position.
    """

    menu_wanted = Signal(object)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The eye and the lock switch the row, or the whole selection, and leave it as it is."""
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.column() in (VISIBLE, LOCKED):
            self.model().setData(index, None, Qt.ItemDataRole.CheckStateRole)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.indexAt(event.position().toPoint()).column() in (VISIBLE, LOCKED):
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.indexAt(event.position().toPoint()).column() not in (VISIBLE, LOCKED):
            super().mouseReleaseEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())


def runs_of(rows: list[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (first, last) of their unbroken runs."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], row)
        else:
            runs.append((row, row))
    return runs


class ObjectsPanel(QWidget):
    """Objects of the open picture, in step with the canvas's selection."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.model = ObjectModel(session, self)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterKeyColumn(OBJECT)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._syncing = False
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Filter by label"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.proxy.setFilterFixedString)
        self.table = self._make_table()
        self.empty = make_label(tr("No objects yet. Choose the seed tool and click one."), "muted")
        self.empty.setWordWrap(True)
        self.count = PlainLabel()
        self.count.setProperty("role", "muted")
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.filter)
        self.no_match = NoMatch(self.filter, self.proxy)
        column.addWidget(self.no_match)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)
        session.selection_changed.connect(self.show_selection)
        self.model.modelReset.connect(self._after_reset)
        self.model.rowsAboutToBeInserted.connect(self._begin_change)
        self.model.rowsAboutToBeRemoved.connect(self._begin_change)
        self.model.rowsInserted.connect(self._end_change)
        self.model.rowsRemoved.connect(self._end_change)
        self._after_reset()

    def _make_table(self) -> ObjectTable:
        table = ObjectTable()
        table.setModel(self.proxy)
        table.setItemDelegate(ObjectDelegate(self._session, table))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setShowGrid(False)
        table.setMinimumHeight(ROW_HEIGHT)
        table.setMouseTracking(True)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setTabKeyNavigation(False)
        table.setAccessibleName(tr("Objects"))
        table.horizontalHeader().hide()
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = table.horizontalHeader()
        header.setMinimumSectionSize(28)
        header.setSectionResizeMode(VISIBLE, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(LOCKED, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(OBJECT, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(VISIBLE, 30)
        header.resizeSection(LOCKED, 28)
        table.selectionModel().selectionChanged.connect(self._tell_selection)
        table.selectionModel().currentChanged.connect(self._tell_selection)
        return table

    def hand_over(self) -> str:
        return self.filter.text()

    def take_over(self, state: str) -> None:
        self.filter.setText(state)

    def edit_label(self) -> None:
        """Opens the label editor of the current object."""
        current = self._session.selection[-1:] or ()
        for name in current:
            index = self.proxy.mapFromSource(self.model.index(self.model.row_of(name), OBJECT))
            if index.isValid():
                self.table.scrollTo(index)
                self.table.setFocus()
                self.table.edit(index)

    @Slot()
    def show_selection(self) -> None:
        """Selects the rows of the session's selection."""
        if self._syncing:
            return
        self._syncing = True
        rows = [row for row in map(self.model.row_of, self._session.selection) if row >= 0]
        if self.proxy.rowCount() < self.model.rowCount():  # asking a thousand times takes long
            indexes = (self.proxy.mapFromSource(self.model.index(row, OBJECT)) for row in rows)
            rows = [index.row() for index in indexes if index.isValid()]
        last = self.proxy.index(rows[-1], OBJECT) if rows else QModelIndex()
        chosen = QItemSelection()
        for first, end in runs_of(sorted(rows)):
            chosen.append(QItemSelectionRange(self.proxy.index(first, OBJECT), self.proxy.index(end, OBJECT)))
        flags = QItemSelectionModel.SelectionFlag
        selection = self.table.selectionModel()
        selection.select(chosen, flags.ClearAndSelect | flags.Rows)
        if last.isValid():
            selection.setCurrentIndex(last, flags.NoUpdate)
            self.table.scrollTo(last)
        self._syncing = False

    @Slot()
    def _tell_selection(self) -> None:
        if self._syncing:
            return
        self._syncing = True
        selection = self.table.selectionModel()
        names = [str(index.data(ID_ROLE)) for index in selection.selectedRows(OBJECT)]
        current = selection.currentIndex()
        if current.isValid():
            name = str(current.data(ID_ROLE))
            if name in names:
                names.remove(name)
                names.append(name)
        self._session.select(names)
        self._syncing = False

    @Slot()
    def _begin_change(self) -> None:
        """Rows that come and go move the selected ones; the selection itself stays what it is."""
        self._syncing = True

    @Slot()
    def _end_change(self) -> None:
        self._syncing = False
        self._show_or_hide()

    @Slot()
    def _after_reset(self) -> None:
        self.model.set_device_ratio(self.devicePixelRatioF())
        self._show_or_hide()
        self.show_selection()

    @Slot()
    def _show_or_hide(self) -> None:
        has_rows = self.model.rowCount() > 0
        self.table.setVisible(has_rows)
        self.filter.setVisible(has_rows)
        self.empty.setVisible(not has_rows)
        self._column.setAlignment(self.empty, Qt.AlignmentFlag.AlignTop)
        self.count.setText(str(self.model.rowCount()) if self.model.rowCount() else "")
