"""Starts the window: application object, language, theme, main window, event loop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import qtawesome
from PySide6.QtWidgets import QApplication

from app.appearance.i18n import set_language
from app.appearance.qt_translation import translate_qt
from app.appearance.theme import ThemeManager
from app.process.environment import forget_opencv_plugins
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from app.workers.garbage import GarbageCollection

SWITCH_SECONDS: Final = 0.0005
ICON_COLOR: Final = "#2e9e5b"  # reads on the title bars of light and dark desktops

if TYPE_CHECKING:
    from collections.abc import Sequence


def make_application(arguments: Sequence[str] = ()) -> QApplication:
    """The process's QApplication, made once."""
    forget_opencv_plugins()
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication([sys.argv[0], *arguments])
    application.setApplicationName("SeedHue")
    application.setApplicationDisplayName("SeedHue")
    application.setDesktopFileName("seedhue")
    return application


def favour_the_window() -> None:
    """Has worker threads hand over the interpreter soon.

    The window asks for it many times while it paints one frame, after every call into Qt. A worker
    that is busy in Python (writing a thousand objects) may keep it for this long each time.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def run_window(paths: Sequence[Path | str] = ()) -> int:
    """Shows the window, opens the paths, and returns the exit status when it is closed."""
    application = make_application()
    favour_the_window()
    store = SettingsStore()
    set_language(store.settings.language)
    translate_qt(application)
    theme = ThemeManager(application)
    theme.apply(store.settings.theme)
    application.setWindowIcon(qtawesome.icon("mdi6.sprout", color=ICON_COLOR))
    services = WindowServices(store)
    services.notices.catch_exceptions()
    window = MainWindow(services, theme)
    window.show()
    garbage = GarbageCollection()
    if paths:
        services.pictures.open_paths([Path(path).absolute() for path in paths])
    try:
        return application.exec()
    finally:
        garbage.stop()
        services.notices.release_exceptions()
