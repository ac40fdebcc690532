from __future__ import annotations

import threading

import pytest

from app.canvas.background import Background


@pytest.fixture
def background(qtbot):
    made = Background()
    yield made
    made.shutdown()


def test_results_come_back_to_the_owning_thread(background, qtbot):
    threads = []
    background.finished.connect(lambda key, result: threads.append(threading.get_ident()))
    with qtbot.waitSignal(background.finished) as told:
        background.submit("lane", "key", lambda should_stop: threading.get_ident())
    assert told.args[0] == "key"
    assert told.args[1] != threading.get_ident()


def test_the_newest_of_a_lane_wins_and_lanes_keep_their_order(background, qtbot):
    gate, started, done = threading.Event(), threading.Event(), []

    def first(should_stop):
        started.set()
        gate.wait(10)
        return should_stop()

    background.finished.connect(lambda key, result: done.append((key, result)))
    background.submit("a", 1, first)
    assert started.wait(10)
    background.submit("a", 2, lambda should_stop: "old")
    background.submit("b", 3, lambda should_stop: "b")
    background.submit("c", 4, lambda should_stop: "dropped")
    background.submit("a", 5, lambda should_stop: "new")
    background.drop("c")
    assert not background.is_idle
    gate.set()
    qtbot.waitUntil(lambda: len(done) == 3)
    assert done == [(1, True), (3, "b"), (5, "new")]
    qtbot.waitUntil(lambda: background.is_idle)


@pytest.mark.parametrize(("gives_way", "so_does_the_other"), [(True, False), (False, False), (True, True)])
def test_a_job_that_gives_way_is_told_to_stop_when_one_that_does_not_waits(
    background, qtbot, gives_way, so_does_the_other
):
    gate, started, told = threading.Event(), threading.Event(), {}

    def patient(should_stop):
        started.set()
        before = should_stop()
        gate.wait(10)
        return before, should_stop()

    background.finished.connect(lambda key, result: told.update({key: result}))
    background.submit("a", 1, patient, gives_way=gives_way)
    assert started.wait(10)
    background.submit("b", 2, lambda should_stop: should_stop(), gives_way=so_does_the_other)
    gate.set()
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told == {1: (False, gives_way and not so_does_the_other), 2: False}


def test_an_error_is_told_with_its_details(background, qtbot):
    def fail(should_stop):
        raise ValueError("no such seed")

    with qtbot.waitSignal(background.failed) as told:
        background.submit("a", 7, fail)
    key, problem, details = told.args
    assert (key, str(problem)) == (7, "no such seed")
    assert "in fail" in details


def test_shutting_down_stops_the_job_and_drops_the_others(background, qtbot):
    started, ran = threading.Event(), []

    def wait(should_stop):
        started.set()
        while not should_stop():
            threading.Event().wait(0.002)

    background.submit("a", 1, wait)
    background.submit("b", 2, lambda should_stop: ran.append(1))
    assert started.wait(10)
    background.shutdown()
    assert ran == []
    assert background.is_idle
    with qtbot.waitSignal(background.finished):  # it starts again when asked
        background.submit("a", 3, lambda should_stop: None)
