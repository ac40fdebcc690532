"""Makes batches one ahead of the optimiser, in a thread: decoding and resizing leave the GIL."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """An endless iterator over `make()`, computed ahead; use it as a context manager.

    An exception inside `make` is raised where the batch would have been handed out.
    """

    def __init__(self, make: Callable[[], T], *, ahead: int = 2) -> None:
        self._make = make
        self._ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seedhue-batches", daemon=True)

    def __enter__(self) -> Prefetcher[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            item = self._ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                item: T | BaseException = self._make()
            except BaseException as error:
                item = error
            while not self._stop.is_set():
                try:
                    self._ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return
