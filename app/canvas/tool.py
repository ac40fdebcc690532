"""What every tool on the canvas is: pointer and key events in, one document edit out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from PySide6.QtCore import QObject, Qt

from app.appearance.i18n import tr
from app.canvas.surface import Surface

if TYPE_CHECKING:
    from PySide6.QtGui import QCursor, QKeyEvent, QPainter

    from app.canvas.annotation_layer import AnnotationLayer
    from app.canvas.mask_preview import MaskPreview
    from app.canvas.recolor_layer import RecolorLayer
    from app.canvas.superpixel_layer import SuperpixelLayer
    from app.session import Session


@dataclass(frozen=True, slots=True)
class PointerEvent:
    """A mouse or pen event on the canvas.

    Attributes:
        x, y: the picture point under it, in picture pixels; may lie outside the picture.
        device_x, device_y: the same on the canvas, in device pixels.
        button: the button that went down or up; none for a move.
        buttons: every button held.
        modifiers: keyboard modifiers held.
        double: whether this press ends a double click.
    """

    x: float
    y: float
    device_x: float
    device_y: float
    button: Qt.MouseButton = Qt.MouseButton.NoButton
    buttons: Qt.MouseButton = Qt.MouseButton.NoButton
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    double: bool = False

    @property
    def left(self) -> bool:
        return self.button == Qt.MouseButton.LeftButton

    @property
    def right(self) -> bool:
        return self.button == Qt.MouseButton.RightButton

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)

    @property
    def control(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)


class ToolSurface(Surface, Protocol):
    """The canvas as its tools see it: a surface with layers to read and to write on.

    Attributes:
        annotations: the regions' overlay and the label image behind it.
        recolored: recoloured objects, drawn in place of the picture's own pixels.
        superpixels: the superpixels of what shows, while a tool works with them.
        preview: the mask that a tool is about to make.
        tool: the one that gets the pointer and the keys.
    """

    annotations: AnnotationLayer
    recolored: RecolorLayer
    superpixels: SuperpixelLayer
    preview: MaskPreview
    tool: Tool | None

    def set_tool(self, tool: Tool | None) -> None:
        """Make a tool the one that gets the pointer and the keys."""

    def refresh_cursor(self) -> None:
        """Show the pointer that fits the tool."""


class Tool(QObject):
    """One way of working on the canvas. The canvas calls these; by default a tool does nothing.

    Attributes:
        name: how the session and the actions call it.
        title: English text for menus; shown through `tr`.
        hint: English text for the status bar, what the buttons and keys do.
        icon: its qtawesome name.
        shortcut: its key.
        mends: whether it works on the selected object, so that what another tool was making becomes that.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    hint: ClassVar[str]
    icon: ClassVar[str]
    shortcut: ClassVar[str]
    mends: ClassVar[bool] = False

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(view.widget)
        self.session = session
        self.view = view

    def activate(self) -> None:
        """The tool has just been chosen."""

    @property
    def is_pending(self) -> bool:
        """Whether something is being made that Enter would keep and Esc would drop."""
        return False

    def settle(self) -> None:
        """Something else begins: keep what is being made, and say so."""
        if self.is_pending:
            label = self.session.options.label
            self.commit()
            self.session.message.emit(tr("Kept as “{label}”. Undo takes it back.", label=label))

    def deactivate(self) -> None:
        """Another tool is about to be chosen; nothing half done may stay on the canvas."""
        self.settle()
        self.cancel()

    def finish(self) -> None:
        """Wait until what was kept is in its document."""

    def shutdown(self) -> None:
        """The window goes: end background work."""

    def pointer_press(self, event: PointerEvent) -> None:
        """A button went down."""

    def pointer_move(self, event: PointerEvent) -> None:
        """The pointer moved, with or without a button held."""

    def pointer_release(self, event: PointerEvent) -> None:
        """A button came up."""

    def pointer_leave(self) -> None:
        """The pointer left the canvas."""

    def wheel(self, steps: float, modifiers: Qt.KeyboardModifier) -> bool:
        """Whether the tool used the wheel; otherwise the canvas zooms. One notch is one step."""
        return False

    def key_press(self, event: QKeyEvent) -> bool:
        """Whether the tool used the key. Enter and Esc arrive as `commit` and `cancel` instead."""
        return False

    def claims_key(self, event: QKeyEvent) -> bool:
        """Whether the tool wants this key now although something else has a use for it, too: a shortcut of
        the window, or the control that has the focus."""
        return False

    def commit(self) -> None:
        """Put what is being made into the document (Enter)."""

    def cancel(self) -> None:
        """Drop what is being made (Esc)."""

    def paint(self, painter: QPainter) -> None:
        """Draw handles and the like above the picture; the painter works in device pixels."""

    def cursor(self) -> QCursor | Qt.CursorShape:
        return Qt.CursorShape.CrossCursor


def turns_second(modifiers: Qt.KeyboardModifier) -> bool:
    """Whether the wheel means a tool's second value (level, size): with Alt, or with Ctrl+Shift where a
    window manager keeps Alt for itself."""
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    return bool(modifiers & Qt.KeyboardModifier.AltModifier) or modifiers & both == both


def is_plain(event: QKeyEvent, *keys: Qt.Key) -> bool:
    """Whether it is one of these keys, without a modifier."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return event.key() in keys and held == Qt.KeyboardModifier.NoModifier


KEEP_KEYS: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
DROP_KEY: Final = Qt.Key.Key_Escape
