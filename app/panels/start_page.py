"""What the canvas area shows while no picture is open: ways in, and the pictures used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import plain_action, plain_tip
from app.appearance.theme import icon
from app.panels.controls import make_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PySide6.QtGui import QAction

SHOWN_RECENT = 5


class StartPage(QScrollArea):
    """A friendly empty state.

    Signals:
        recent_chosen: the Path of a recent picture or folder.
    """

    recent_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        page = QWidget()
        page.setObjectName("startPage")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWidget(page)
        self.setWidgetResizable(True)
        card = QFrame()
        card.setObjectName("card")
        card.setMaximumWidth(520)
        body = QVBoxLayout(card)
        body.setContentsMargins(32, 32, 32, 24)
        body.setSpacing(8)
        title = make_label(tr("Open a photo and click an object"), "title")
        title.setWordWrap(True)
        body.addWidget(title)
        hint = make_label(
            tr("A mask grows from your click. Scroll to change the threshold, Enter to keep it."), "muted"
        )
        hint.setWordWrap(True)
        body.addWidget(hint)
        body.addSpacing(16)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.buttons = {
            name: self._card_button(actions[name], primary=name == "open_file")
            for name in ("open_file", "open_folder", "open_sample")
        }
        row.addWidget(self.buttons["open_file"])
        row.addWidget(self.buttons["open_folder"])
        body.addLayout(row)
        body.addWidget(self.buttons["open_sample"])
        body.addSpacing(16)
        self.heading = make_label(tr("Recent"), "muted")
        body.addWidget(self.heading)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        body.addLayout(self._recent)
        self._paths: list[Path] = []
        drop = make_label(tr("…or drop pictures or a folder anywhere in this window."), "muted")
        drop.setWordWrap(True)
        body.addSpacing(8)
        body.addWidget(drop)
        middle = QHBoxLayout(page)
        middle.addStretch(1)
        column = QVBoxLayout()
        column.addStretch(1)
        column.addWidget(card)
        column.addStretch(1)
        middle.addLayout(column, 1000)
        middle.addStretch(1)

    def _card_button(self, action: QAction, *, primary: bool) -> QPushButton:
        button = QPushButton(action.text())
        button.setIcon(icon(str(action.property("icon_name")), "on_accent" if primary else "text"))
        button.setIconSize(QSize(20, 20))
        if primary:
            button.setProperty("role", "primary")
        button.setMinimumHeight(40)
        button.setToolTip(action.toolTip())
        button.clicked.connect(action.trigger)
        return button

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Lists the pictures and folders used last, newest first."""
        while self._recent.count():
            item = self._recent.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        self._paths = list(paths[:SHOWN_RECENT])
        self.heading.setVisible(bool(self._paths))
        for number, path in enumerate(self._paths):
            name = f"{path.name}  —  {_short(str(path.parent))}"
            button = QPushButton(plain_action(name))
            button.setProperty("role", "link")
            button.setProperty("number", number)
            button.setToolTip(plain_tip(str(path)))
            button.clicked.connect(self._choose)
            self._recent.addWidget(button)

    @Slot()
    def _choose(self) -> None:
        button = self.sender()
        if button is not None:
            self.recent_chosen.emit(self._paths[int(button.property("number"))])


def _short(text: str, limit: int = 44) -> str:
    return text if len(text) <= limit else "…" + text[-limit:]
