"""A benchmark's event loop: asleep until there is an event, as the program's own is.

A loop that looked again and again would take Python's lock from the worker threads: answers to clicks took
half as long again.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 120
LOOK_MS = 20  # what no event tells of is looked for this often


def wait_until(condition: Callable[[], bool]) -> None:
    """Work through events until the condition holds."""
    end = perf_counter() + PATIENCE_S
    clock = QTimer()
    clock.start(LOOK_MS)
    loop = QEventLoop()
    while not condition():
        assert perf_counter() < end, "waited too long"
        loop.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def wait_for(seconds: float) -> None:
    """Work through events for some time."""
    over: list[bool] = []
    QTimer.singleShot(round(1000 * seconds), lambda: over.append(True))
    wait_until(lambda: bool(over))
    QApplication.processEvents()
