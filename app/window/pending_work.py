"""A mask that was clicked and not yet kept is work: it is settled before anything that would drop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainMessageBox
from app.tools.registry import TOOLS

if TYPE_CHECKING:
    from app.canvas.view import CanvasView
    from app.services.window_services import WindowServices

MENDING = frozenset(kind.name for kind in TOOLS if kind.mends)
"""Tools that take what was being made as the object to work on."""


class PendingWork(QObject):
    """Answers `Session.settle` for a window: keeps what the tool is making, or asks if the user wants that.

    The tools keep it by themselves where nobody could be asked any more (`Session.leaving`,
    `Tool.deactivate`), so that nothing is lost even where this is not called.
    """

    def __init__(self, services: WindowServices, canvas: CanvasView, window: QWidget) -> None:
        super().__init__(window)
        self._services = services
        self._canvas = canvas
        self._window = window
        services.session.settle_by(self.settle)

    def settle(self, next_tool: str = "") -> bool:
        """As `Session.settle`."""
        tool = self._canvas.tool
        if tool is None or not tool.is_pending:
            return True
        if next_tool in MENDING or not self._services.settings.ask_about_masks:
            tool.settle()
            return True
        keeps = self._ask()
        if keeps is None:
            return False
        if keeps:
            tool.settle()
        else:
            tool.cancel()
        return True

    def _ask(self) -> bool | None:
        """Whether to keep it; None goes on with it."""
        question = tr("What shall happen to the object that is being made?")
        box = PlainMessageBox(tr("Not kept yet"), question, self._window)
        box.setIcon(QMessageBox.Icon.Question)
        label = self._services.session.options.label
        box.setInformativeText(tr("Kept, it gets the label “{label}”. Undo takes it back.", label=label))
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.AcceptRole)
        drop = box.addButton(tr("Discard"), QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(stay)
        box.exec()
        clicked = box.clickedButton()
        box.deleteLater()
        return {id(keep): True, id(drop): False}.get(id(clicked))
