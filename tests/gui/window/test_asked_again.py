"""A picture that is left and asked for again before it has been read: its journal is its own again."""

from __future__ import annotations

import threading

import pytest

from app.workers import pictures
from converters.annotation import Box, Instance


@pytest.fixture
def gate(monkeypatch):
    """Until it is set, a picture that has been read, its document open, is not handed over yet."""
    gate, reached, plain = threading.Event(), threading.Event(), pictures.has_more_pages
    gate.reached = reached

    def wait(path):
        reached.set()
        assert gate.wait(20)
        return plain(path)

    monkeypatch.setattr(pictures, "has_more_pages", wait)
    gate.set()
    yield gate
    gate.set()


def ask_twice(driver, gate, path, between):
    """Asks for a picture, for another one when it has been read, and for it again; then it is handed over."""
    gate.clear()
    gate.reached.clear()
    driver.services.pictures.open_picture(path)
    assert gate.reached.wait(10)
    between()
    driver.services.pictures.open_picture(path)
    gate.set()
    assert driver.services.pictures.runner._worker.wait(10)  # nothing was delivered meanwhile
    driver.wait_for_picture(path)


def test_going_away_and_back_while_it_is_read_keeps_journal_and_undo(driver, folder, gate):
    path, between = folder / "photo1.png", folder / "photo2.png"
    driver.show().open(folder, current=folder / "photo0.png")
    driver.services.pictures.open_picture(path)
    driver.wait_for_picture(path)
    driver.document.add(Instance("one", "leaf", Box(4, 4, 20, 20)))
    driver.wait(lambda: driver.services.saving.state == "saved")
    driver.services.pictures.open_path(folder)  # closes what is saved
    driver.wait_for_picture(folder / "photo0.png")
    ask_twice(driver, gate, path, lambda: driver.services.pictures.open_picture(between))
    assert driver.document.journal_problem == ""
    assert driver.document.can_undo
    assert [title for title in driver.titles() if "journal" in title] == []


def test_its_document_is_asked_for_while_it_is_read(driver, folder, gate):
    """As what is similar, or a label that is renamed everywhere, asks for pictures that are not shown."""
    path, answers = folder / "photo1.png", []
    driver.show().open(folder, current=folder / "photo0.png")
    driver.services.pictures.document_opened.connect(lambda *answer: answers.append(answer))
    ask_twice(driver, gate, path, lambda: driver.services.pictures.ask_document(path))
    driver.wait(lambda: bool(answers))
    assert answers == [(path, driver.document)]
    assert driver.document.journal_problem == ""
