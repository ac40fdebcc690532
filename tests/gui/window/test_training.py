"""Training in the window: budget, curve, stop and keep, discard, use the new model, closing."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from app.workers.training import CountObjects, TrainingProgress, collect_objects, count_objects
from app.workers.training_records import TrainingOutcome
from converters.annotation import Instance, Polygon
from tests.gui.window.conftest import Driver


class SlowTraining:
    """Steps until it is stopped, like the engine, without a network."""

    def __init__(self, weights):
        self.weights = weights
        self.steps = 0

    def __call__(self, request, should_stop, on_event):
        if isinstance(request, CountObjects):
            return count_objects(request, should_stop)
        on_event(TrainingProgress("baseline"))
        on_event(TrainingProgress("baseline", 0, score=0.5))
        while not (should_stop() or request.stop_early.is_set()):
            time.sleep(0.01)
            self.steps += 1
            on_event(TrainingProgress("training", self.steps, self.steps / 1000, 10.0, 1 / self.steps))
        if should_stop() or request.discard.is_set():
            return None
        return TrainingOutcome("seednet-new", self.weights, 0.5, 0.6, 20, 0.05, 0.15, "better", 1.0)


@pytest.fixture
def training(tmp_path):
    return SlowTraining(tmp_path / "weights.safetensors")


@pytest.fixture
def driver(qtbot, qapp, engine, folder, training):
    made = Driver(qtbot, qapp, engine, training_work=training).show()
    made.open(folder, current=folder / "photo0.png")
    made.document.add(Instance("one", "disc", Polygon(((10, 10), (50, 10), (30, 50)))))
    made.save()
    yield made
    made.services.training.discard()
    made.wait(lambda: not made.services.training.is_running)
    made.end()


def open_dialog(driver):
    driver.trigger("train")
    dialog = driver.window.dialogs._training
    driver.wait(lambda: dialog.start_button.isEnabled())
    return dialog


def start(driver):
    dialog = open_dialog(driver)
    dialog.budget.button(2).click()
    dialog.start_button.click()
    driver.wait(lambda: len(dialog._curve.losses) > 3)
    return dialog


def answer(title):
    """Presses the button with that text in the next message box."""

    def press():
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(button for button in box.buttons() if button.text() == title).click()

    QTimer.singleShot(100, press)


def test_counts_what_there_is_and_warns_about_little(driver):
    dialog = open_dialog(driver)
    assert "objects 1" in dialog.summary.text()
    assert "little" in dialog.warning.text()


def test_dialog_keeps_its_size_when_the_curve_comes(driver):
    size = open_dialog(driver).size()
    dialog = start(driver)
    driver.wait(lambda: dialog.facts.text() != "")
    driver.bot.wait(1)
    assert dialog.size() == size


def test_window_stays_usable_while_training(driver, folder, training):
    dialog = start(driver)
    assert dialog.phase.text() == "Learning…"
    assert dialog._curve.scores == [(0, 0.5)]
    assert "Training" in driver.window.status.training.text()
    assert driver.window.status.training.isVisible()
    steps = training.steps
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    driver.wait_for_encoding()
    driver.wait(lambda: training.steps > steps + 5)


def test_stop_and_keep_the_best_then_use_it(driver):
    dialog = start(driver)
    dialog.stop_button.click()
    driver.wait(lambda: dialog.pages.currentIndex() == 2)
    assert "0.500" in dialog.scores.text()
    assert "0.600" in dialog.scores.text()
    assert "between +0.050 and +0.150" in dialog.scores.text()
    assert "better on your objects" in dialog.verdict.text()
    dialog.keep_new.click()
    driver.wait(lambda: any("seednet-new" in title for title in driver.titles()))
    driver.wait(lambda: not driver.services.segmentation.runner.is_busy)
    assert not driver.services.training.is_running


def test_discard_goes_back_to_the_start(driver):
    dialog = start(driver)
    dialog.discard_button.click()
    driver.wait(lambda: dialog.pages.currentIndex() == 0)
    assert not driver.services.training.is_running
    assert not driver.window.status.training.isVisible()


def test_closing_asks_and_may_be_refused(driver):
    start(driver)
    answer("Go on training")
    assert not driver.window.close()
    assert driver.services.training.is_running
    assert driver.window.isVisible()


def test_closing_keeps_the_best_and_joins_the_thread(driver):
    start(driver)
    answer("Keep the best and quit")
    begin = time.monotonic()
    assert driver.window.close()
    assert time.monotonic() - begin < 5
    assert not driver.services.training.is_running


def test_an_error_of_the_training_is_told(driver, training, monkeypatch):
    def fail(request, should_stop, on_event):
        if isinstance(request, CountObjects):
            return count_objects(request, should_stop)
        raise ValueError("fine-tuning needs at least two annotated objects")

    monkeypatch.setattr(SlowTraining, "__call__", lambda self, *arguments: fail(*arguments))
    dialog = open_dialog(driver)
    dialog.start_button.click()
    driver.wait(lambda: any("two annotated objects" in title for title in driver.titles()))
    driver.wait(lambda: dialog.pages.currentIndex() == 0)


def test_only_reviewed_pictures_on_request(driver, folder):
    dialog = open_dialog(driver)
    assert "objects 1" in dialog.summary.text()
    dialog.reviewed_only.click()
    driver.wait(lambda: "objects 0" in dialog.summary.text())
    assert not dialog.start_button.isEnabled()
    assert "reviewed" in dialog.warning.text()
    assert collect_objects(folder, reviewed_only=True).pictures == ()
    driver.trigger("mark_reviewed")
    driver.save()
    dialog.reviewed_only.click()
    dialog.reviewed_only.click()
    driver.wait(lambda: dialog.start_button.isEnabled())
    assert "objects 1" in dialog.summary.text()
    (learnt,) = collect_objects(folder, reviewed_only=True).pictures
    assert learnt.path.name == "photo0.png"


def test_the_training_learns_from_what_was_asked_for(driver, training):
    driver.trigger("mark_reviewed")
    driver.save()
    dialog = open_dialog(driver)
    dialog.reviewed_only.click()
    driver.wait(lambda: dialog.start_button.isEnabled())
    dialog.start_button.click()
    driver.wait(lambda: training.steps > 0)
    assert driver.services.training._running.reviewed_only
