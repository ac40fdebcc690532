"""How many cores torch takes: all of them, but one less while a training runs beside the window.

torch keeps the number per thread; one that has not used torch yet begins with what was set last.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_training = threading.Event()


@cache
def all_cores() -> int:
    """What torch takes by itself: every core, or what OMP_NUM_THREADS says."""
    return int(sys.modules["torch"].get_num_threads())


def take_cores() -> None:
    """Settle the number for what this thread is about to compute; brings no torch where there is none yet."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(max(1, all_cores() - _training.is_set()))


@contextmanager
def cores_for_training() -> Iterator[None]:
    """Around a training, in its thread."""
    _training.set()
    take_cores()
    try:
        yield
    finally:
        _training.clear()
        take_cores()
