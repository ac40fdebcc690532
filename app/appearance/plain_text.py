"""Text from files is shown as it stands: names, labels and descriptions are never read as markup.

Qt guesses where it is not told: a label or a tooltip whose text looks like HTML is rendered, and may load
what it names; an "&" in a button or a menu makes a key of the letter behind it. Every text that may come
from a file goes through here, and every label of the window is a `PlainLabel`.
"""

from __future__ import annotations

from html import escape

from PySide6 import QtGui
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget


class PlainLabel(QLabel):
    """A label that shows its text as it stands."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)


class PlainMessageBox(QMessageBox):
    """A message box that shows its texts as they stand."""

    def __init__(self, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWindowTitle(plain_title(title))
        self.setText(text)


def plain_tip(text: str) -> str:
    """A tooltip that reads as the text does."""
    if not QtGui.Qt.mightBeRichText(text):
        return text
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>'


def plain_action(text: str) -> str:
    """The text of a button, a menu or an action without keys of its own."""
    return text.replace("&", "&&").replace("\t", " ")


def plain_title(text: str) -> str:
    """The title of a window; Qt keeps "[*]" for itself."""
    return text.replace("[*]", "[*][*]")
