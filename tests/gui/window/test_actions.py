"""The rows of the table do what they say, whatever asks for them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from app.panels.registry import PANELS
from app.tools.registry import TOOLS
from app.window import actions
from app.window.actions import MENUS, PEEK_MS, all_commands


def test_every_row_has_a_menu_and_the_tools_come_first_in_theirs():
    rows = all_commands()
    assert {row.menu for row in rows} == set(MENUS)
    tools = [row.id for row in rows if row.menu == "tools"]
    assert tools[: len(TOOLS)] == [f"tool_{kind.name}" for kind in TOOLS]


def test_a_tool_is_chosen_by_its_action(driver):
    driver.trigger("tool_brush")
    assert driver.session.tool == "brush"
    assert driver.window.actions_by_id["tool_brush"].isChecked()


def test_a_toggle_is_told_whether_it_is_checked(driver):
    driver.trigger("include_subfolders")
    assert driver.services.settings.include_subfolders
    driver.trigger("include_subfolders")
    assert not driver.services.settings.include_subfolders


@pytest.fixture
def opened(driver, folder):
    driver.open(folder)
    return driver


def test_the_original_shows_while_the_key_or_the_button_is_down_and_for_a_moment_from_the_menu(
    opened, monkeypatch
):
    canvas = opened.window.canvas
    QTest.keyPress(canvas, Qt.Key.Key_H)
    assert canvas.show_original
    QTest.keyRelease(canvas, Qt.Key.Key_H)
    assert not canvas.show_original
    (button,) = opened.window.top_bar.findChildren(QToolButton, "show_original")
    button.pressed.emit()
    assert canvas.show_original
    button.released.emit()
    assert not canvas.show_original
    assert PEEK_MS >= 1000
    monkeypatch.setattr(actions, "PEEK_MS", 20)
    opened.trigger("show_original")
    assert canvas.show_original
    opened.wait(lambda: not canvas.show_original)


def test_a_held_command_with_a_key_of_its_own(opened):
    opened.services.change_keys({"show_original": ("J",)})
    canvas = opened.window.canvas
    QTest.keyPress(canvas, Qt.Key.Key_H)
    assert not canvas.show_original
    QTest.keyPress(canvas, Qt.Key.Key_J)
    assert canvas.show_original
    QTest.keyRelease(canvas, Qt.Key.Key_J)
    opened.services.change_keys({"show_original": ()})
    QTest.keyPress(canvas, Qt.Key.Key_J)
    assert not canvas.show_original


def test_every_panel_of_the_registry_has_a_dock(driver):
    docks = driver.window.docks
    assert list(docks.by_key) == [panel.key for panel in PANELS]
    for panel in PANELS:
        assert docks.by_key[panel.key].isAncestorOf(docks.panels[panel.key])
        assert docks.by_key[panel.key].isHidden() == (panel.shown != "always")
