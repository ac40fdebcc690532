"""The dock widgets around the canvas: which there are, where they start, how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QWidget

from app.appearance.i18n import phrase, tr

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow

DOCKS: Final[dict[str, tuple[str, Qt.DockWidgetArea]]] = {
    "pictures": (phrase("Pictures"), Qt.DockWidgetArea.LeftDockWidgetArea),
    "labels": (phrase("Labels"), Qt.DockWidgetArea.RightDockWidgetArea),
    "objects": (phrase("Objects"), Qt.DockWidgetArea.RightDockWidgetArea),
    "candidates": (phrase("Found objects"), Qt.DockWidgetArea.RightDockWidgetArea),
    "similar": (phrase("Similar objects"), Qt.DockWidgetArea.RightDockWidgetArea),
    "properties": (phrase("Properties"), Qt.DockWidgetArea.RightDockWidgetArea),
}


class DockTitle(QWidget):
    """A quiet title; the dock is moved by dragging it."""

    def __init__(self, title: str, extra: QWidget | None) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 8, 4)
        name = QLabel(title)
        name.setObjectName("panelTitle")
        row.addWidget(name)
        row.addStretch(1)
        if extra is not None:
            row.addWidget(extra)


def make_dock(key: str, content: QWidget, extra: QWidget | None, window: QMainWindow) -> QDockWidget:
    """A dock at its first place; its object name is what layouts are stored by.

    Args:
        extra: a small widget at the right end of the title.
    """
    title, area = DOCKS[key]
    dock = QDockWidget(tr(title), window)
    dock.setObjectName(f"dock_{key}")
    dock.setFeatures(
        QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
    )
    dock.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
    dock.setTitleBarWidget(DockTitle(tr(title), extra))
    dock.setWidget(content)
    window.addDockWidget(area, dock)
    return dock
