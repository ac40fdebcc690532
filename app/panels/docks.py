"""The dock widgets that hold the panels: how they look, where they stand, which show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QMainWindow, QWidget

from app.appearance.i18n import tr
from app.panels.registry import PANELS

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMenu

    from app.panels.registry import Panel, PanelContent, PanelParts

AnyPanel = TypeVar("AnyPanel", bound=QWidget)
WIDTHS: Final = {
    Qt.DockWidgetArea.LeftDockWidgetArea: 216,
    Qt.DockWidgetArea.RightDockWidgetArea: 304,
}
"""How wide the columns are at first, in logical pixels."""


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


def make_dock(panel: Panel, content: PanelContent, window: QMainWindow) -> QDockWidget:
    """A dock at its first place; its object name is what layouts are stored by."""
    dock = QDockWidget(tr(panel.title), window)
    dock.setObjectName(f"dock_{panel.key}")
    dock.setFeatures(
        QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
    )
    dock.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
    dock.setTitleBarWidget(DockTitle(tr(panel.title), content.beside_title))
    dock.setWidget(content.widget)
    window.addDockWidget(panel.area, dock)
    return dock


class Docks:
    """Every panel of the registry in a dock of the window.

    Attributes:
        by_key: the docks, by their panel's key.
        panels: what is in them.
    """

    def __init__(self, parts: PanelParts, window: QMainWindow) -> None:
        self._window = window
        contents = {panel.key: panel.make(parts) for panel in PANELS}
        self.panels = {key: content.widget for key, content in contents.items()}
        self.by_key = {panel.key: make_dock(panel, contents[panel.key], window) for panel in PANELS}
        self._gave_way: list[QDockWidget] = []
        for panel in PANELS:
            if panel.shown == "to accept":
                self.by_key[panel.key].hide()

    def panel(self, kind: type[AnyPanel]) -> AnyPanel:
        """The panel of a class."""
        (found,) = (widget for widget in self.panels.values() if isinstance(widget, kind))
        return found

    def add_switches(self, menu: QMenu) -> None:
        """Lists the panels in a menu, to show and hide."""
        for panel in PANELS:
            if panel.shown != "to accept":
                menu.addAction(self.by_key[panel.key].toggleViewAction())

    def remove(self) -> None:
        """Takes the docks out of the window."""
        for dock in self.by_key.values():
            self._window.removeDockWidget(dock)
            dock.deleteLater()

    def arrange(self) -> None:
        """Gives columns and panels their first sizes."""
        for area, width in WIDTHS.items():
            column = [panel for panel in PANELS if panel.area == area]
            docks = [self.by_key[panel.key] for panel in column]
            self._window.resizeDocks(docks[:1], [width], Qt.Orientation.Horizontal)
            lasting = [panel for panel in column if panel.shown != "to accept"]
            self._window.resizeDocks(
                [self.by_key[panel.key] for panel in lasting],
                [panel.height for panel in lasting],
                Qt.Orientation.Vertical,
            )

    def hide_passing(self) -> None:
        """Hides what shows only at times, whatever a stored layout says."""
        for panel in PANELS:
            if panel.shown != "always":
                self.by_key[panel.key].hide()

    def show_folder(self, shown: bool) -> None:
        """Shows or hides what is about several pictures."""
        for panel in PANELS:
            if panel.shown == "for a folder":
                self.by_key[panel.key].setVisible(shown)

    def make_room(self, key: str) -> None:
        """What waits to be accepted takes the place of what means nothing to it."""
        area = next(panel.area for panel in PANELS if panel.key == key)
        column = [panel for panel in PANELS if panel.area == area]
        for dock in [self.by_key[panel.key] for panel in column if not panel.squeezed]:
            if dock.isVisible():
                self._gave_way.append(dock)
            dock.hide()
        self.by_key[key].show()
        shown = [p for p in column if p.squeezed and (p.key == key or p.shown == "always")]
        self._window.resizeDocks(
            [self.by_key[panel.key] for panel in shown],
            [panel.squeezed for panel in shown],
            Qt.Orientation.Vertical,
        )

    def give_back(self) -> None:
        """Nothing waits any more: what gave way shows again."""
        for panel in PANELS:
            if panel.shown == "to accept":
                self.by_key[panel.key].hide()
        for dock in self._gave_way:
            dock.show()
        self._gave_way.clear()
