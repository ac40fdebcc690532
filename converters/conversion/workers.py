"""Worker processes that take a share of a long list while this process goes on working itself.

A worker has to import everything anew, a third of a second of processor time. So workers start one after
the other in the background once the work left is worth it, get their share only when they have reported
for duty, and wait half a minute after a run for the next one. What a worker fails to do, because it dies or
because of an error, this process does itself.

Workers are spawned, never forked: forking could take over locks of threads that OpenCV, torch or the
window have started. A frozen program has to call `multiprocessing.freeze_support()` first.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from itertools import count
from multiprocessing import connection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from converters.machine import granted_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")

_NAME = "SeedHue worker"
# What every worker needs; it is imported while the worker waits for its first orders.
_PRELOADED = "converters.conversion.convert"
# After so many seconds of work alone the rest can be estimated,
_TRIAL_SECONDS = 0.1
# and a further worker is started while everybody's share of it lasts longer than this.
_WORTH_SECONDS = 0.15
_CHUNK_SECONDS = 0.1
_IDLE_SECONDS = 30.0
_FAREWELL_SECONDS = 2.0
# Windows waits for 63 handles at most, and a worker has two.
_MOST_WORKERS = 30

_run_numbers = count(1)
_idle: deque[_Worker] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they listen to the parent


def in_worker() -> bool:
    """Whether this process is a worker: spawning runs a script without a main guard again."""
    return multiprocessing.current_process().name == _NAME


def work_through(
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    processes: int | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, R]]:
    """(index, work(item)) of every item in their order, made here and by worker processes.

    Stopped, it yields what was finished until then and ends.

    Args:
        work: a picklable function; each worker has a copy of its own for the whole run. It may be called
            twice for an item whose worker died.
        processes: this one included; they begin together. Default: up to one a core, workers joining in
            when that is quicker than going on alone.
        should_stop: asked before each item.
    """
    crew = _Crew(work, items, processes)
    done: dict[int, R] = {}
    following = 0
    try:
        while following < len(items):
            if should_stop is not None and should_stop():
                crew.recall(done)
                yield from sorted(done.items(), key=lambda pair: pair[0])
                return
            crew.step(done)
            while following in done:
                yield following, done.pop(following)
                following += 1
    finally:
        crew.dismiss()


def start_early(number: int) -> None:
    """Let so many workers start for a run to come, before this process imports what it needs itself."""
    if multiprocessing.current_process().daemon:
        return
    with contextlib.suppress(OSError):
        for _ in range(min(number, _MOST_WORKERS)):
            _idle.append(_Worker())


class _Crew(Generic[T, R]):
    """This process and its workers during one run."""

    def __init__(self, work: Callable[[T], R], items: Sequence[T], processes: int | None) -> None:
        self._work = work
        self._items = items
        self._todo = deque(range(len(items)))
        self._returned: deque[int] = deque()  # what a worker failed to do, for this process
        self._run = next(_run_numbers)
        self._begun = time.perf_counter()
        self._own_seconds = 0.0
        self._own_count = 0
        self._workers: list[_Worker] = []
        self._places = min(processes or granted_cores().cores, len(items), _MOST_WORKERS + 1) - 1
        if multiprocessing.current_process().daemon:
            self._places = 0  # such a process may have no children
        while len(self._workers) < self._places and (worker := _idle_worker()):
            self._engage(worker)
        self._awaited = processes is not None
        while self._awaited and len(self._workers) < self._places:
            self._hire()

    def step(self, done: dict[int, R]) -> None:
        """Take in what the workers have finished, give them more, and do one item here."""
        waiting = self._awaited and not all(worker.ready for worker in self._workers)
        self._collect(done, 0.0 if (self._todo or self._returned) and not waiting else 0.05)
        if waiting:
            return
        self._awaited = False
        self._hand_out()
        if own := self._returned or self._todo:
            index = own.popleft()
            start = time.perf_counter()
            done[index] = self._work(self._items[index])
            self._own_seconds += time.perf_counter() - start
            self._own_count += 1
            if len(self._workers) < self._places and self._needs_one_more():
                self._hire()

    def recall(self, done: dict[int, R]) -> None:
        """Nothing more is to be begun; what is being done is finished and taken in."""
        self._todo.clear()
        for worker in self._workers:
            if worker.chunks:
                worker.order("recall", self._run)
        until = time.perf_counter() + _FAREWELL_SECONDS
        while any(worker.chunks for worker in self._workers) and time.perf_counter() < until:
            self._collect(done, 0.05)

    def dismiss(self) -> None:
        """Send the workers off: to wait for the next run or, if they cannot let go, to their end."""
        self.recall({})
        while self._workers:
            worker = self._workers.pop()
            if worker.chunks:
                worker.end()
            else:
                _idle.append(worker)

    def _needs_one_more(self) -> bool:
        if time.perf_counter() - self._begun < _TRIAL_SECONDS:
            return False
        ahead = self._own_seconds / self._own_count * len(self._todo)
        return ahead / (len(self._workers) + 1) > _WORTH_SECONDS

    def _hire(self) -> None:
        try:
            self._engage(_Worker())
        except OSError:  # the system allows no further process
            self._places = len(self._workers)

    def _engage(self, worker: _Worker) -> None:
        worker.ready = False
        self._workers.append(worker)
        if not worker.order("begin", self._run, self._work):
            self._lose(worker)

    def _hand_out(self) -> None:
        """Two chunks at a time, so that a worker need not wait while this process is at an item."""
        for worker in [worker for worker in self._workers if worker.ready]:
            while len(worker.chunks) < 2 and (size := self._chunk_size(worker)):
                chunk = [self._todo.popleft() for _ in range(size)]
                worker.chunks.append(chunk)
                try:
                    told = worker.order("do", [self._items[index] for index in chunk])
                except Exception:  # noqa: BLE001  it cannot be sent: something nested beyond reason, for example
                    self._returned.extend(worker.chunks.pop())
                    continue
                if not told:
                    self._lose(worker)
                    break

    def _chunk_size(self, worker: _Worker) -> int:
        """What makes a round trip worth it, but small towards the end, so that all end together."""
        share = len(self._todo) // (2 * (len(self._workers) + 1))
        if not share:
            return int(not worker.chunks and len(self._todo) > 1)
        each = self._own_seconds / self._own_count if self._own_count else _CHUNK_SECONDS
        return max(1, min(share, int(_CHUNK_SECONDS / max(each, 1e-6))))

    def _collect(self, done: dict[int, R], seconds: float) -> None:
        """Everything the workers have answered; waits so long for the first answer."""
        ends = [end for worker in self._workers for end in (worker.answers, worker.process.sentinel)]
        ready = set(connection.wait(ends, seconds)) if ends else set()
        for worker in list(self._workers):
            alive = worker.process.sentinel not in ready
            if alive and worker.answers not in ready:
                continue
            try:
                while worker.answers.poll():
                    self._take(done, worker, *worker.answers.recv())
            except Exception:  # noqa: BLE001  it is gone, or was interrupted in the middle of an answer
                alive = False
            if not alive:
                self._lose(worker)

    def _take(self, done: dict[int, R], worker: _Worker, run: int, results: list[R] | None) -> None:
        if run != self._run:
            return  # it was still starting when its last run ended
        if results is None:
            worker.ready = True
            return
        chunk = worker.chunks.popleft()
        done.update(zip(chunk, results, strict=False))
        self._returned.extend(chunk[len(results) :])

    def _lose(self, worker: _Worker) -> None:
        """A worker is gone: what it had is for this process, and nobody takes its place."""
        self._workers.remove(worker)
        self._places = len(self._workers)
        for chunk in worker.chunks:
            self._returned.extend(chunk)
        worker.end()


class _Worker:
    """The near end of one process.

    Attributes:
        ready: it has reported for the present run.
        chunks: the indices of the items it was given and has not answered, a list for each order.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        orders, self._orders = context.Pipe(duplex=False)
        self.answers, answers = context.Pipe(duplex=False)
        self.process = context.Process(target=_serve, args=(orders, answers), name=_NAME, daemon=True)
        self.process.start()
        # With the far ends closed here, the end of the process is the end of the pipes.
        orders.close()
        answers.close()
        self.ready = False
        self.chunks: deque[list[int]] = deque()

    def order(self, *message: Any) -> bool:
        """Whether the process could be told; it is never too busy to listen."""
        try:
            self._orders.send(message)
        except OSError:
            return False
        return True

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.process.terminate()
        self.process.join(_FAREWELL_SECONDS)
        self._orders.close()
        self.answers.close()


def _idle_worker() -> _Worker | None:
    """One that waits since an earlier run."""
    with contextlib.suppress(IndexError):
        while True:
            worker = _idle.pop()
            if worker.process.is_alive():
                return worker
            worker.end()
    return None


class _Inbox:
    """A worker's orders, received by a thread of their own: so nobody ever waits for it to listen, and a
    recall reaches it in the middle of a chunk."""

    def __init__(self, orders: Connection) -> None:
        self._orders = orders
        self.queue: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.recalled = 0  # the last run that was
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        try:
            while True:
                message = self._orders.recv()
                if message[0] == "recall":
                    self.recalled = message[1]
                else:
                    self.queue.put(message)
        except (EOFError, OSError):  # the other end is closed
            pass
        finally:
            self.queue.put(("leave",))


def _serve(orders: Connection, answers: Connection) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that gives the orders
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one process a core is enough
    sys.setswitchinterval(0.001)  # for the inbox
    inbox = _Inbox(orders)
    importlib.import_module(_PRELOADED)
    importlib.import_module("cv2").setNumThreads(1)
    gc.freeze()  # nothing imported will ever be garbage
    run, work = 0, None
    with contextlib.suppress(Empty, OSError):  # nobody needs it, or nobody is there any more
        while True:
            order, *content = inbox.queue.get(timeout=_IDLE_SECONDS)
            if order == "leave":
                return
            if order == "begin":
                run, work = content
                answers.send((run, None))
            elif work is not None:
                results = _results(work, content[0], run, inbox)
                try:
                    answers.send((run, results))
                except OSError:
                    return
                except Exception:  # noqa: BLE001  they cannot be sent; then they are of no use
                    answers.send((run, []))


def _results(work: Callable[[T], R], items: list[T], run: int, inbox: _Inbox) -> list[R]:
    """What was done of the items. After an error the rest is left to the process that gave the orders:
    it meets the same error, or none."""
    results: list[R] = []
    with contextlib.suppress(Exception):
        for item in items:
            if inbox.recalled == run:
                break
            results.append(work(item))
    return results
