"""Cyclic garbage is collected in the GUI thread alone.

Python collects cycles in whichever thread happens to allocate. A QObject that dies in a worker's thread
leaves its timers registered in the GUI thread, and the next one to fire crashes the program. So the
automatic collection is off while the window runs, and a timer of the GUI thread does the same work.
"""

from __future__ import annotations

import gc
from typing import Final

from PySide6.QtCore import QObject, QTimer, Slot

INTERVAL_MS: Final = 500


class GarbageCollection(QObject):
    """Takes over from Python's automatic collection until `stop`.

    A generation is collected when its counter passes the threshold Python itself would use; what was
    alive at the start (modules, classes) is left out, so that a collection stays short.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        gc.disable()
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.collect_due)
        self._timer.start()

    @Slot()
    def collect_due(self) -> None:
        """Collect the oldest generation whose turn it is."""
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return

    def stop(self) -> None:
        """Hand the work back to Python."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
