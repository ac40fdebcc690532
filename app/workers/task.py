"""A background thread that runs one kind of work: frozen requests in, results out.

The engines are plain functions; this module owns the threading, once and for all:

- `TaskRunner.submit` never blocks. Among requests with the same key the latest wins: an older one
  that waits is dropped, one that runs is asked to stop, and its late answer is not delivered.
- Results, failures and progress arrive in the GUI thread, because they pass through slots of this
  QObject (a lambda would run in the worker's thread, reference: Qt's queued connections).
- `shutdown` joins the thread, either after cancelling (the default) or after finishing what waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from app.workers.failure import Failure, describe_failure

ShouldStop: TypeAlias = Callable[[], bool]
OnEvent: TypeAlias = Callable[[Any], None]
Work: TypeAlias = Callable[[Any, ShouldStop, OnEvent], Any]
"""`work(request, should_stop, on_event) -> result`, called in the worker's thread."""


class Stopped(Exception):  # noqa: N818 - not an error: the work noticed that nobody wants it
    """Raised by work that has been cancelled; nothing is delivered for it."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A request on its way, with the flag that cancels it."""

    request: Any
    key: str
    stop: threading.Event = field(default_factory=threading.Event)


class _Executor(QObject):
    """Lives in the worker's thread and runs one job at a time."""

    started = Signal(object)
    finished = Signal(object, object)
    failed = Signal(object, object)
    progressed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    @Slot(object)
    def execute(self, job: Job | None) -> None:
        if job is None:
            QThread.currentThread().quit()
            return
        try:
            if not job.stop.is_set():
                self.started.emit(job)
                result = self._work(job.request, job.stop.is_set, lambda e: self.progressed.emit(job, e))
                self.finished.emit(job, result)
        except Stopped:
            pass
        except BaseException as error:
            self.failed.emit(job, describe_failure(error))
        finally:
            self.ended.emit(job)


class TaskRunner(QObject):
    """The GUI thread's handle on a worker thread.

    Signals:
        finished: (request, result)
        failed: (request, Failure)
        progressed: (request, event); events come as often as the work emits them.
        dropped: (request, result) of work that was finished although nobody wants it any more; for
            results that hold something to be closed.
        busy_changed: whether any request waits or runs.
    """

    finished = Signal(object, object)
    failed = Signal(object, object)
    progressed = Signal(object, object)
    dropped = Signal(object, object)
    busy_changed = Signal(bool)
    _submitted = Signal(object)

    def __init__(self, work: Work, *, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName(name)
        self._executor = _Executor(work)
        self._executor.moveToThread(self._thread)
        self._submitted.connect(self._executor.execute)
        self._executor.finished.connect(self._deliver)
        self._executor.failed.connect(self._deliver_failure)
        self._executor.progressed.connect(self._deliver_event)
        self._executor.ended.connect(self._forget)
        self._jobs: list[Job] = []
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """Whether any request that is still wanted waits or runs."""
        return any(not job.stop.is_set() for job in self._jobs)

    def submit(self, request: object, *, key: str = "") -> None:
        """Queues the request and cancels older ones with the same key; ignored after shutdown."""
        if self._closed:
            return
        if not self._thread.isRunning():
            self._thread.start()
        self.cancel(key)
        job = Job(request, key)
        was_busy = self.is_busy
        self._jobs.append(job)
        self._submitted.emit(job)
        if not was_busy:
            self.busy_changed.emit(True)

    def cancel(self, key: str | None = None) -> None:
        """Cancels the requests with that key; None: all of them."""
        was_busy = self.is_busy
        for job in self._jobs:
            if key is None or job.key == key:
                job.stop.set()
        if was_busy and not self.is_busy:
            self.busy_changed.emit(False)

    def shutdown(self, *, finish: bool = False, wait_ms: int = 10_000) -> bool:
        """Joins the thread and delivers what it finished; False if it did not end in time.

        Args:
            finish: let the waiting requests run to their end (saving) instead of cancelling them.
        """
        self._closed = True
        if not self._thread.isRunning():
            return True
        if not finish:
            self.cancel()
        self._submitted.emit(None)
        ended = self._thread.wait(wait_ms)
        QCoreApplication.sendPostedEvents(self)
        return ended

    @Slot(object, object)
    def _deliver(self, job: Job, result: object) -> None:
        if job.stop.is_set():
            self.dropped.emit(job.request, result)
        else:
            self.finished.emit(job.request, result)

    @Slot(object, object)
    def _deliver_failure(self, job: Job, failure: Failure) -> None:
        if not job.stop.is_set():
            self.failed.emit(job.request, failure)

    @Slot(object, object)
    def _deliver_event(self, job: Job, event: object) -> None:
        if not job.stop.is_set():
            self.progressed.emit(job.request, event)

    @Slot(object)
    def _forget(self, job: Job) -> None:
        was_busy = self.is_busy
        self._jobs = [other for other in self._jobs if other is not job]
        if was_busy and not self.is_busy:
            self.busy_changed.emit(False)
