"""How many cores torch takes: those that nobody else is using, and one less while a training runs here.

Two threads that meet after each of a thousand operations go at the pace of the slower one. Where another
program has one of two cores, one thread alone is as fast, and nothing waits.

torch keeps the number per thread; one that has not used torch yet begins with what was set last. Each thread
that computes also keeps helpers of its own for the other cores. As soon as there are more of all of these
than cores, OpenMP (GNU's) no longer lets them wait awake between two steps, and a click, which is hundreds of
small steps, takes longer. So only the clicks' thread keeps its helpers; longer work runs `in_passing_thread`.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from app.process.load import OthersLoad
from converters.machine import granted_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from converters.machine import GrantedCores

Result = TypeVar("Result")

ROUNDED_UP_FROM: Final = 0.65
"""So much of a core must be free for one more thread: it is slowed down less than the others gain."""

_training = threading.Event()
_others = OthersLoad()


@cache
def granted() -> GrantedCores:
    """What this process may use; asked once, as a click has no time to."""
    return granted_cores()


def cores_for_now() -> int:
    """How many threads to compute with from now on; at least one. What OMP_NUM_THREADS says is not adapted to
    the load."""
    from models.device.threads import all_threads, is_users_number

    taken = all_threads() - is_training()
    if not is_users_number():
        free = granted().bound - _others.cores()
        taken = min(taken, int(free + 1.0 - ROUNDED_UP_FROM))
    return max(1, taken)


def is_training() -> bool:
    """Whether a training runs in this process."""
    return _training.is_set()


def take_cores() -> None:
    """Settle the number for what this thread is about to compute; brings no torch where there is none yet."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(cores_for_now())


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
