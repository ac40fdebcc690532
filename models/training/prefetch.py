"""Makes batches ahead of the optimiser: in a thread, as decoding and resizing leave the GIL, or in processes
where an accelerator takes more batches than a thread can make."""

from __future__ import annotations

import queue
import sys
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
AHEAD_PER_PROCESS = 3


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
            except BaseException as error:  # noqa: BLE001  raised where the batch is taken
                item = error
            while not self._stop.is_set():
                try:
                    self._ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return


class _EndlessBatches(IterableDataset[T]):
    """In each process, what `maker(number of the process)` makes."""

    def __init__(self, maker: Callable[[int], Callable[[], T]]) -> None:
        self._maker = maker

    def __iter__(self) -> Iterator[T]:
        worker = get_worker_info()
        if worker is not None and cv2.getNumThreads() > 1:
            cv2.setNumThreads(0)  # the processes share the cores already
        make = self._maker(worker.id if worker is not None else 0)
        while True:
            yield make()


class ProcessPrefetcher(Generic[T]):
    """An endless iterator over what several processes make, in turn; use it as a context manager.

    Args:
        maker: gives each process, by its number, its function to make batches. Where processes cannot be
            forked it travels to them.
        pinned: whether batches are put where a graphics card can fetch them by itself, if they can be.
    """

    def __init__(self, maker: Callable[[int], Callable[[], T]], *, processes: int, pinned: bool) -> None:
        self._loader = DataLoader(
            _EndlessBatches(maker),
            batch_size=None,
            num_workers=processes,
            prefetch_factor=AHEAD_PER_PROCESS,
            pin_memory=pinned,
            multiprocessing_context="fork" if sys.platform == "linux" else None,
        )

    def __enter__(self) -> ProcessPrefetcher[T]:
        return self

    def __exit__(self, *_: object) -> None:
        del self._loader  # the processes end with their loader

    def __iter__(self) -> Iterator[T]:
        # A forked process has none of OpenCV's threads, yet would wait for them.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(0)
        try:
            return iter(self._loader)
        finally:
            cv2.setNumThreads(threads)
