"""Deciding on candidates with the pointer and the keys, while a panel waits for acceptance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt, Signal

from app.appearance.i18n import phrase
from app.canvas.tool import DROP_KEY, KEEP_KEYS, Tool, is_plain

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent

    from app.canvas.tool import PointerEvent

FINE_STEPS = 0.2


class PickTool(Tool):
    """Takes the place of the chosen tool for as long as there are candidates; it is in no tool bar.

    Signals:
        picked: the picture point (x, y) of a click.
        turned: notches of the wheel; up is positive.
        accepted, dismissed: Enter, Esc.
    """

    name: ClassVar[str] = "pick"
    title: ClassVar[str] = phrase("Similar objects")
    hint: ClassVar[str] = phrase(
        "Click an object to leave it out or to take it in. Scroll for the similarity, "
        "Enter accepts, Esc cancels."
    )
    icon: ClassVar[str] = "mdi6.select-multiple"
    shortcut: ClassVar[str] = ""

    picked = Signal(float, float)
    turned = Signal(float)
    accepted = Signal()
    dismissed = Signal()

    def deactivate(self) -> None:
        """Another tool goes on; the candidates wait in their panel."""

    def pointer_press(self, event: PointerEvent) -> None:
        if event.left:
            self.picked.emit(event.x, event.y)

    def wheel(self, steps: float, modifiers: Qt.KeyboardModifier) -> bool:
        fine = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        self.turned.emit(steps * FINE_STEPS if fine else steps)
        return True

    def claims_key(self, event: QKeyEvent) -> bool:
        return is_plain(event, *KEEP_KEYS, DROP_KEY)

    def commit(self) -> None:
        self.accepted.emit()

    def cancel(self) -> None:
        self.dismissed.emit()

    def cursor(self) -> Qt.CursorShape:
        return Qt.CursorShape.PointingHandCursor
