"""The worker thread: the latest request wins, errors arrive as messages, the thread is joined."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QObject, QThread, Slot

from app.process.stopping import Stopped
from app.workers.task import TaskRunner


class Listener(QObject):
    """Collects what a runner delivers, and in which thread."""

    def __init__(self, runner):
        super().__init__()
        self.results, self.failures, self.events, self.threads, self.late = [], [], [], [], []
        runner.finished.connect(self.take)
        runner.failed.connect(self.fail)
        runner.progressed.connect(self.follow)
        runner.dropped.connect(self.take_late)

    @Slot(object, object)
    def take(self, request, result):
        self.results.append((request, result))
        self.threads.append(QThread.currentThread())

    @Slot(object, object)
    def fail(self, request, failure):
        self.failures.append((request, failure))

    @Slot(object, object)
    def take_late(self, request, result):
        self.late.append((request, result))

    @Slot(object, object)
    def follow(self, request, event):
        self.events.append((request, event))


@pytest.fixture
def make_runner(qtbot):
    runners = []

    def make(work):
        runner = TaskRunner(work, name="test")
        runners.append(runner)
        return runner, Listener(runner)

    yield make
    for runner in runners:
        assert runner.shutdown()


def test_a_request_in_place_of_another_leaves_no_moment_of_rest(make_runner, qtbot):
    """Who waits for the last save would otherwise take what follows for read while it is written."""
    gate = threading.Event()
    runner, listener = make_runner(lambda request, _stop, _event: gate.wait(5) and request)
    told = []
    runner.busy_changed.connect(told.append)
    runner.submit("first")
    runner.submit("second")
    gate.set()
    qtbot.waitUntil(lambda: len(told) == 2, timeout=5000)
    assert told == [True, False]
    assert [request for request, _ in listener.results] == ["second"]


def test_result_arrives_in_the_gui_thread(make_runner, qtbot, qapp):
    worker_threads = []

    def work(request, should_stop, on_event):
        worker_threads.append(QThread.currentThread())
        on_event("half")
        return request * 2

    runner, listener = make_runner(work)
    runner.submit(21)
    qtbot.waitUntil(lambda: listener.results == [(21, 42)])
    assert listener.events == [(21, "half")]
    assert listener.threads[0] is qapp.thread()
    assert worker_threads[0] is not qapp.thread()


def test_latest_request_of_a_key_wins(make_runner, qtbot):
    gate = threading.Event()
    started = []

    def work(request, should_stop, on_event):
        started.append(request)
        gate.wait(5)
        if should_stop():
            raise Stopped
        return request

    runner, listener = make_runner(work)
    for number in range(5):
        runner.submit(number, key="picture")
    runner.submit("other", key="objects")
    gate.set()
    qtbot.waitUntil(lambda: not runner.is_busy)
    assert [request for request, _ in listener.results] == [4, "other"]
    # The thread may have taken up any one of them before the next came, but never a second one.
    assert len(set(started) - {4, "other"}) <= 1


def test_error_becomes_a_failure_with_details(make_runner, qtbot):
    def work(request, should_stop, on_event):
        raise RuntimeError("the motor is out of oil")

    runner, listener = make_runner(work)
    runner.submit("go")
    qtbot.waitUntil(lambda: bool(listener.failures))
    _, failure = listener.failures[0]
    assert "the motor is out of oil" in failure.title
    assert "RuntimeError" in failure.details
    assert failure.remedy


def test_busy_is_told(make_runner, qtbot):
    told = []

    class Follower(QObject):
        @Slot(bool)
        def hear(self, busy):
            told.append(busy)

    follower = Follower()
    runner, _listener = make_runner(lambda request, should_stop, on_event: request)
    runner.busy_changed.connect(follower.hear)
    runner.submit(1)
    qtbot.waitUntil(lambda: not runner.is_busy)
    assert told == [True, False]


def test_shutdown_cancels_what_runs(make_runner, qtbot):
    def work(request, should_stop, on_event):
        while not should_stop():
            time.sleep(0.005)
        raise Stopped

    runner, listener = make_runner(work)
    runner.submit(1)
    qtbot.wait(30)
    begin = time.monotonic()
    assert runner.shutdown()
    assert time.monotonic() - begin < 2
    assert listener.results == []
    runner.submit(2)
    assert not runner.is_busy


def test_shutdown_may_finish_what_waits(make_runner):
    done = []

    def work(request, should_stop, on_event):
        time.sleep(0.02)
        done.append(request)
        return request

    runner, listener = make_runner(work)
    for number in range(3):
        runner.submit(number, key=str(number))
    assert runner.shutdown(finish=True)
    assert done == [0, 1, 2]
    assert [request for request, _ in listener.results] == [0, 1, 2]


class Held:
    """Work whose first request waits until it is let go; answers with what it was told about stopping."""

    def __init__(self):
        self.started, self.gate, self.done = threading.Event(), threading.Event(), []

    def __call__(self, request, should_stop, on_event):
        self.started.set()
        before = should_stop()
        assert self.gate.wait(10)
        self.done.append(request)
        return before, should_stop()


def test_the_newest_of_a_key_wins_and_keys_keep_their_order(make_runner, qtbot):
    work = Held()
    runner, listener = make_runner(work)
    runner.submit(1, key="a")
    assert work.started.wait(10)
    for request, key in ((2, "a"), (3, "b"), (4, "c"), (5, "a")):
        runner.submit(request, key=key)
    runner.cancel("c")
    assert not runner.is_idle
    work.gate.set()
    qtbot.waitUntil(lambda: len(listener.results) == 2)
    assert work.done == [1, 3, 5]
    assert [request for request, _ in listener.results] == [3, 5]
    assert listener.late == [(1, (False, True))]
    assert runner.is_idle


@pytest.mark.parametrize(("gives_way", "so_does_the_other"), [(True, False), (False, False), (True, True)])
def test_what_gives_way_is_told_to_stop_when_something_waits_that_does_not(
    make_runner, qtbot, gives_way, so_does_the_other
):
    work = Held()
    runner, listener = make_runner(work)
    runner.submit(1, key="a", gives_way=gives_way)
    assert work.started.wait(10)
    runner.submit(2, key="b", gives_way=so_does_the_other)
    work.gate.set()
    qtbot.waitUntil(lambda: len(listener.results) == 2)
    assert listener.results == [(1, (False, gives_way and not so_does_the_other)), (2, (False, False))]


def test_an_error_of_what_nobody_wants_any_more_is_not_told(make_runner, qtbot):
    started, gate = threading.Event(), threading.Event()

    def work(request, should_stop, on_event):
        started.set()
        gate.wait(10)
        raise ValueError(request)

    runner, listener = make_runner(work)
    runner.submit("old")
    assert started.wait(10)
    runner.submit("new")
    gate.set()
    qtbot.waitUntil(lambda: not runner.is_busy)
    assert [failure.title for _, failure in listener.failures] == ["new"]
    assert "in work" in listener.failures[0][1].details


def test_shutdown_does_not_begin_what_waits(make_runner):
    began = []

    def work(request, should_stop, on_event):
        began.append(request)
        while not should_stop():
            time.sleep(0.002)

    runner, listener = make_runner(work)
    runner.submit(1, key="a")
    runner.submit(2, key="b")
    while not began:
        time.sleep(0.002)
    assert runner.shutdown()
    assert began == [1]
    assert runner.is_idle
    assert listener.late == [(1, None)]
