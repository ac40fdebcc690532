"""Another theme or another language shows the same state, in other words and colours."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from app.panels.registry import PANELS
from converters.annotation import Instance, Polygon
from tests.gui.window.test_main_window import choose, find_objects

BARS = 8  # as much as another script's letters make the bars taller
TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


def places(driver):
    """Where every dock is and how large."""
    return {key: pytest.approx(where, abs=BARS) for key, where in places_now(driver).items()}


def places_now(driver):
    docks = driver.window.docks.by_key
    return {key: dock.geometry().getRect() for key, dock in docks.items() if dock.isVisible()}


def rows(driver):
    panel = driver.window.docks.panels["objects"]
    return [panel.model.instance_at(row).id for row in range(panel.model.rowCount())]


@pytest.mark.parametrize("choice", ["dark", "zh_CN"])
def test_a_rebuild_shows_the_same_objects_docks_and_texts(driver, folder, choice):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(*(Instance(f"n{number}", f"label{number}", TRIANGLE) for number in range(5)))
    driver.session.select(("n1", "n3"))
    panels = driver.window.docks.panels
    panels["objects"].filter.setText("label1")
    panels["labels"].entry.setText("half a na")
    driver.window.docks.by_key["labels"].hide()
    docks = driver.window.docks.by_key
    driver.window.resizeDocks([docks["objects"]], [333], Qt.Orientation.Vertical)
    driver.window.resizeDocks([docks["pictures"]], [260], Qt.Orientation.Horizontal)
    driver.window.actions_by_id["include_subfolders"].blockSignals(True)
    driver.window.actions_by_id["include_subfolders"].setChecked(True)
    driver.bot.wait(20)
    before, listed, selection = places(driver), rows(driver), driver.session.selection
    choose(driver, choice)
    panels = driver.window.docks.panels
    assert rows(driver) == listed == ["n4", "n3", "n2", "n1", "n0"]
    assert panels["objects"].filter.text() == "label1"
    assert panels["objects"].proxy.rowCount() == 1
    assert panels["objects"].count.text() == "5"
    assert not panels["objects"].empty.isVisible()
    assert panels["labels"].entry.text() == "half a na"
    assert driver.session.selection == selection
    assert places_now(driver) == before
    assert driver.window.actions_by_id["include_subfolders"].isChecked()


def test_a_rebuild_leaves_no_menu_behind(driver):
    driver.show()
    count = len(driver.window.findChildren(QMenu))
    choose(driver, "dark")
    assert len(driver.window.findChildren(QMenu)) == count
    assert [dock.windowTitle() for dock in driver.window.docks.by_key.values()] == [p.title for p in PANELS]


def test_what_was_found_goes_on_waiting(driver, folder):
    panel = find_objects(driver, folder)
    panel.slider.slider.setValue(60)
    panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    driver.services.notices.post("error", "It broke.")
    before = places(driver)
    choose(driver, "dark")
    panel = driver.window.docks.panels["candidates"]
    assert driver.window.docks.by_key["candidates"].isVisible()
    assert [c.is_chosen for c in panel.list.candidates] == [True, False, True]
    assert panel.accept_button.text() == "Accept 1"
    assert places_now(driver) == before
    assert driver.window.toast.isVisible()
    panel.accept()
    assert len(driver.document.annotation.instances) == 1
    assert driver.window.docks.by_key["candidates"].isHidden()


def test_open_dialogs_stay_open(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.trigger("check_annotations")
    driver.window.dialogs._checks.move(40, 50)
    choose(driver, "zh_CN")
    dialog = driver.window.dialogs._checks
    assert dialog.isVisible()
    assert dialog.windowTitle() != "Check the annotations"
    assert driver.window.dialogs._notifications is None
