"""The line at the bottom: messages, what is being worked on, saved state, zoom, unread notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QProgressBar, QStatusBar, QToolButton

from app.appearance.i18n import phrase, tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import icon
from app.panels.controls import ElidedLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.services.notifications import NotificationCentre
    from app.services.safety import Concern

MESSAGE_MS: Final = 6000
UNSAFE_WIDTH: Final = 320
LISTED: Final = 12
SAVE_TEXTS: Final[dict[str, str]] = {
    "none": "",
    "saved": phrase("Saved"),
    "saving": phrase("Saving…"),
    "modified": phrase("Not saved yet"),
    "failed": phrase("Not saved: error"),
    "read-only": phrase("Read-only"),
}


class StatusBar(QStatusBar):
    """Signals:
    notices_wanted: the bell was clicked.
    retry_wanted: what is not safe was clicked.
    training_wanted: what it says of a training was clicked.
    """

    notices_wanted = Signal()
    retry_wanted = Signal()
    training_wanted = Signal()

    def __init__(self, notices: NotificationCentre) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self._notices = notices
        self.hint = ElidedLabel()
        self.hint.setObjectName("hint")
        self.addWidget(self.hint, 1)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setFixedWidth(96)
        self.progress.setTextVisible(False)
        self.busy = PlainLabel()
        self.training = QToolButton()
        self.training.setToolTip(tr("Show the training"))
        self.training.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.training.clicked.connect(self.training_wanted)
        self.training.hide()
        self.position = PlainLabel()
        self.position.setMinimumWidth(110)
        self.position.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.picture = PlainLabel()
        self.zoom = PlainLabel()
        self.zoom.setMinimumWidth(56)
        self.saved = PlainLabel()
        self.unsafe = QToolButton()
        self.unsafe.setIconSize(QSize(16, 16))
        self.unsafe.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.unsafe.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.unsafe.setProperty("role", "error")
        self.unsafe.setIcon(icon("mdi6.alert-outline", "error"))
        self.unsafe.clicked.connect(self.retry_wanted)
        self.unsafe.hide()
        self.bell = QToolButton()
        self.bell.setIconSize(QSize(16, 16))
        self.bell.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.bell.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.bell.setAccessibleName(tr("Notifications"))
        self.bell.clicked.connect(self.notices_wanted)
        for widget in (
            self.busy,
            self.progress,
            self.training,
            self.position,
            self.picture,
            self.zoom,
            self.saved,
            self.unsafe,
            self.bell,
        ):
            self.addPermanentWidget(widget)
        notices.posted.connect(self._show_unread)
        notices.seen.connect(self._show_unread)
        self.show_busy(None)
        self._show_unread()

    @Slot(str)
    def show_text(self, text: str) -> None:
        """A message that leaves again."""
        self.showMessage(text, MESSAGE_MS)

    def show_hint(self, text: str) -> None:
        """What the tool's buttons and keys do; stands there whenever no message does."""
        self.hint.setText(text)
        self.hint.setToolTip(text)

    @Slot(object)
    def show_busy(self, text: str | None) -> None:
        """Shows a moving bar and what is being done; None hides it."""
        self.busy.setText(text or "")
        self.busy.setVisible(bool(text))
        self.progress.setVisible(bool(text))

    @Slot(object)
    def show_training(self, text: str | None) -> None:
        """A training that runs or waits for somebody; a click leads to it. None hides it."""
        self.training.setText(text or "")
        self.training.setVisible(bool(text))

    @Slot(object)
    def show_position(self, point: tuple[float, float] | None) -> None:
        """The picture pixel under the pointer."""
        self.position.setText("" if point is None else f"{int(point[0])}, {int(point[1])}")

    @Slot(float)
    def show_zoom(self, scale: float) -> None:
        self.zoom.setText(f"{100 * scale:.0f} %")

    def show_picture(self, text: str) -> None:
        """Size of the open picture."""
        self.picture.setText(text)

    @Slot(str)
    def show_saved(self, state: str) -> None:
        """A key of SAVE_TEXTS."""
        text = SAVE_TEXTS[state]
        self.saved.setText(tr(text) if text else "")
        self.saved.setProperty("role", "error" if state == "failed" else "")
        self.saved.style().unpolish(self.saved)
        self.saved.style().polish(self.saved)

    def show_unsafe(self, concerns: Sequence[Concern]) -> None:
        """What is not safe stands there until it is; the tooltip tells it all."""
        self.unsafe.setVisible(bool(concerns))
        if concerns:
            many = tr("{count} things are not safe", count=len(concerns))
            text = concerns[0].text if len(concerns) == 1 else many
            room = self.unsafe.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, UNSAFE_WIDTH)
            self.unsafe.setText(room)
            told = [concern.details for concern in concerns[:LISTED]]
            self.unsafe.setToolTip("\n".join([*told, tr("Click to try again")]))
            self.unsafe.setAccessibleName("\n".join(told))

    @Slot()
    def _show_unread(self) -> None:
        unread = self._notices.unread
        self.bell.setIcon(
            icon("mdi6.bell-badge-outline", "error") if unread else icon("mdi6.bell-outline", "muted")
        )
        self.bell.setText(str(unread) if unread else "")
        self.bell.setToolTip(
            tr("Notifications: {count} not read", count=unread) if unread else tr("Notifications")
        )
