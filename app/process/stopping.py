"""How work is told that nobody wants it any more, and how it says that it has listened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

ShouldStop: TypeAlias = Callable[[], bool]
"""Asked by work again and again, from its own thread: whether its result is wanted no longer."""


class Stopped(Exception):  # noqa: N818 - not an error: the work noticed that nobody wants it
    """Raised by work that has been told to stop; nothing was changed, and there is nothing to deliver."""


def stop_if(should_stop: ShouldStop | None) -> None:
    """Where work can end early.

    Raises:
        Stopped: `should_stop` says so.
    """
    if should_stop is not None and should_stop():
        raise Stopped


@contextmanager
def stopping(should_stop: ShouldStop) -> Iterator[None]:
    """Around what says in words of its own that it was cancelled: the segmenter's belong to the floor that
    brings torch."""
    try:
        yield
    except Exception:
        if should_stop():
            raise Stopped from None
        raise
