"""The worker thread: the latest request wins, errors arrive as messages, the thread is joined."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QObject, QThread, Slot

from app.workers.task import Stopped, TaskRunner


class Listener(QObject):
    """Collects what a runner delivers, and in which thread."""

    def __init__(self, runner):
        super().__init__()
        self.results, self.failures, self.events, self.threads = [], [], [], []
        runner.finished.connect(self.take)
        runner.failed.connect(self.fail)
        runner.progressed.connect(self.follow)

    @Slot(object, object)
    def take(self, request, result):
        self.results.append((request, result))
        self.threads.append(QThread.currentThread())

    @Slot(object, object)
    def fail(self, request, failure):
        self.failures.append((request, failure))

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
