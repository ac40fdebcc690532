"""The notification centre's window: every notice, with what to do and details to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import icon
from app.panels.controls import make_label

if TYPE_CHECKING:
    from app.services.notifications import Notice, NotificationCentre

_ICONS = {
    "info": ("mdi6.information-outline", "accent"),
    "warning": ("mdi6.alert-outline", "warning"),
    "error": ("mdi6.alert-circle-outline", "error"),
}


class NotificationDialog(FittingDialog):
    """Left the notices, newest first; right what happened, what to do, and the details."""

    def __init__(self, centre: NotificationCentre, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Notifications"))
        self.resize(760, 460)
        self._centre = centre
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.setMinimumWidth(240)
        self.title = make_label("", "heading")
        self.title.setWordWrap(True)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.remedy = PlainLabel()
        self.remedy.setWordWrap(True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.copy = QPushButton(tr("Copy details"))
        self.copy.clicked.connect(self._copy)
        self.retry = QPushButton()
        self.retry.clicked.connect(self._run_retry)
        self.clear = QPushButton(tr("Clear all"))
        self.clear.clicked.connect(self._clear)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(16, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.remedy)
        column.addWidget(self.details, 10)
        column.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addWidget(self.retry)
        row.addStretch(1)
        column.addLayout(row)
        splitter = QSplitter()
        splitter.addWidget(self.list)
        splitter.addWidget(right)
        splitter.setStretchFactor(1, 1)
        splitter.setChildrenCollapsible(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.clear, QDialogButtonBox.ButtonRole.ResetRole)
        buttons.rejected.connect(self.reject)
        body = QVBoxLayout(self)
        body.setContentsMargins(16, 16, 16, 16)
        body.setSpacing(16)
        body.addWidget(splitter, 1)
        body.addWidget(buttons)
        self.list.currentRowChanged.connect(self._show)
        centre.posted.connect(self.refresh)
        self.refresh()
        centre.mark_seen()

    @Slot()
    def refresh(self) -> None:
        """Lists the centre's notices anew."""
        self._notices: list[Notice] = list(reversed(self._centre.notices))
        self.list.clear()
        for notice in self._notices:
            name, token = _ICONS[notice.level]
            item = QListWidgetItem(icon(name, token), f"{notice.time}  {notice.title}")
            self.list.addItem(item)
        self.list.setCurrentRow(0 if self._notices else -1)
        self._show()

    def _current(self) -> Notice | None:
        row = self.list.currentRow()
        return self._notices[row] if 0 <= row < len(self._notices) else None

    @Slot()
    def _show(self) -> None:
        notice = self._current()
        self.title.setText(notice.title if notice else tr("Nothing has happened yet."))
        self.remedy.setText(notice.remedy if notice else "")
        self.remedy.setVisible(bool(notice and notice.remedy))
        self.details.setPlainText(notice.details if notice else "")
        self.details.setVisible(bool(notice and notice.details))
        self.copy.setVisible(notice is not None)
        self.retry.setVisible(bool(notice and notice.retry))
        self.retry.setText(notice.retry_title if notice else "")

    @Slot()
    def _copy(self) -> None:
        notice = self._current()
        if notice is not None:
            QGuiApplication.clipboard().setText(notice.as_text())

    @Slot()
    def _run_retry(self) -> None:
        notice = self._current()
        if notice is not None and notice.retry is not None:
            notice.retry()

    @Slot()
    def _clear(self) -> None:
        self._centre.clear()
        self.refresh()
