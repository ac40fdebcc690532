"""The question before quitting while there is work that could not be written where it belongs."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QMessageBox, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainMessageBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.services.safety import Concern

_LISTED: Final = 8


class Answer(Enum):
    """What shall happen."""

    TRY_AGAIN = "try again"
    QUIT = "quit"
    STAY = "stay"


def ask_about_unwritten(concerns: Sequence[Concern], parent: QWidget) -> Answer:
    """Tells what is only in the recovery journal and what would be lost, and asks whether to quit."""
    lost = [concern for concern in concerns if concern.lost]
    kept = [concern for concern in concerns if not concern.lost]
    box = PlainMessageBox(tr("Not saved"), tr("Not everything could be written."), parent)
    box.setIcon(QMessageBox.Icon.Warning)
    parts = []
    if lost:
        parts.append(tr("This would be lost:") + "\n" + _listed(lost))
    if kept:
        promise = tr("This is kept in the recovery journal and comes back when the picture is opened again:")
        parts.append(promise + "\n" + _listed(kept))
    box.setInformativeText("\n\n".join(parts))
    again = box.addButton(tr("Try again"), QMessageBox.ButtonRole.AcceptRole)
    title = tr("Quit and lose it") if lost else tr("Quit")
    leave = box.addButton(title, QMessageBox.ButtonRole.DestructiveRole)
    stay = box.addButton(tr("Stay"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is again:
        return Answer.TRY_AGAIN
    return Answer.QUIT if clicked is leave else Answer.STAY


def _listed(concerns: Sequence[Concern]) -> str:
    lines = [f"• {concern.details}" for concern in concerns[:_LISTED]]
    if len(concerns) > _LISTED:
        lines.append(tr("… and {count} more", count=len(concerns) - _LISTED))
    return "\n".join(lines)
