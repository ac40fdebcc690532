"""Greys out what cannot be done now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication

from app.appearance.i18n import tr
from app.appearance.plain_text import plain_action
from app.window.actions import all_commands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtGui import QAction

    from app.appearance.title import Title
    from app.services.window_services import WindowServices


class Enabling(QObject):
    """Keeps the actions' enabled state and the titles of undo and redo in step with the session."""

    def __init__(self, services: WindowServices, actions: Mapping[str, QAction], parent: QObject) -> None:
        super().__init__(parent)
        self._services = services
        self._actions = dict(actions)
        self._needs = {command.id: command.needs for command in all_commands()}
        session = services.session
        session.document_opened.connect(self.refresh)
        session.document_changed.connect(self.refresh)
        session.selection_changed.connect(self.refresh)
        session.encoding_changed.connect(self.refresh)
        session.seed_state_changed.connect(self.refresh)
        services.pictures.list_changed.connect(self.refresh)
        QGuiApplication.clipboard().dataChanged.connect(self._look_at_clipboard)
        self._look_at_clipboard()

    @Slot()
    def _look_at_clipboard(self) -> None:
        """Asking for the clipboard may mean asking another program: not at every edit."""
        self._has_clipboard = self._services.objects.has_clipboard
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Looks at the session anew."""
        session = self._services.session
        document = session.document
        met = {
            "": True,
            "picture": document is not None,
            "selection": bool(session.selection),
            "pair": len(session.selection) > 1,
            "undo": document is not None and document.can_undo,
            "redo": document is not None and document.can_redo,
            "clipboard": document is not None and self._has_clipboard,
            "folder": bool(self._services.pictures.paths),
            "encoding": session.encoding is not None,
            "levels": bool(session.seed_state.level_scores),
            "similar": self._services.similar.can_start,
        }
        for name, action in self._actions.items():
            action.setEnabled(met[self._needs[name]])
        undo, redo = self._actions["undo"], self._actions["redo"]
        undo_title = document.undo_title if document is not None else None
        redo_title = document.redo_title if document is not None else None
        undo.setText(tr("Undo") if undo_title is None else _named(tr("Undo"), undo_title))
        redo.setText(tr("Redo") if redo_title is None else _named(tr("Redo"), redo_title))


def _named(command: str, title: Title) -> str:
    return plain_action(f"{command}: {title.translated()}")
