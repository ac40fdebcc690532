"""The seed tool answers a click before it comes, and says nothing of it until then."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from PySide6.QtCore import Qt

from app.process import cores
from models.device import threads
from tests.gui.canvas_scene import RED, close_to

RIGHT = Qt.MouseButton.RightButton


@pytest.fixture
def seeds(scene):
    scene.open()
    scene.use("seed")
    return scene


def test_what_the_next_click_may_ask_is_answered_while_the_pointer_rests(seeds, monkeypatch, qtbot):
    seeds.click(60, 60)
    seeds.settle()
    asked, encoding = [], seeds.session.encoding
    answer = encoding.level_scores
    monkeypatch.setattr(encoding, "level_scores", lambda clicks: asked.append(clicks) or answer(clicks))
    first, state = seeds.session.seed_state.seeds[0], seeds.session.seed_state
    seeds.move(60, 60)  # on the seed itself there is nothing more to ask
    seeds.move(150, 120)
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=5000)
    seeds.settle()
    assert [clicks[0] for clicks in asked] == [first, first]
    (_, more), (_, less) = asked
    assert (more.x, more.y) == (less.x, less.y)
    assert (more.positive, less.positive) == (True, False)
    assert seeds.session.seed_state == state
    asked.clear()
    seeds.press(150, 120, RIGHT)
    assert seeds.session.seed_state.seeds == (first, less)  # at once
    seeds.settle()
    assert asked == []


def test_what_one_sign_would_give_does_not_wait_for_the_other(seeds, monkeypatch, qtbot):
    seeds.click(60, 60)
    seeds.settle()
    encoding, under_way, clicked = seeds.session.encoding, threading.Event(), threading.Event()
    answer = encoding.level_scores

    def slow_answer(clicks):
        if not clicks[-1].positive:
            under_way.set()
            assert clicked.wait(5)
        return answer(clicks)

    monkeypatch.setattr(encoding, "level_scores", slow_answer)
    seeds.move(150, 120)
    qtbot.waitUntil(under_way.is_set, timeout=5000)
    qtbot.wait(50)
    seeds.press(150, 120)
    assert len(seeds.session.seed_state.seeds) == 2  # at once
    clicked.set()
    seeds.settle()
    assert len(seeds.session.seed_state.seeds) == 2


def test_what_was_shown_under_the_pointer_is_not_computed_again_for_the_click(seeds):
    seeds.move(60, 60)
    seeds.settle()
    computed = len(seeds.session.encoding.asked)
    seeds.press(60, 60)
    assert len(seeds.session.seed_state.seeds) == 1
    assert seeds.session.seed_state.tau == 0.5
    seeds.settle()
    assert len(seeds.session.encoding.asked) == computed


def test_an_expected_click_is_forgotten_with_the_seeds(seeds, qtbot):
    seeds.click(60, 60)
    seeds.settle()
    seeds.move(150, 120)
    qtbot.wait(100)
    seeds.settle()
    seeds.key(Qt.Key.Key_Escape)
    seeds.click(150, 120)
    seeds.settle()
    assert [(s.positive) for s in seeds.session.seed_state.seeds] == [True]
    assert close_to(seeds.color_at(70, 80), RED)


class SlowAnswers:
    """Makes answers wait for `clicked`, but for those to clicks at one place; notes what is outlined."""

    def __init__(self, encoding, monkeypatch, prompt_at):
        self.prompt_at = prompt_at
        self.under_way, self.clicked = threading.Event(), threading.Event()
        self.outlined = []
        self.answer, self.mask = encoding.level_scores, encoding.mask
        monkeypatch.setattr(encoding, "level_scores", self.slow_answer)
        monkeypatch.setattr(encoding, "mask", self.watched_mask)

    def slow_answer(self, clicks):
        if (clicks[-1].x, clicks[-1].y) != self.prompt_at:
            self.under_way.set()
            assert self.clicked.wait(5)
        return self.answer(clicks)

    def watched_mask(self, clicks, **more):
        self.outlined.append(clicks)
        return self.mask(clicks, **more)


@pytest.mark.parametrize("first", [(), ((60, 60),)])
def test_a_click_does_not_wait_for_the_outline_of_what_is_shown_or_expected(seeds, first, monkeypatch, qtbot):
    for place in first:
        seeds.click(*place)
        seeds.settle()
    slow = SlowAnswers(seeds.session.encoding, monkeypatch, prompt_at=(200, 150))
    seeds.move(150, 120)
    qtbot.waitUntil(slow.under_way.is_set, timeout=5000)
    seeds.press(200, 150)
    slow.clicked.set()
    seeds.settle()
    made = seeds.session.seed_state.seeds
    assert len(made) == len(first) + 1
    assert slow.outlined[0] == made


def test_the_preview_follows_a_pointer_that_does_not_rest(seeds, monkeypatch, qtbot):
    encoding, slow = seeds.session.encoding, 0.05  # seconds, three frames
    answer = encoding.level_scores
    monkeypatch.setattr(encoding, "level_scores", lambda clicks: time.sleep(slow) or answer(clicks))
    shown = []
    for step in range(40):
        seeds.move(50 + step % 20, 60)
        qtbot.wait(10)
        shown.append(seeds.view.preview.array is not None)
    assert any(shown)
    seeds.move(-10, -10)
    seeds.settle()
    assert seeds.view.preview.array is None


def test_a_click_leaves_the_training_its_cores(seeds, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setenv(threads.USERS_NUMBER, "4")
    threads.all_threads.cache_clear()
    used, encoding = [], seeds.session.encoding
    answer = encoding.level_scores
    monkeypatch.setattr(encoding, "level_scores", lambda s: used.append(torch.get_num_threads()) or answer(s))
    with cores.cores_for_training():
        seeds.click(60, 60)
        seeds.settle()
    during = list(used)
    seeds.click(150, 120)
    seeds.settle()
    torch.set_num_threads(before)
    threads.all_threads.cache_clear()
    assert set(during) == {3}
    assert used[-1] == 4


def test_a_click_that_only_might_come_fails_in_silence(seeds, monkeypatch, qtbot):
    seeds.click(60, 60)
    seeds.settle()
    tried = []

    def fail(clicks):
        tried.append(clicks)
        raise ValueError("no such seed")

    monkeypatch.setattr(seeds.session.encoding, "level_scores", fail)
    seeds.move(150, 120)
    qtbot.waitUntil(lambda: bool(tried), timeout=5000)
    seeds.settle()
    assert seeds.failures == []
    seeds.press(150, 120)
    seeds.settle()
    assert {failure.title for failure in seeds.failures} == {"no such seed"}
    seeds.failures.clear()
    seeds.key(Qt.Key.Key_Escape)
