"""How many cores torch takes: all of them, but one less while a training runs beside the window.

torch keeps the number per thread; one that has not used torch yet begins with what was set last. Each
thread that computes also keeps helpers of its own for the other cores. As soon as there are more of all of
these than cores, OpenMP (GNU's) no longer lets them wait awake between two steps, and a click, which is
hundreds of small steps, takes a third longer. So only the clicks' thread keeps its helpers; longer work runs
`in_passing_thread`.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

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


def in_passing_thread(work: Callable[[], Result]) -> Result:
    """Do the work with all cores it may take, in a thread that ends with it and leaves no helpers behind.

    Waits for it; whatever the work raises is raised here.
    """

    def compute() -> Result:
        take_cores()
        return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(compute).result()


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
