"""What the window says belongs to what it shows: messages, names of steps, highlights."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.window.actions import all_commands
from converters.annotation import Box, Instance
from tests.gui.canvas_scene import to_array


@pytest.fixture
def opened(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    return driver


def test_a_message_about_a_picture_goes_with_it(opened, folder):
    opened.document.add(Instance("known", "known", Box(4, 4, 20, 20)))
    opened.trigger("undo")
    assert opened.window.status.currentMessage().startswith("Undone: ")
    opened.trigger("next_picture")
    assert opened.window.status.currentMessage() == ""
    opened.wait_for_picture(folder / "photo1.png")
    assert opened.window.status.currentMessage() == ""


def test_a_message_stands_where_the_hint_stood(driver):
    status = driver.show().window.status

    def first_inked_column():
        line = to_array(status.grab().toImage())[4:-4, : status.hint.width()].astype(int)
        return np.flatnonzero((abs(line - line[0, 0]) > 60).any(axis=(0, 2)))[0]

    status.show_hint("Mmm")
    before = first_inked_column()
    status.show_text("Mmm")
    assert first_inked_column() == before


def test_undo_calls_a_review_what_its_command_is_called(opened):
    titles = {command.id: command.title for command in all_commands()}
    for command in ("mark_reviewed", "mark_rejected"):
        opened.trigger(command)
        assert opened.document.undo_title.translated() == titles[command]
        assert opened.window.actions_by_id["undo"].text() == f"Undo: {titles[command]}"
    opened.trigger("mark_rejected")  # again: takes it back
    assert opened.document.undo_title.translated() == "Reopen the review"


def test_an_unticked_proposal_is_not_filled_any_more(opened):
    opened.trigger("auto")
    panel = opened.window.docks.panels["candidates"]
    opened.wait(lambda: panel.list.count() == 3)
    panel.list.setCurrentRow(0)
    canvas = opened.window.canvas
    row, column = (round(v) for v in reversed(canvas.viewport.to_device(80, 60)))

    def color():
        return to_array(canvas.grab().toImage())[row, column].astype(int)

    plain = color()
    panel.list.item(0).setCheckState(Qt.CheckState.Unchecked)  # and stays the current row
    unticked = color()
    panel.dismiss()
    assert np.abs(unticked - color()).max() <= 2
    assert np.abs(plain - unticked).max() > 20
