"""The column of tools on the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QToolBar

from app.appearance.i18n import tr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.session import Session


class ToolBar(QToolBar):
    """One checkable button per tool, in step with the session's tool."""

    def __init__(self, session: Session, tools: Mapping[str, QAction]) -> None:
        super().__init__(tr("Tools"))
        self.setObjectName("tools")
        self.setOrientation(Qt.Orientation.Vertical)
        self.setMovable(False)
        self.setFloatable(False)
        self.setIconSize(QSize(24, 24))
        self.toggleViewAction().setVisible(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._session = session
        self._tools = dict(tools)
        group = QActionGroup(self)
        group.setExclusive(True)
        for action in self._tools.values():
            action.setCheckable(True)
            group.addAction(action)
            self.addAction(action)
        session.tool_changed.connect(self._follow)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        for name, action in self._tools.items():
            action.setChecked(name == self._session.tool)
