"""A benchmark's event loop: awake for events, asleep otherwise, so that worker threads get the processor."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, sleep

from PySide6.QtWidgets import QApplication

PATIENCE_S = 120


def wait_until(condition: Callable[[], bool]) -> None:
    """Work through events until the condition holds."""
    end = perf_counter() + PATIENCE_S
    while not condition():
        assert perf_counter() < end, "waited too long"
        QApplication.processEvents()
        sleep(0.0002)


def wait_for(seconds: float) -> None:
    """Work through events for some time."""
    end = perf_counter() + seconds
    wait_until(lambda: perf_counter() >= end)
