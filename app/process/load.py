"""How many cores other programs are using, measured between two looks at the system's clocks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_SECONDS: Final = 0.25
"""Between two looks: the clocks go by hundredths of a second."""
LEARNT: Final = 0.6
"""How much of the answer comes from the last stretch: one burst of another program is not its habit."""
FOREGROUND: Final = ("user", "system", "irq", "softirq", "steal")
"""What a processor does for those who do not give way: niced programs stand back by themselves."""


def foreground_seconds() -> float:
    """Processor seconds spent so far on the cores this process may run on."""
    cores = psutil.cpu_times(percpu=True)
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        cores = [cores[i] for i in process.cpu_affinity() if i < len(cores)] or cores
    return sum(getattr(core, name, 0.0) for core in cores for name in FOREGROUND)


class OthersLoad:
    """What is busy and not ours; safe to ask from any thread.

    Args:
        spent: processor seconds of everybody.
        own: processor seconds of this process.
        clock: seconds.
    """

    def __init__(
        self,
        spent: Callable[[], float] = foreground_seconds,
        own: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spent, self._own, self._clock = spent, own, clock
        self._lock = threading.Lock()
        self._seen: tuple[float, float, float] | None = None
        self._cores = 0.0

    def cores(self) -> float:
        """Cores in use by others of late, 0.0 until there is something to compare with."""
        with self._lock:
            now = self._clock()
            if self._seen is not None and now - self._seen[0] < LEAST_SECONDS:
                return self._cores
            look = now, self._spent(), self._own()
            if self._seen is not None:
                seconds, spent, own = (new - old for new, old in zip(look, self._seen, strict=True))
                measured = max(0.0, spent - own) / seconds
                self._cores += LEARNT * (measured - self._cores)
            self._seen = look
            return self._cores
