"""The list of the folder's pictures: thumbnail, name and state."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QIcon, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.appearance.i18n import tr
from app.appearance.theme import color, icon
from app.panels.controls import NoMatch, elided_name, make_label
from app.panels.picture_model import (
    CURRENT_ROLE,
    PATH_ROLE,
    STATE_ROLE,
    STATE_TEXTS,
    THUMBNAIL,
    PictureModel,
)
from app.project.picture_states import PictureState

if TYPE_CHECKING:
    from pathlib import Path

_Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT: Final = 54
FILTER_FROM: Final = 8
_STATE_ICONS: Final = {
    "none": ("mdi6.circle-outline", "disabled"),
    "annotated": ("mdi6.check-circle-outline", "success"),
    "reviewed": ("mdi6.check-decagram-outline", "success"),
    "rejected": ("mdi6.close-circle-outline", "warning"),
    "modified": ("mdi6.circle-edit-outline", "warning"),
    "emptied": ("mdi6.circle-edit-outline", "warning"),
    "broken": ("mdi6.alert-circle-outline", "error"),
}


class PictureDelegate(QStyledItemDelegate):
    """Paints a row: thumbnail, file name, state in words and as a mark."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._marks: dict[str, QIcon] = {name: icon(*pair) for name, pair in _STATE_ICONS.items()}

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(160, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        painter.save()
        rect = option.rect
        if index.data(CURRENT_ROLE):
            painter.fillRect(rect, color("accent_soft"))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), color("accent"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, color("hover"))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(color("accent"))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        frame = QRect(rect.left() + 8, rect.top() + 6, THUMBNAIL.width(), THUMBNAIL.height())
        pixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if pixmap is None or pixmap.isNull():
            painter.fillRect(frame, color("sunken"))
        else:
            size = (
                pixmap.deviceIndependentSize()
                .toSize()
                .scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            )
            spot = QRect(frame.topLeft(), size)
            spot.moveCenter(frame.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(spot, pixmap)
        state = str(index.data(STATE_ROLE))
        mark = QRect(rect.right() - 24, rect.top() + (rect.height() - 16) // 2, 16, 16)
        self._marks[state].paint(painter, mark)
        text = QRect(frame.right() + 9, rect.top() + 8, mark.left() - frame.right() - 13, 20)
        metrics = painter.fontMetrics()
        painter.setPen(color("text"))
        name = elided_name(str(index.data()), _shared_with_neighbours(index), metrics, text.width())
        painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), name)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(color("muted")))
        painter.drawText(
            text.translated(0, 18),
            int(Qt.AlignmentFlag.AlignVCenter),
            painter.fontMetrics().elidedText(
                tr(STATE_TEXTS[state]), Qt.TextElideMode.ElideRight, text.width()
            ),
        )
        painter.restore()


def _shared_with_neighbours(index: _Index) -> int:
    """How many letters the name begins with that one above or below begins with, too."""
    name = str(index.data())
    beside = (index.sibling(row, 0) for row in (index.row() - 1, index.row() + 1))
    names = [str(other.data()) for other in beside if other.isValid()]
    return max((_shared(name, other) for other in names), default=0)


def _shared(name: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False)))


class PicturesPanel(QWidget):
    """The pictures of the open folder.

    Signals:
        picture_chosen: the Path of the picture to open.
    """

    picture_chosen = Signal(object)

    def __init__(self, model: PictureModel) -> None:
        super().__init__()
        self.model = model
        model.set_device_ratio(self.devicePixelRatioF())
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Filter by name"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.proxy.setFilterFixedString)
        self.list = QListView()
        self.list.setModel(self.proxy)
        self.list.setItemDelegate(PictureDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(tr("Pictures"))
        self.list.clicked.connect(self._choose)
        self.list.activated.connect(self._choose)
        self.summary = make_label("", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.filter)
        self.no_match = NoMatch(self.filter, self.proxy)
        column.addWidget(self.no_match)
        column.addWidget(self.list, 1)
        column.addWidget(self.summary)
        model.dataChanged.connect(self._follow)
        model.modelReset.connect(self._summarize)
        self._summarize()

    def hand_over(self) -> str:
        return self.filter.text()

    def take_over(self, state: str) -> None:
        self.filter.setText(state)

    def scroll_to(self, path: Path) -> None:
        """Brings a picture into view."""
        row = self.model.row_of(path)
        if row >= 0:
            index = self.proxy.mapFromSource(self.model.index(row))
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        self.picture_chosen.emit(index.data(PATH_ROLE))

    @Slot(QModelIndex, QModelIndex, list)
    def _follow(self, _first: QModelIndex, _last: QModelIndex, roles: list[int]) -> None:
        if STATE_ROLE in roles:
            self._summarize()

    @Slot()
    def _summarize(self) -> None:
        count = self.model.rowCount()
        states = self.model.count_states()
        done = sum(states[state.value] for state in PictureState if state.is_annotated)
        self.filter.setVisible(count > FILTER_FROM)
        self.summary.setText(tr("{done} of {count} annotated", done=done, count=count) if count else "")
