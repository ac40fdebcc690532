"""The main window's size and place, and those of its panels: kept in the settings, mended where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QByteArray, QSize

from app.appearance.fitting import FRAME, moved_into, room_on

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow

    from app.panels.docks import Docks
    from app.project.settings import Settings

MINIMUM_SIZE: Final = QSize(800, 480)
"""Fits on 1280 × 720 pixels, and on 1920 × 1080 shown at twice their size, with a frame and a task bar."""
FIRST_SIZE: Final = QSize(1280, 800)
LAYOUT_VERSION: Final = 1


def first_size(available: QSize) -> QSize:
    """How large the window begins on a screen with so much room: so that its frame fits too."""
    return FIRST_SIZE.boundedTo(available - FRAME)


def stored_layout(window: QMainWindow) -> dict[str, str]:
    """The settings that `restore_layout` reads."""
    return {
        "window_state": bytes(window.saveState(LAYOUT_VERSION).toBase64().data()).decode(),
        "window_geometry": bytes(window.saveGeometry().toBase64().data()).decode(),
    }


def restore_layout(window: QMainWindow, docks: Docks, settings: Settings) -> None:
    """Gives the window the place it had last, as far as the screen of today allows."""
    window.resize(first_size(window.screen().availableSize()))
    docks.arrange()
    if settings.window_geometry:
        window.restoreGeometry(QByteArray.fromBase64(settings.window_geometry.encode()))
    if settings.window_state:
        window.restoreState(QByteArray.fromBase64(settings.window_state.encode()), LAYOUT_VERSION)
    docks.hide_passing()
    if not window.isMaximized() and not window.isFullScreen():
        room = room_on(window.screen())
        place = moved_into(window.geometry(), room)
        if place.size() != window.size() or (settings.window_geometry and place != window.geometry()):
            window.setGeometry(place)
