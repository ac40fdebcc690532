"""The canvas has its keys wherever the focus is; text fields keep theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

from app.canvas.tool import DROP_KEY, KEEP_KEYS, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.canvas.view import CanvasView

TEXT_FIELDS: Final = (QLineEdit, QAbstractSpinBox, QTextEdit, QPlainTextEdit, QKeySequenceEdit)
USE_SPACE: Final = (QAbstractButton, QAbstractItemView, QComboBox)
KEY_EVENTS: Final = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)


class CanvasKeys(QObject):
    """Looks at the keys of whichever widget of the window has the focus, before that widget does.

    The canvas gets what its tool claims (`Tool.claims_key`), and the space bar where the widget has no use
    for it; commands that are held get their keys. In a text field Enter and Esc end the text, Esc drops it,
    and the keyboard is the canvas's again.
    """

    def __init__(self, canvas: CanvasView, window: QWidget, hold: Callable[[QKeyEvent, bool], bool]) -> None:
        """`hold` begins or ends a held command; whether the key has one."""
        super().__init__(window)
        self._canvas = canvas
        self._window = window
        self._hold = hold
        self._watched: QWidget | None = None
        self._ending = QTimer(self)  # fires once the field, and a list it edits, have done what they do
        self._ending.setSingleShot(True)
        self._ending.setInterval(0)
        self._ending.timeout.connect(self._give_back)
        application = QGuiApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow)

    @Slot(QWidget, QWidget)
    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self._watched is not None and isValid(self._watched):
            self._watched.removeEventFilter(self)
        foreign = now is None or now is self._canvas or now.window() is not self._window
        self._watched = None if foreign else now
        if self._watched is not None:
            self._watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in KEY_EVENTS or not isinstance(event, QKeyEvent):
            return False
        if isinstance(watched, TEXT_FIELDS) or (isinstance(watched, QComboBox) and watched.isEditable()):
            self._end_text(watched, event)
            return False
        return self._hand_on(watched, event)

    def _end_text(self, field: QObject, event: QKeyEvent) -> None:
        if event.type() != QEvent.Type.KeyPress or not is_plain(event, *KEEP_KEYS, DROP_KEY):
            return
        if isinstance(field, QLineEdit) and is_plain(event, DROP_KEY):
            field.clear()
        self._ending.start()

    @Slot()
    def _give_back(self) -> None:
        self._canvas.setFocus()

    def _hand_on(self, watched: QObject, event: QKeyEvent) -> bool:
        """Whether the key was none of the widget's."""
        tool, kind = self._canvas.tool, event.type()
        is_claimed = tool is not None and tool.claims_key(event)
        if kind == QEvent.Type.ShortcutOverride:
            if is_claimed:
                event.accept()
            return is_claimed
        if is_plain(event, Qt.Key.Key_Space):
            is_claimed = not isinstance(watched, USE_SPACE)
        if is_claimed:
            QCoreApplication.sendEvent(self._canvas, event)
            return True
        has_modifier = event.modifiers() != Qt.KeyboardModifier.NoModifier
        return not has_modifier and self._hold(event, kind == QEvent.Type.KeyPress)
