"""The dock widgets that hold the panels: how they look, where they stand, which show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QWidget,
)

from app.appearance.fitting import let_shrink
from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.panels.registry import PANELS

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMenu

    from app.panels.registry import Panel, PanelParts

AnyPanel = TypeVar("AnyPanel", bound=QWidget)
WIDTHS: Final = {
    Qt.DockWidgetArea.LeftDockWidgetArea: 216,
    Qt.DockWidgetArea.RightDockWidgetArea: 304,
}
"""How wide the columns are at first, in logical pixels."""
NARROWEST: Final = {
    Qt.DockWidgetArea.LeftDockWidgetArea: 160,
    Qt.DockWidgetArea.RightDockWidgetArea: 256,
}
"""How wide what belongs into a column is at least."""
LOWEST: Final = 84
"""How high a panel is at least, without its title."""


class DockTitle(QWidget):
    """A quiet title; the dock is moved by dragging it."""

    def __init__(self, title: str, extra: QWidget | None) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 8, 4)
        name = PlainLabel(title)
        name.setObjectName("panelTitle")
        row.addWidget(name)
        row.addStretch(1)
        if extra is not None:
            row.addWidget(extra)


def make_dock(panel: Panel, window: QMainWindow) -> QDockWidget:
    """An empty dock at its first place; its object name is what layouts are stored by."""
    dock = QDockWidget(window)
    dock.setObjectName(f"dock_{panel.key}")
    dock.setFeatures(
        QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
    )
    dock.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
    window.addDockWidget(panel.area, dock)
    return dock


def _scrolling(content: QWidget, width: int) -> QScrollArea:
    """The panel in an area that scrolls where it does not fit: a column of them fits any window."""
    area = content if isinstance(content, QScrollArea) else QScrollArea()
    if area is not content:
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for view in content.findChildren(QAbstractItemView):
            let_shrink(view)  # the buttons below a list stay in sight
    area.setMinimumSize(width, LOWEST)
    return area


@runtime_checkable
class KeepsState(Protocol):
    """A panel with something that nobody else remembers: a filter, what waits for the user's word."""

    def hand_over(self) -> Any:
        """What the panel made in the place of this one needs to go on; this one has no more to do."""

    def take_over(self, state: Any) -> None:
        """Goes on with what the panel before handed over."""


class Docks:
    """A dock of the window for every panel of the registry.

    Docks last as long as the window: what is in them is made anew with every `fill`, their places, their
    sizes and whether they show are the user's.

    Attributes:
        by_key: the docks, by their panel's key.
        panels: what is in them.
    """

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        self.by_key = {panel.key: make_dock(panel, window) for panel in PANELS}
        self.panels: dict[str, QWidget] = {}
        self._gave_way: list[QDockWidget] = []
        for panel in PANELS:
            if panel.shown == "to accept":
                self.by_key[panel.key].hide()

    def fill(self, parts: PanelParts) -> None:
        """Makes every panel, in today's words and colours; it goes on where the one before it was."""
        before, self.panels = self.panels, {}
        for panel in PANELS:
            content, dock = panel.make(parts), self.by_key[panel.key]
            self.panels[panel.key] = content.widget
            old, old_title = dock.widget(), dock.titleBarWidget()
            dock.setWindowTitle(tr(panel.title))
            dock.setTitleBarWidget(DockTitle(tr(panel.title), content.beside_title))
            dock.setWidget(_scrolling(content.widget, NARROWEST[panel.area]))
            for gone in (old, old_title):
                if gone is not None:
                    gone.hide()
                    gone.deleteLater()
        for key, widget in before.items():
            now = self.panels[key]
            if isinstance(widget, KeepsState) and isinstance(now, KeepsState):
                now.take_over(widget.hand_over())

    def panel(self, kind: type[AnyPanel]) -> AnyPanel:
        """The panel of a class."""
        (found,) = (widget for widget in self.panels.values() if isinstance(widget, kind))
        return found

    def add_switches(self, menu: QMenu) -> None:
        """Lists the panels in a menu, to show and hide."""
        for panel in PANELS:
            if panel.shown != "to accept":
                menu.addAction(self.by_key[panel.key].toggleViewAction())

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

    def mend(self) -> None:
        """Gives the columns their first sizes where a layout, made on a larger screen, leaves no room for
        the picture."""
        centre = self._window.centralWidget()
        widest = max((dock.width() for dock in self.by_key.values() if dock.isVisible()), default=0)
        if centre is None or centre.width() <= centre.minimumWidth() or widest > self._window.width() // 2:
            self.arrange()

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
