"""The menu bar and the top tool bar, made from the table of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from app.appearance.i18n import LANGUAGES, phrase, tr
from app.window.actions import MENUS, all_commands
from app.window.command import Hold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QMenuBar

LANGUAGE_CHOICES: Final = {"system": phrase("Same as the system"), **LANGUAGES}

TOP_BAR: Final = (
    ("open_file", "open_folder", "save"),
    ("previous_picture", "next_picture"),
    ("undo", "redo"),
    ("zoom_out", "zoom_in", "fit", "show_original"),
    ("auto", "train"),
)
CONTEXT_MENU: Final = (
    ("relabel", "lock", "hide", "zoom_selection", "select_similar"),
    ("raise_object", "lower_object"),
    ("to_polygon", "to_mask", "fill_holes", "keep_largest", "split_parts", "snap_to_superpixels"),
    ("union", "subtract", "intersect", "exclude"),
    ("copy", "duplicate", "remove_recolor", "delete"),
)


def fill_menu_bar(bar: QMenuBar, actions: Mapping[str, QAction]) -> dict[str, QMenu]:
    """One menu per entry of MENUS; returns them by key."""
    for action in bar.actions():
        old = action.menu()
        if isinstance(old, QMenu):
            old.deleteLater()  # clearing the bar leaves its menus
    bar.clear()
    menus = {key: bar.addMenu(tr(title)) for key, title in MENUS.items()}
    for command in all_commands():
        if command.separator:
            menus[command.menu].addSeparator()
        menus[command.menu].addAction(actions[command.id])
    return menus


def make_top_bar(actions: Mapping[str, QAction], parent: QWidget) -> QToolBar:
    """The bar under the menus: what is needed all the time; "train" stands at the far right."""
    bar = QToolBar(tr("Commands"), parent)
    bar.setObjectName("main")
    bar.setMovable(False)
    bar.setFloatable(False)
    bar.setIconSize(QSize(20, 20))
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    held = {command.id for command in all_commands() if isinstance(command.act, Hold)}
    for number, group in enumerate(TOP_BAR):
        if 0 < number < len(TOP_BAR) - 1:
            bar.addSeparator()
        if number == len(TOP_BAR) - 1:
            spacer = QWidget()
            spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            bar.addWidget(spacer)
        for name in group:
            if name in held:
                bar.addWidget(_held_button(actions[name]))
            else:
                bar.addAction(actions[name])
    for name in ("auto", "train"):
        button = bar.widgetForAction(actions[name])
        if isinstance(button, QToolButton):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return bar


def _held_button(action: QAction) -> QToolButton:
    """A button that acts while it is down; a `CommandRunner` follows it."""
    button = QToolButton()
    button.setObjectName(action.objectName())
    button.setIcon(action.icon())
    button.setToolTip(action.toolTip())
    button.setEnabled(action.isEnabled())
    action.enabledChanged.connect(button.setEnabled)
    return button


def add_choice_menu(
    menu: QMenu, title: str, choices: Mapping[str, str], chosen: str
) -> tuple[QMenu, QActionGroup]:
    """A sub-menu of exclusive choices; each action's data is the choice's key."""
    submenu = menu.addMenu(title)
    group = QActionGroup(submenu)
    group.setExclusive(True)
    for key, name in choices.items():
        action = submenu.addAction(tr(name))
        action.setCheckable(True)
        action.setData(key)
        action.setChecked(key == chosen)
        group.addAction(action)
    return submenu, group


def context_actions(actions: Mapping[str, QAction], parent: QMenu) -> None:
    """Fills the context menu of objects."""
    for number, group in enumerate(CONTEXT_MENU):
        if number:
            parent.addSeparator()
        parent.addActions([actions[name] for name in group])
