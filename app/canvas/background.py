"""Work that must not run on the GUI thread, one job at a time, the newest of its kind first."""

from __future__ import annotations

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, TypeAlias

from PySide6.QtCore import QObject, QThread, Signal, Slot

ShouldStop: TypeAlias = Callable[[], bool]
Job: TypeAlias = Callable[[ShouldStop], Any]


class _Worker(QObject):
    """Lives in the thread; takes jobs until none is left."""

    done = Signal(object, object, object)
    wake = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.waiting: OrderedDict[Hashable, tuple[Any, Job, bool]] = OrderedDict()
        self.running: Hashable = None
        self.stopping = False
        self.wake.connect(self.run)

    @Slot()
    def run(self) -> None:
        while True:
            with self.lock:
                if self.stopping or not self.waiting:
                    return
                lane, (key, job, gives_way) = self.waiting.popitem(last=False)
                self.running = lane
            try:
                result = job(partial(self._is_stale, lane, gives_way))
                error = None
            except Exception as problem:
                result, error = None, (problem, traceback.format_exc())
            self.done.emit(key, result, error)
            with self.lock:
                self.running = None

    def _is_stale(self, lane: Hashable, gives_way: bool) -> bool:
        with self.lock:
            wanted = [not other for _key, _job, other in self.waiting.values()]
            return self.stopping or lane in self.waiting or (gives_way and any(wanted))


class Background(QObject):
    """Runs Qt-free functions in one thread that starts with the first job.

    Jobs have a lane: a new job replaces one of the same lane that still waits, and tells one that
    runs to stop. Jobs of different lanes run in the order they came.

    Signals:
        finished: key, result; on the thread that owns this object. A job that was told to stop may
            still finish: compare the key.
        failed: key, the exception, its traceback text.
    """

    finished = Signal(object, object)
    failed = Signal(object, object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: QThread | None = None
        self._worker: _Worker | None = None

    def submit(self, lane: Hashable, key: Any, job: Job, *, gives_way: bool = False) -> None:
        """Run `job(should_stop)` soon; its result comes with `finished(key, result)`.

        Args:
            gives_way: whether the job is told to stop as soon as one waits that does not give way itself.
        """
        if self._worker is None:
            self._thread = QThread()
            self._worker = _Worker()
            self._worker.moveToThread(self._thread)
            self._worker.done.connect(self._on_done)
            self._thread.start()
        with self._worker.lock:
            self._worker.waiting.pop(lane, None)
            self._worker.waiting[lane] = (key, job, gives_way)
        self._worker.wake.emit()

    def drop(self, lane: Hashable) -> None:
        """Forget the job of this lane that still waits."""
        if self._worker is not None:
            with self._worker.lock:
                self._worker.waiting.pop(lane, None)

    @property
    def is_idle(self) -> bool:
        """Whether no job waits or runs; the last result is at least in this thread's event queue."""
        if self._worker is None:
            return True
        with self._worker.lock:
            return not self._worker.waiting and self._worker.running is None

    def shutdown(self) -> None:
        """Tell the running job to stop, drop the others and join the thread."""
        if self._worker is None or self._thread is None:
            return
        with self._worker.lock:
            self._worker.stopping = True
            self._worker.waiting.clear()
        self._worker.done.disconnect(self._on_done)
        self._thread.quit()
        self._thread.wait()
        self._worker = self._thread = None

    @Slot(object, object, object)
    def _on_done(self, key: Any, result: Any, error: tuple[Exception, str] | None) -> None:
        if error is None:
            self.finished.emit(key, result)
        else:
            self.failed.emit(key, *error)
