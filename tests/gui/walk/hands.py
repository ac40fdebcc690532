"""What hands do to widgets: clicks, keys, wheel, text, on whatever a window shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMenu,
    QScrollBar,
    QTabBar,
    QToolButton,
    QWidget,
)

if TYPE_CHECKING:
    import random

USED: Final = (
    *(QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QTabBar),
)
TEXTS: Final = ("leaf", "猫", "<b>bold</b>", "two words", "x" * 300, "{count} %s &amp", "..", "3", "")
"""None is a path that leaves the folder a test works in."""
PLAIN: Final = Qt.KeyboardModifier.NoModifier
MODIFIERS: Final = (
    *(PLAIN, PLAIN, PLAIN, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier),
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
)
BUTTONS: Final = (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton)
KEYS: Final = (
    *(Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Space, Qt.Key.Key_Tab),
    *(Qt.Key.Key_Backspace, Qt.Key.Key_Delete, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up),
    *(Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown),
    *(Qt.Key(code) for code in range(Qt.Key.Key_A.value, Qt.Key.Key_Z.value + 1)),
    *(Qt.Key(code) for code in range(Qt.Key.Key_0.value, Qt.Key.Key_9.value + 1)),
)


def somewhere(chance: random.Random, widget: QWidget) -> QPoint:
    """A point of the widget."""
    return QPoint(chance.randrange(max(1, widget.width())), chance.randrange(max(1, widget.height())))


def turn_wheel(chance: random.Random, widget: QWidget, at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
    """One notch, or a few, up or down."""
    turn = QPoint(0, chance.choice((-360, -120, 120, 240)))
    place, none = QPointF(at), Qt.MouseButton.NoButton
    event = QWheelEvent(
        place, QPointF(widget.mapToGlobal(at)), QPoint(), turn, none, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def ask_for_menu(widget: QWidget, at: QPoint) -> None:
    """A right click as the platform reports it."""
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, widget.mapToGlobal(at))
    QApplication.sendEvent(widget, event)


def press_key(chance: random.Random, widget: QWidget) -> None:
    """Any key, with or without modifiers."""
    QTest.keyClick(widget, chance.choice(KEYS), chance.choice(MODIFIERS))


def poke(chance: random.Random, root: QWidget) -> str:
    """Uses one of the widgets that can be seen and used; says which."""
    found = [w for w in root.findChildren(QWidget) if isinstance(w, USED) and w.isVisible() and w.isEnabled()]
    found = [w for w in found if not isinstance(w, QScrollBar) and w.window() is root.window()]
    if not found:
        return "nothing to use"
    kinds = sorted({type(w).__name__ for w in found})
    kind = chance.choice(kinds)  # many buttons must not outnumber the one slider
    widget = chance.choice([w for w in found if type(w).__name__ == kind])
    told = f"{kind} {widget.objectName() or _text(widget)!r}"
    _use(chance, widget)
    return told


def _text(widget: QWidget) -> str:
    if isinstance(widget, QAbstractButton):
        return widget.text() or widget.toolTip()
    return widget.accessibleName() or type(widget.parentWidget()).__name__


def _use(chance: random.Random, widget: QWidget) -> None:
    if isinstance(widget, QToolButton) and widget.menu() is not None:
        choose_from(chance, widget.menu())
    elif isinstance(widget, QAbstractButton):
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    elif isinstance(widget, QLineEdit):
        _type(chance, widget)
    elif isinstance(widget, QAbstractItemView):
        _use_rows(chance, widget)
    elif isinstance(widget, QAbstractSpinBox):
        widget.setFocus()
        _type(chance, widget.lineEdit())
    else:
        chance.choice((_click, _turn, _step))(chance, widget)


def _click(chance: random.Random, widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, PLAIN, somewhere(chance, widget))


def _turn(chance: random.Random, widget: QWidget) -> None:
    turn_wheel(chance, widget, somewhere(chance, widget), PLAIN)


def _step(chance: random.Random, widget: QWidget) -> None:
    widget.setFocus()
    QTest.keyClick(widget, chance.choice((Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_End, Qt.Key.Key_Home)))


def _type(chance: random.Random, field: QLineEdit) -> None:
    field.setFocus()
    field.selectAll()
    text = chance.choice(TEXTS)
    if text.isascii():
        QTest.keyClicks(field, text)
    else:
        field.insert(text)  # as an input method does
    end = chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Tab, None))
    if end is not None:
        QTest.keyClick(field, end)


def _use_rows(chance: random.Random, view: QAbstractItemView) -> None:
    model, port = view.model(), view.viewport()
    if model is None or not model.rowCount():
        return
    index = model.index(chance.randrange(model.rowCount()), 0)
    view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
    at = view.visualRect(index).center()
    at.setX(chance.randrange(max(1, port.width())))
    if not port.rect().contains(at):
        return
    what = chance.randrange(6)
    if what < 3:
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, chance.choice(MODIFIERS), at)
    elif what == 3:
        QTest.mouseDClick(port, Qt.MouseButton.LeftButton, PLAIN, at)
    elif what == 4:
        ask_for_menu(port, at)
    else:
        view.setFocus()
        press_key(chance, view)


def choose_from(chance: random.Random, menu: QMenu) -> None:
    """Chooses any entry of a menu, or of a menu in it, as a click does."""
    menu.aboutToShow.emit()
    usable = [action for action in menu.actions() if action.isEnabled() and not action.isSeparator()]
    if not usable:
        return
    action = chance.choice(usable)
    if action.menu() is not None:
        choose_from(chance, action.menu())
    else:
        action.trigger()


def close_popups(chance: random.Random) -> None:
    """Whatever popped up is used or closed; nothing may pop up for ever."""
    for _ in range(4):
        popup = QApplication.activePopupWidget()
        if popup is None:
            return
        popup.close()
        if isinstance(popup, QMenu) and chance.random() < 0.5:
            choose_from(chance, popup)
    assert QApplication.activePopupWidget() is None
