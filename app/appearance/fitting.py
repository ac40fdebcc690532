"""Windows and dialogs that fit on their screen, however small it is and however large its pixels are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QRect, QSize
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QDialog,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from PySide6.QtGui import QScreen, QShowEvent

FRAME: Final = QSize(8, 48)
"""About what a window manager draws around a window, in logical pixels."""
SCROLL_BAR: Final = 16


def room_on(screen: QScreen) -> QRect:
    """Where the inside of a window may be: the screen without panels of the desktop and without a frame."""
    free = screen.availableGeometry()
    side, title = FRAME.width() // 2, FRAME.height() - FRAME.width() // 2
    return free.adjusted(side, title, -side, -side)


def moved_into(place: QRect, room: QRect) -> QRect:
    """The place, made smaller where it is larger than the room and moved where it lies outside."""
    size = place.size().boundedTo(room.size())
    x = min(max(place.x(), room.left()), room.right() + 1 - size.width())
    y = min(max(place.y(), room.top()), room.bottom() + 1 - size.height())
    return QRect(x, y, size.width(), size.height())


def let_shrink(view: QAbstractScrollArea) -> None:
    """Lets what scrolls or scales by itself become as small as it can be before anything round it scrolls
    or grows; beside a text that wraps, Qt would insist on its preferred height."""
    if not view.minimumHeight():
        view.setMinimumHeight(view.minimumSizeHint().height())
    policy = view.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.Ignored)
    view.setSizePolicy(policy)


class FittingDialog(QDialog):
    """A dialog that is never larger than its screen: what does not fit is scrolled.

    All dialogs of the window derive from it; a derived one lays itself out as any other dialog does.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._area: QScrollArea | None = None
        self._is_placed = False

    def showEvent(self, event: QShowEvent) -> None:
        self._fit_size()
        super().showEvent(event)  # puts it in the middle of its parent, unless it was moved before
        self._is_placed = True
        self._fit_place()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible() and self._is_placed:
            self._fit_size()  # something in it has become larger
            self._fit_place()
        return done

    def _fit_size(self) -> None:
        room = room_on(self.screen())
        layout = self.layout()
        if self._area is None and layout is not None:
            least = _least_size(layout, self.width()).expandedTo(self.minimumSize())
            self.resize(self.size().expandedTo(least))
            if least.width() > room.width() or least.height() > room.height():
                self._scroll(layout)
        self.resize(self.size().boundedTo(room.size()))

    def _fit_place(self) -> None:
        place = moved_into(self.geometry(), room_on(self.screen()))
        if place != self.geometry():
            self.setGeometry(place)

    def _scroll(self, layout: QLayout) -> None:
        """Puts everything into an area that scrolls."""
        wanted = self.size().expandedTo(layout.totalSizeHint())
        self.setMinimumSize(0, 0)
        self.setMaximumWidth(wanted.width() + SCROLL_BAR)
        inside = QWidget()
        inside.setObjectName("scrolled")
        inside.setLayout(layout)  # its widgets come along
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setWidget(inside)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self._area)
        self.resize(wanted + QSize(SCROLL_BAR, 0))


def _least_size(layout: QLayout, width: int) -> QSize:
    """What a dialog so wide needs at least: texts are the taller the narrower they are."""
    least = layout.totalMinimumSize()
    if layout.hasHeightForWidth():
        height = layout.minimumHeightForWidth(max(width, least.width()))
        least.setHeight(max(least.height(), height))
    return least
