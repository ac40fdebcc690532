"""A short message over the canvas for a new notice; errors stay until they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import icon
from app.panels.controls import make_label

if TYPE_CHECKING:
    from app.services.notifications import Notice

WIDTH = 400
_ICONS = {
    "info": ("mdi6.information-outline", "accent"),
    "warning": ("mdi6.alert-outline", "warning"),
    "error": ("mdi6.alert-circle-outline", "error"),
}


class Toast(QFrame):
    """One notice at the bottom right of its host; a newer one takes its place.

    Signals:
        details_wanted: the user asked for the notification centre.
    """

    details_wanted = Signal()

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self.setObjectName("toast")
        self.setFixedWidth(WIDTH)
        self._notice: Notice | None = None
        self._symbol = PlainLabel()
        self._title = make_label("", "value")
        self._title.setWordWrap(True)
        self._remedy = PlainLabel()
        self._remedy.setWordWrap(True)
        self._retry = QPushButton()
        self._retry.clicked.connect(self._run_retry)
        self._details = QPushButton(tr("Details"))
        self._details.clicked.connect(self.details_wanted)
        close = QToolButton()
        close.setIcon(icon("mdi6.close"))
        close.setIconSize(QSize(16, 16))
        close.setToolTip(tr("Close"))
        close.clicked.connect(self.hide)
        texts = QVBoxLayout()
        texts.setSpacing(4)
        texts.addWidget(self._title)
        texts.addWidget(self._remedy)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self._retry)
        buttons.addWidget(self._details)
        buttons.addStretch(1)
        self._buttons = QWidget()
        self._buttons.setLayout(buttons)
        buttons.setContentsMargins(0, 4, 0, 0)
        texts.addWidget(self._buttons)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 8, 12)
        row.setSpacing(12)
        row.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        host.installEventFilter(self)
        self.hide()

    @property
    def shown_notice(self) -> Notice | None:
        """What it shows now."""
        return None if self.isHidden() else self._notice

    @Slot(object)
    def show_notice(self, notice: Notice) -> None:
        """Shows a notice; infos leave by themselves after some seconds."""
        self._notice = notice
        name, token = _ICONS[notice.level]
        self._symbol.setPixmap(icon(name, token).pixmap(24, 24))
        self._title.setText(notice.title)
        self._remedy.setText(notice.remedy)
        self._remedy.setVisible(bool(notice.remedy))
        self._retry.setText(notice.retry_title)
        self._retry.setVisible(notice.retry is not None)
        self._details.setVisible(notice.level == "error")
        self._buttons.setVisible(notice.retry is not None or notice.level == "error")
        self.setProperty("level", notice.level)
        self.style().unpolish(self)
        self.style().polish(self)
        self._place()
        self.show()
        self.raise_()
        if notice.level == "error":
            self._timer.stop()
        else:
            self._timer.start(5000 if notice.level == "info" else 10_000)

    def _place(self) -> None:
        host = self._host
        self.setFixedWidth(min(WIDTH, max(200, host.width() - 32)))
        for label in (self._title, self._remedy):
            label.ensurePolished()  # the style's bold text needs more lines than the plain one
        self._row.invalidate()
        self.setFixedHeight(self._row.totalHeightForWidth(self.width()))
        self.move(host.width() - self.width() - 16, host.height() - self.height() - 16)

    @Slot()
    def _run_retry(self) -> None:
        self.hide()
        if self._notice is not None and self._notice.retry is not None:
            self._notice.retry()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)
