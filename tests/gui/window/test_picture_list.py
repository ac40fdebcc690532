"""The list of pictures: thumbnails come by themselves, names can be told apart, a filter explains itself."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QTimer

from app.workers.task import TaskRunner
from tests.gui.window.conftest import write_picture


@pytest.fixture
def late_ends(monkeypatch):
    """Work is forgotten a little after its result has arrived, as on a busy machine."""
    forget = TaskRunner._forget

    def forget_later(self, task):
        QTimer.singleShot(2, self, lambda: forget(self, task))

    monkeypatch.setattr(TaskRunner, "_forget", forget_later)


def test_every_thumbnail_comes_without_the_mouse(late_ends, driver, tmp_path):
    first = write_picture(tmp_path / "p00.png")
    for number in range(1, 10):
        (tmp_path / f"p{number:02}.png").write_bytes(first.read_bytes())
    for name in ("p03.png", "p04.png", "p08.png"):
        (tmp_path / name).write_bytes(first.read_bytes()[:60])
    driver.show().open(tmp_path, current=first)
    model = driver.window.picture_model
    driver.wait(lambda: sum(pixmap is not None for pixmap in model._pixmaps.values()) == 7, timeout=5000)
    driver.wait(lambda: model.count_states()["broken"] == 3, timeout=5000)
