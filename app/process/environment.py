"""What must be settled before Qt, OpenCV or torch are imported: which Qt is used, how memory is taken, how
threads wait."""

from __future__ import annotations

import os

from app.process.allocator import keep_freed_memory
from models.device.waiting import wait_shortly


def guard_environment() -> None:
    """Settle all of it; every door into the program calls it first."""
    # qtawesome asks qtpy, and qtpy prefers PyQt5 where a stray one is installed.
    os.environ.setdefault("QT_API", "pyside6")
    forget_opencv_plugins()
    keep_freed_memory()
    wait_shortly()


def forget_opencv_plugins() -> None:
    """Take OpenCV's folders for Qt 5 out of the environment, where importing cv2 puts them: those of PySide6
    are the right ones."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if f"{os.sep}cv2{os.sep}" in os.environ.get(name, ""):
            del os.environ[name]
