"""SeedHue's entry point: guards the environment, then hands over to the commands."""

import os
import sys


def guard_environment() -> None:
    """Settles which Qt is used, and how memory is taken, before anything is imported that depends on it."""
    # qtawesome asks qtpy, and qtpy prefers PyQt5 where a stray one is installed.
    os.environ.setdefault("QT_API", "pyside6")
    # OpenCV's wheel points Qt at plugins of Qt 5; those of PySide6 are the right ones.
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if f"{os.sep}cv2{os.sep}" in os.environ.get(name, ""):
            del os.environ[name]
    from app.process.allocator import keep_freed_memory

    keep_freed_memory()


def main() -> int:
    if getattr(sys, "frozen", False):
        from multiprocessing import freeze_support

        freeze_support()  # the converter's workers are this program with other arguments
    guard_environment()
    from app.commands.main import main as run_command

    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
