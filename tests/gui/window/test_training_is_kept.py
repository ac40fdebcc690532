"""A training that is closed, killed, ends badly or is forgotten: shown, told, and waiting for a decision."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.dialogs.train import INTERRUPTED, RESULT, RUNNING, SETUP
from app.project.folders import data_dir
from app.workers.training_records import TrainingOutcome, TrainingRecord, held
from converters.annotation import Instance, Polygon
from models import fine_tuning
from models.data.dataset import SetAside
from models.errors import CheckpointError, TrainingError
from models.evaluation.paired import PairedDifference
from models.fine_tuning import FineTuneResult
from models.training.events import LeftOut, PhaseStarted, StepDone
from tests.gui.window.conftest import Driver

SAMPLES = (((10, 10), (50, 10), (30, 50)), ((90, 20), (130, 20), (110, 60)))


@pytest.fixture
def store():
    return data_dir() / "models"


def record(store, version="seednet-cut-off", **changes):
    made = TrainingRecord(version, store.parent, 5.0, "seednet", Path("base.safetensors"), **changes)
    (store / version).mkdir(parents=True)
    made.write(store)
    return made


def outcome(store, version, **changes):
    facts = {"before": 0.5, "after": 0.6, "held_out": 3, "low": -1.0, "high": 1.0, "verdict": "too few"}
    return TrainingOutcome(
        version, store / version / "weights.safetensors", seconds=1.0, **{**facts, **changes}
    )


@pytest.fixture
def window(qtbot, qapp, engine, folder):
    """Makes windows, one after the other, as if the program was started again."""
    made = []

    def open_window():
        for old in made:
            old.window.close()
        driver = Driver(qtbot, qapp, engine).show()
        made.append(driver)
        driver.open(folder, current=folder / "photo0.png")
        driver.wait(lambda: driver.services.training._offered)
        return driver

    yield open_window
    for driver in made:
        driver.end()


@pytest.fixture
def learning(monkeypatch):
    """Fine-tuning without a network: writes a checkpoint, waits for the stop, and ends as it is told to."""

    class Learning:
        error = None
        files = ()

        def __call__(self, request, *, should_stop, should_leave, on_event):
            on_event(PhaseStarted("training"))
            request.output.mkdir(parents=True, exist_ok=True)
            (request.output / "checkpoint.pt").write_bytes(b"state")
            for file in self.files:
                on_event(LeftOut(file))
            on_event(StepDone(7, 0.34, 10.0, {"loss": float("nan")}))
            while not (should_stop() or should_leave() or self.error):
                pass
            if should_leave():
                raise fine_tuning.Cancelled
            if self.error is not None:
                raise self.error
            (request.output / "weights.safetensors").write_bytes(b"weights")
            difference = PairedDifference(12, 0.1, 0.05, 0.15)
            return FineTuneResult(request.output / "weights.safetensors", 0.5, 0.6, difference)

    learning = Learning()
    monkeypatch.setattr(fine_tuning, "fine_tune", learning)
    return learning


def start(driver):
    if not driver.document.annotation.instances:
        driver.document.add(*(Instance(str(n), "disc", Polygon(p)) for n, p in enumerate(SAMPLES)))
    driver.save()
    driver.trigger("train")
    dialog = driver.window.dialogs._training
    driver.wait(lambda: dialog.start_button.isEnabled())
    dialog.start_button.click()
    driver.wait(lambda: "34" in driver.window.status.training.text())
    return dialog


def test_closed_with_x_it_is_seen_said_and_found_again_also_after_a_restart(window, learning, store):
    driver = window()
    dialog = start(driver)
    assert "loss –" in dialog.facts.text()
    dialog.close()
    QTest.mouseClick(driver.window.status.training, Qt.MouseButton.LeftButton)
    assert dialog.isVisible()
    assert dialog.pages.currentIndex() == RUNNING
    dialog.close()
    driver.services.training.stop_and_keep()
    driver.wait(lambda: "The training has ended." in driver.titles())
    assert driver.window.toast._retry.text() == "Compare"
    driver.window.toast._retry.click()
    assert dialog.isVisible()
    assert dialog.pages.currentIndex() == RESULT
    dialog.close()
    assert driver.window.status.training.text() == "Training finished"

    again = window()
    assert again.window.status.training.text() == "Training finished"
    again.wait(lambda: "A training has ended that nobody has decided on yet." in again.titles())
    again.window.toast._retry.click()
    dialog = again.window.dialogs._training
    assert dialog.pages.currentIndex() == RESULT
    assert "0.600" in dialog.scores.text()
    assert "between +0.050 and +0.150" in dialog.scores.text()
    [left] = [path for path in store.iterdir() if path.is_dir()]
    assert not (left / "checkpoint.pt").exists()
    dialog.throw_away.click()
    again.wait(lambda: not left.exists())
    assert not again.window.status.training.isVisible()
    assert window().titles() == []


def test_the_model_that_is_kept_is_not_offered_again(window, store):
    made = record(store, "mine", state="undecided", outcome=outcome(store, "mine"))
    made.outcome.weights.write_bytes(b"weights")
    driver = window()
    driver.trigger("train")
    dialog = driver.window.dialogs._training
    assert "cannot be told" in dialog.verdict.text()
    assert not dialog.keep_new.property("role")
    dialog.keep_old.click()
    driver.wait(lambda: TrainingRecord.read(store / "mine").state == "decided")
    assert made.outcome.weights.exists()
    assert window().window.status.training.text() == ""


def test_killed_with_the_window_it_can_go_on(window, learning, store):
    """Closing the window without a word leaves on the disk what a kill leaves."""
    driver = window()
    start(driver)
    driver.services.training.shutdown()
    [left] = [path for path in store.iterdir() if path.is_dir()]
    assert (left / "checkpoint.pt").exists()
    again = window()
    again.wait(lambda: "A training was interrupted. It can go on." in again.titles())
    QTest.mouseClick(again.window.status.training, Qt.MouseButton.LeftButton)
    dialog = again.window.dialogs._training
    assert dialog.pages.currentIndex() == INTERRUPTED
    dialog.interrupted.resume_button.click()
    again.wait(lambda: "34" in again.window.status.training.text())
    assert dialog.pages.currentIndex() == RUNNING
    again.services.training.stop_and_keep()
    again.wait(lambda: dialog.pages.currentIndex() == RESULT)
    assert TrainingRecord.read(left).state == "undecided"


def test_what_is_left_of_a_training_can_be_removed(window, store):
    record(store)
    (store / "seednet-cut-off" / "checkpoint.pt").write_bytes(b"state")
    driver = window()
    driver.trigger("train")
    dialog = driver.window.dialogs._training
    dialog.interrupted.remove_button.click()
    driver.wait(lambda: not (store / "seednet-cut-off").exists())
    assert dialog.pages.currentIndex() == SETUP
    assert not driver.window.status.training.isVisible()


def test_one_that_runs_in_another_window_is_left_alone(window, store):
    record(store)
    with held(store / "seednet-cut-off") as is_ours:
        assert is_ours
        assert window().services.training.interrupted == ()


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (TrainingError("no number"), "The training learnt nothing: its numbers went out of bounds."),
        (MemoryError(), "There is not enough memory for this."),
        (
            OSError(28, "No space left on device", "weights"),
            "The disk is full: weights could not be written.",
        ),
    ],
)
def test_one_that_fails_is_told_and_nothing_goes_on_showing_that_it_runs(
    window, learning, error, title, store
):
    learning.error = error
    driver = window()
    driver.document.add(*(Instance(str(n), "disc", Polygon(p)) for n, p in enumerate(SAMPLES)))
    driver.save()
    driver.trigger("train")
    dialog = driver.window.dialogs._training
    driver.wait(lambda: dialog.start_button.isEnabled())
    dialog.start_button.click()
    driver.wait(lambda: title in driver.titles())
    driver.wait(lambda: dialog.pages.currentIndex() != RUNNING)
    assert not driver.services.training.is_running
    driver.wait(lambda: driver.window.status.training.text() in ("", "Training interrupted"))


def test_a_checkpoint_that_does_not_fit_is_named_and_can_be_left_behind(window, learning, store, folder):
    shown = store / "seednet-cut-off" / "checkpoint.pt"
    record(store)
    shown.write_bytes(b"torn")
    learning.error = CheckpointError(shown, "this checkpoint is damaged or cut off")
    driver = window()
    driver.services.training.resume(driver.services.training.interrupted[0])
    driver.wait(lambda: "checkpoint.pt: the training cannot go on from this checkpoint." in driver.titles())
    driver.wait(lambda: driver.services.training.interrupted != ())
    notice = driver.services.notices.notices[-1]
    assert notice.retry_title == "Begin anew"
    learning.error = None
    notice.retry()
    driver.wait(lambda: "34" in driver.window.status.training.text())
    driver.services.training.discard()
    driver.wait(lambda: not shown.parent.exists())
    driver.wait(lambda: not driver.services.training.is_running)


def test_files_that_cannot_be_read_are_named_while_it_runs_and_in_the_result(window, learning, folder):
    learning.files = (SetAside(Path("broken.png"), "not a picture"),)
    (folder / "photo2.json").write_text("{", encoding="utf-8")
    driver = window()
    dialog = start(driver)
    remedies = [notice.remedy for notice in driver.services.notices.notices]
    assert "broken.png: not a picture" in remedies
    assert any(remedy.startswith("photo2.json: ") for remedy in remedies)
    driver.services.training.stop_and_keep()
    driver.wait(lambda: dialog.pages.currentIndex() == RESULT)
    assert "Files that could not be read: 2" in dialog.scores.text()


def test_what_killed_trainings_left_before_is_swept(store, window):
    left = store / "seednet-20250101-000000-n9"
    left.mkdir(parents=True)
    checkpoint = left / "checkpoint.pt"
    checkpoint.write_bytes(b"state")
    os.utime(checkpoint, (0, 0))
    window()
    assert not left.exists()
