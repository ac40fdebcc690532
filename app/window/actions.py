"""Everything a user can ask the window to do, as QActions.

The menus, the tool bar, the keyboard and the dialog of shortcuts all derive from one table; a test checks
that no two commands share a key.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QKeySequence

from app.appearance.i18n import phrase, tr
from app.appearance.keys import key_of, native_text
from app.appearance.theme import icon
from app.tools.registry import TOOLS
from app.window.command import Command, Hold, Toggle
from app.window.commands_for_objects import OBJECT_COMMANDS
from app.window.commands_for_pictures import PICTURE_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PySide6.QtGui import QKeyEvent
    from PySide6.QtWidgets import QToolButton, QWidget

    from app.canvas.tool import Tool
    from app.dialogs.shortcuts import ShortcutRow
    from app.document.document import Document
    from app.window.command import WindowParts

MENUS: Final[dict[str, str]] = {
    "file": phrase("&File"),
    "edit": phrase("&Edit"),
    "object": phrase("&Object"),
    "view": phrase("&View"),
    "tools": phrase("&Tools"),
    "model": phrase("&Model"),
    "help": phrase("&Help"),
}
SETTLING: Final = frozenset({"file", "model"})
"""Menus whose commands are about the picture as a whole, or leave it: what is being made is settled first.
Choosing a tool settles it, too (`Session.set_tool`)."""
PEEK_MS: Final = 1500
"""How long a command that is held acts when it is chosen from a menu."""


def tool_commands() -> tuple[Command, ...]:
    """One command per tool, with its own letter and its place in the tool bar as keys."""
    return tuple(_command_of(kind, number) for number, kind in enumerate(TOOLS, start=1))


def _command_of(kind: type[Tool], number: int) -> Command:
    def choose(at: WindowParts) -> None:
        at.services.session.set_tool(kind.name)

    return Command(f"tool_{kind.name}", kind.title, "tools", choose, (kind.shortcut, str(number)), kind.icon)


def all_commands() -> tuple[Command, ...]:
    """The tools and every other command, in the order of the menus."""
    order = list(MENUS)
    rows = (*tool_commands(), *PICTURE_COMMANDS, *OBJECT_COMMANDS)
    return tuple(sorted(rows, key=lambda command: order.index(command.menu)))


def default_keys() -> dict[str, tuple[str, ...]]:
    """Command id to its default key sequences."""
    return {command.id: command.keys for command in all_commands()}


def shortcut_rows() -> tuple[ShortcutRow, ...]:
    """The commands as the dialog of shortcuts lists them."""
    from app.dialogs.shortcuts import ShortcutRow  # the window starts sooner without its dialogs

    return tuple(
        ShortcutRow(command.id, MENUS[command.menu], command.title, command.keys)
        for command in all_commands()
    )


def build_actions(parent: QWidget, keys: Mapping[str, Sequence[str]]) -> dict[str, QAction]:
    """A QAction for every command, by id; a `CommandRunner` makes them work."""
    actions: dict[str, QAction] = {}
    for command in all_commands():
        action = QAction(tr(command.title), parent)
        action.setObjectName(command.id)
        action.setCheckable(isinstance(command.act, Toggle))
        if command.icon:
            action.setIcon(icon(command.icon))
            action.setProperty("icon_name", command.icon)
        plain = tr(command.title).rstrip("…")
        shown = native_text(keys[command.id])
        if isinstance(command.act, Hold):
            action.setText(f"{plain}\t{shown}")  # a menu shows it like a shortcut; the window handles it
        else:
            action.setShortcuts([QKeySequence(key) for key in keys[command.id]])
        action.setToolTip(f"{plain}  ({shown})" if shown else plain)
        actions[command.id] = action
    return actions


class CommandRunner(QObject):
    """Does what a command's row says when its action, its button or its key asks for it."""

    def __init__(self, parts: WindowParts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._rows = {command.id: command for command in all_commands()}
        self._holds: dict[Qt.Key, Hold] = {}
        self._session = parts.services.session
        self._waiting: list[tuple[Document, Callable[[WindowParts], None]]] = []
        self._session.arrivals.changed.connect(self._run_waiting)

    def follow(self, actions: Mapping[str, QAction], keys: Mapping[str, Sequence[str]]) -> None:
        """From now on these are the actions, with these keys."""
        self._holds = {
            key_of(keys[row.id][0]): row.act
            for row in self._rows.values()
            if isinstance(row.act, Hold) and keys[row.id]
        }
        for action in actions.values():
            action.triggered.connect(self._on_triggered)

    def follow_button(self, button: QToolButton) -> None:
        """The button holds the command it has its object name from."""
        button.pressed.connect(self._on_pressed)
        button.released.connect(self.release_all)

    def handle_key(self, event: QKeyEvent, *, down: bool) -> bool:
        """Whether the key holds a command."""
        hold = None if event.isAutoRepeat() else self._holds.get(Qt.Key(event.key()))
        if hold is not None:
            hold.run(self._parts, down)
        return hold is not None

    @Slot()
    def release_all(self) -> None:
        """Nothing is held any more."""
        for command in self._rows.values():
            if isinstance(command.act, Hold):
                command.act.run(self._parts, False)

    @Slot(bool)
    def _on_triggered(self, checked: bool) -> None:
        action = self.sender()
        row = self._rows[action.objectName()]
        act, document = row.act, self._session.document
        if row.menu in SETTLING and not self._session.settle():
            if isinstance(act, Toggle) and isinstance(action, QAction):
                action.setChecked(not checked)
        elif isinstance(act, Toggle):
            act.run(self._parts, checked)
        elif isinstance(act, Hold):  # from a menu: for a moment
            act.run(self._parts, True)
            QTimer.singleShot(PEEK_MS, self, self.release_all)
        elif row.waits and document is not None and self._session.arrivals.is_expected(document):
            self._waiting.append((document, act))
        else:
            act(self._parts)

    @Slot()
    def _run_waiting(self) -> None:
        """What waited for an object begins, unless another picture is open."""
        arrivals, waiting = self._session.arrivals, self._waiting
        ready = [each for each in waiting if not arrivals.is_expected(each[0])]
        self._waiting = [each for each in waiting if each not in ready]
        for document, act in ready:
            if document is self._session.document:
                QTimer.singleShot(0, self, partial(act, self._parts))

    @Slot()
    def _on_pressed(self) -> None:
        act = self._rows[self.sender().objectName()].act
        if isinstance(act, Hold):
            act.run(self._parts, True)
