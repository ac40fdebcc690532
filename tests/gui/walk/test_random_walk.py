"""A random walk through the real window: nothing acknowledged is lost, nothing hangs, nothing is logged.

`WALK_SEED` and `WALK_ACTIONS` in the environment repeat a walk that failed, or take another one.
"""

from __future__ import annotations

import os
import sys
import time
from traceback import format_exception

import pytest

from app.appearance.i18n import set_language
from app.appearance.qt_translation import translate_qt
from models import fine_tuning
from models.errors import TrainingError
from models.evaluation.paired import PairedDifference
from models.fine_tuning import FineTuneResult
from models.training.events import PhaseStarted, StepDone
from tests.gui.walk.answers import Answers
from tests.gui.walk.bad_folder import make_folders
from tests.gui.walk.ledger import Ledger
from tests.gui.walk.walker import TOLD_LAST, Walk
from tests.gui.window.color_segmenter import color_engine
from tests.gui.window.conftest import Driver

SHORT, LONG = 150, 2000


def learn(request, *, should_stop, should_leave, on_event):
    """Fine-tuning without a network; every third one fails."""
    on_event(PhaseStarted("training"))
    request.output.mkdir(parents=True, exist_ok=True)
    (request.output / "checkpoint.pt").write_bytes(b"state")
    steps = 0
    while not (should_stop() or should_leave()):
        steps += 1
        time.sleep(0.005)
        on_event(StepDone(steps, min(1.0, steps / 400), 10.0, {"loss": 1 / steps}))
    if should_leave():
        raise fine_tuning.Cancelled
    if steps % 3 == 0:
        raise TrainingError("no number")
    (request.output / "weights.safetensors").write_bytes(b"weights")
    return FineTuneResult(
        request.output / "weights.safetensors", 0.5, 0.6, PairedDifference(12, 0.1, 0.05, 0.15)
    )


@pytest.fixture
def walk(qtbot, qapp, tmp_path, monkeypatch):
    set_language("en")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(fine_tuning, "fine_tune", learn)
    folders = make_folders(tmp_path)
    answers = Answers(monkeypatch, tmp_path, folders)
    walk = Walk(lambda: Driver(qtbot, qapp, color_engine()), folders, Ledger(monkeypatch), answers)
    yield walk
    if walk.is_open:
        walk.give_up()
    set_language("en")
    translate_qt(qapp)


def go(walk: Walk, monkeypatch: pytest.MonkeyPatch, seed: int, count: int) -> None:
    seed = int(os.environ.get("WALK_SEED", seed))
    count = int(os.environ.get("WALK_ACTIONS", count))
    print(f"WALK_SEED={seed} WALK_ACTIONS={count}")
    told, surprises = sys.excepthook, walk.ledger.surprises
    monkeypatch.setattr(
        sys, "excepthook", lambda *error: (surprises.append("".join(format_exception(*error))), told(*error))
    )
    try:
        for number in range(count):
            walk.take(seed, number)
        walk.end()
        print(f"{walk.number + 1} actions; objects: {walk.count}; pictures: {len(walk.ledger.accounts)}")
    except BaseException as error:
        last = "\n  ".join(walk.told[-TOLD_LAST:])
        error.add_note(f"WALK_SEED={seed} WALK_ACTIONS={count}, after {walk.number}:\n  {last}")
        raise


def test_a_random_walk_loses_nothing(walk, monkeypatch):
    go(walk, monkeypatch, 25, SHORT)


@pytest.mark.slow
def test_a_long_random_walk_loses_nothing(walk, monkeypatch):
    go(walk, monkeypatch, int.from_bytes(os.urandom(4)), LONG)
