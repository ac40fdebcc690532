"""The one engine for work off the GUI thread: a thread that runs one kind of work, frozen requests in,
results out.

The work itself is a plain function; this module owns the threading, once and for all:

- `TaskRunner.submit` never blocks. Every request has a key, its lane. Among those with the same key the
  latest wins: an older one that waits is dropped, one that runs is asked to stop. Requests with different
  keys are answered in the order they came.
- Results, failures and progress arrive in the thread that owns the runner, because they pass through slots
  of this QObject (a lambda would run in the worker's thread: Qt's queued connections).
- `shutdown` joins the thread, either after cancelling (the default) or after finishing what waits.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from app.process.stopping import ShouldStop, Stopped
from app.workers.failure import Failure, describe_failure

OnEvent: TypeAlias = Callable[[Any], None]
Work: TypeAlias = Callable[[Any, ShouldStop, OnEvent], Any]
"""`work(request, should_stop, on_event) -> result`, called in the worker's thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A request on its way.

    Attributes:
        stop: set when nobody wants the result any more.
        gives_way: whether it is told to stop, too, while a task waits that does not give way itself.
    """

    request: Any
    key: Hashable
    gives_way: bool
    stop: threading.Event = field(default_factory=threading.Event)


class _Worker(QObject):
    """Lives in the worker's thread and runs the waiting tasks, one at a time, until none is left.

    Signals:
        finished: Task, its result.
        failed: Task, Failure.
        progressed: Task, event.
        ended: Task; comes last, however it ended.
    """

    finished = Signal(object, object)
    failed = Signal(object, object)
    progressed = Signal(object, object)
    ended = Signal(object)
    _woken = Signal()

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._lock = threading.Lock()
        self._done = threading.Condition(self._lock)
        self._waiting: OrderedDict[Hashable, Task] = OrderedDict()
        self._running: Task | None = None
        self._closing = False
        self._woken.connect(self._run_all)

    def put(self, task: Task) -> None:
        """Have the task run after those that wait; from any thread."""
        with self._lock:
            self._waiting[task.key] = task
        self._woken.emit()

    def take_back(self, task: Task) -> bool:
        """The task need not run; False if it runs or ran already. From any thread."""
        with self._lock:
            if self._waiting.get(task.key) is not task:
                return False
            del self._waiting[task.key]
            return True

    def close(self) -> None:
        """End the thread once nothing waits; from any thread."""
        with self._lock:
            self._closing = True
        self._woken.emit()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or runs."""
        with self._lock:
            return not self._waiting and self._running is None

    def wait(self, seconds: float) -> bool:
        """Waits until nothing waits or runs; False if it takes longer. From any thread but the worker's."""
        with self._lock:
            return self._done.wait_for(lambda: not self._waiting and self._running is None, seconds)

    @Slot()
    def _run_all(self) -> None:
        while (task := self._next()) is not None:
            try:
                self._run(task)
            finally:
                with self._lock:
                    self._running = None
                    self._done.notify_all()
        if self._closing:
            QThread.currentThread().quit()

    def _next(self) -> Task | None:
        with self._lock:
            if not self._waiting:
                return None
            _, self._running = self._waiting.popitem(last=False)
            return self._running

    def _run(self, task: Task) -> None:
        try:
            result = self._work(
                task.request, lambda: self._is_unwanted(task), lambda event: self.progressed.emit(task, event)
            )
            self.finished.emit(task, result)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  whatever it is, the window has to hear of it
            self.failed.emit(task, describe_failure(error))
        finally:
            self.ended.emit(task)

    def _is_unwanted(self, task: Task) -> bool:
        if task.stop.is_set() or not task.gives_way:
            return task.stop.is_set()
        with self._lock:
            return any(not other.gives_way for other in self._waiting.values())


class TaskRunner(QObject):
    """The handle on a worker thread, for the thread that made it; the thread starts with the first request.

    Signals:
        finished: (request, result)
        failed: (request, Failure)
        progressed: (request, event); events come as often as the work emits them.
        dropped: (request, result) of work that was finished although nobody wants it any more; for
            results that hold something to be closed, or are of use all the same.
        ended: request; comes last and for every one, however it ended: answered, failed, dropped, stopped
            without an answer, or taken back before its turn. Whoever shows that something runs shows it until
            then.
        busy_changed: whether any request waits or runs.
    """

    finished = Signal(object, object)
    failed = Signal(object, object)
    progressed = Signal(object, object)
    dropped = Signal(object, object)
    ended = Signal(object)
    busy_changed = Signal(bool)

    def __init__(self, work: Work, *, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName(name)
        self._worker = _Worker(work)
        self._worker.moveToThread(self._thread)
        self._worker.finished.connect(self._deliver)
        self._worker.failed.connect(self._deliver_failure)
        self._worker.progressed.connect(self._deliver_event)
        self._worker.ended.connect(self._forget)
        self._tasks: list[Task] = []
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """Whether any request that is still wanted waits or runs, or its answer is on its way."""
        return any(not task.stop.is_set() for task in self._tasks)

    @property
    def is_idle(self) -> bool:
        """Whether the thread has nothing to do; the last result is at least in this thread's event queue."""
        return self._worker.is_idle

    def submit(self, request: object, *, key: Hashable = "", gives_way: bool = False) -> None:
        """Queues the request and cancels older ones with the same key; ignored after shutdown.

        Args:
            gives_way: whether it is told to stop as soon as one waits that does not give way itself.
        """
        if self._closed:
            return
        if not self._thread.isRunning():
            self._thread.start()
        older = [task for task in self._tasks if task.key == key]
        task = Task(request, key, gives_way)
        was_busy = self.is_busy
        self._tasks.append(task)  # first: whoever waits for the end must not see one in between
        self._drop(older)
        self._worker.put(task)
        if not was_busy:
            self.busy_changed.emit(True)

    def cancel(self, key: Hashable | None = None) -> None:
        """Cancels the requests with that key; None: all of them."""
        self._drop([task for task in self._tasks if key is None or task.key == key])

    def _drop(self, tasks: list[Task]) -> None:
        was_busy = self.is_busy
        taken_back = []
        for task in tasks:
            task.stop.set()
            if self._worker.take_back(task):
                self._tasks.remove(task)
                taken_back.append(task)
        if was_busy and not self.is_busy:
            self.busy_changed.emit(False)
        for task in taken_back:
            self.ended.emit(task.request)

    def finish(self, *, wait_ms: int = 30_000) -> bool:
        """Waits until everything asked for is done and delivers it; False if that takes longer."""
        ended = self._worker.wait(wait_ms / 1000)
        QCoreApplication.sendPostedEvents(self)
        return ended

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
        self._worker.close()
        ended = self._thread.wait(wait_ms)
        QCoreApplication.sendPostedEvents(self)
        return ended

    @Slot(object, object)
    def _deliver(self, task: Task, result: object) -> None:
        if task.stop.is_set():
            self.dropped.emit(task.request, result)
        else:
            self.finished.emit(task.request, result)

    @Slot(object, object)
    def _deliver_failure(self, task: Task, failure: Failure) -> None:
        if not task.stop.is_set():
            self.failed.emit(task.request, failure)

    @Slot(object, object)
    def _deliver_event(self, task: Task, event: object) -> None:
        if not task.stop.is_set():
            self.progressed.emit(task.request, event)

    @Slot(object)
    def _forget(self, task: Task) -> None:
        was_busy = self.is_busy
        self._tasks = [other for other in self._tasks if other is not task]
        if was_busy and not self.is_busy:
            self.busy_changed.emit(False)
        self.ended.emit(task.request)
