"""Select similar in the real window: proposals to turn, pick, accept and undo, here and in the folder."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.panels.similar import PATH_ROLE
from converters.annotation import Instance, Mask
from converters.formats.labelme.document import read_labelme

RED, DARK_RED, BLUE = (220, 40, 40), (190, 36, 36), (40, 60, 220)
PLACES = ((40, 40), (120, 40), (200, 40), (40, 120), (120, 120))
SHADES = (RED, RED, RED, DARK_RED, BLUE)


def write_discs(path, shades=SHADES):
    """A grey picture with discs at PLACES; a shade of None leaves one out."""
    image = np.full((160, 240, 3), 120, np.uint8)
    for place, shade in zip(PLACES, shades, strict=False):
        if shade is not None:
            cv2.circle(image, place, 16, shade, -1)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def disc(place, label="ball"):
    full = np.zeros((160, 240), np.uint8)
    cv2.circle(full, place, 16, 1, -1)
    return Instance(f"{label}-{place}", label, Mask.from_full(full))


@pytest.fixture
def discs(tmp_path):
    folder = tmp_path / "discs"
    folder.mkdir()
    write_discs(folder / "a.png")
    write_discs(folder / "b.png", (RED, None, RED, None, BLUE))
    write_discs(folder / "c.png", (None, None, None, None, BLUE))
    write_discs(folder / "d.png", (RED, RED))
    return folder


@pytest.fixture
def opened(driver, discs):
    driver.show().open(discs, current=discs / "a.png")
    driver.wait_for_encoding()
    driver.session.set_tool("select")
    return driver


def ask(driver, place=PLACES[0]):
    """Selects an annotated disc and presses M."""
    instance = disc(place)
    if driver.document.annotation.instance(instance.id) is None:
        driver.document.add(instance)
    driver.session.select((instance.id,))
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_M)
    driver.wait(lambda: driver.window.docks.panels["similar"].is_in_use)
    return driver.window.docks.panels["similar"]


def click(driver, place):
    QTest.mouseClick(
        driver.window.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, driver.at(*place)
    )


def covered(instances):
    return {place for place in PLACES if any(i.geometry.contains(*place) for i in instances)}


def test_the_command_waits_for_an_object(driver, discs):
    driver.show().open(discs, current=discs / "a.png")
    action = driver.window.actions_by_id["select_similar"]
    driver.wait_for_encoding()
    assert not action.isEnabled()
    driver.document.add(disc(PLACES[0]))
    driver.session.select((driver.document.annotation.instances[0].id,))
    assert action.isEnabled()
    driver.session.select(())
    assert not action.isEnabled()


def test_accepting_gives_all_like_it_the_same_label_in_one_step(opened):
    panel = ask(opened)
    window = opened.window
    assert window.docks.by_key["similar"].isVisible()
    assert not window.docks.by_key["properties"].isVisible()
    assert covered(panel.chosen()[opened.document.path]) == set(PLACES[1:4])
    QTest.keyClick(window.canvas, Qt.Key.Key_Return)
    instances = opened.document.annotation.instances
    assert covered(instances) == set(PLACES[:4])
    assert {i.label for i in instances} == {"ball"}
    assert instances[-1].provenance.kind == "automatic"
    assert instances[-1].provenance.model == "color-1"
    assert instances[-1].provenance.level == 1
    assert 0.5 <= instances[-1].score <= 1.0
    assert not window.docks.by_key["similar"].isVisible()
    assert window.docks.by_key["properties"].isVisible()
    assert window.canvas.tool is window.tool_box.tools["select"]
    opened.trigger("undo")
    assert covered(opened.document.annotation.instances) == {PLACES[0]}
    opened.trigger("redo")
    assert covered(opened.document.annotation.instances) == set(PLACES[:4])


def test_the_slider_shows_and_hides_them_live(opened):
    panel = ask(opened)
    path = opened.document.path
    panel.slider.slider.setValue(95)
    assert covered(panel.chosen()[path]) == set(PLACES[1:3])
    assert len(opened.window.similar_layer.shown) == 2
    assert panel.accept_button.text() == "Accept 2"
    panel.slider.slider.setValue(10)
    assert PLACES[3] in covered(panel.chosen()[path])
    panel.slider.slider.setValue(100)
    position = QPointF(opened.at(10, 10))
    for _ in range(3):  # the wheel turns it, too, as it turns τ for a seed
        down = QWheelEvent(
            position,
            position,
            QPointF(0, 0).toPoint(),
            QPointF(0, -120).toPoint(),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(opened.window.canvas, down)
    assert panel.slider.value() == pytest.approx(0.97)


def test_a_click_takes_one_out_and_in_again(opened):
    panel = ask(opened)
    path = opened.document.path
    click(opened, PLACES[1])
    assert covered(panel.chosen()[path]) == {PLACES[2], PLACES[3]}
    assert [shown.is_chosen for shown in opened.window.similar_layer.shown].count(False) == 1
    click(opened, PLACES[1])
    click(opened, PLACES[2])
    click(opened, (230, 150))
    QTest.mouseClick(panel.accept_button, Qt.MouseButton.LeftButton)
    assert covered(opened.document.annotation.instances) == {PLACES[0], PLACES[1], PLACES[3]}


def test_escape_leaves_everything_as_it_was(opened):
    panel = ask(opened)
    before = opened.document.annotation
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Escape)
    assert not panel.is_in_use
    assert opened.document.annotation is before
    assert opened.window.similar_layer.shown == ()
    assert not opened.window.docks.by_key["similar"].isVisible()
    click(opened, PLACES[0])
    assert opened.session.selection == (before.instances[0].id,)


def test_the_keys_work_in_the_panel_as_well(opened):
    panel = ask(opened)
    QTest.keyClick(panel.slider.slider, Qt.Key.Key_Escape)
    assert not panel.is_in_use
    panel = ask(opened)
    QTest.keyClick(panel.slider.slider, Qt.Key.Key_Return)
    assert covered(opened.document.annotation.instances) == set(PLACES[:4])


def test_a_region_being_grown_is_enough_to_begin_with(opened, tmp_path):
    """At τ 0.95 the region is the clicked disc alone: the others have a slightly other red."""
    other = (200, 40, 40)
    opened.open(write_discs(tmp_path / "reds.png", (RED, other, other, other, BLUE)))
    opened.wait_for_picture(tmp_path / "reds.png")
    opened.wait_for_encoding()
    session = opened.session
    session.set_option("label", "apple")
    session.set_tool("seed")
    QTest.mouseMove(opened.window.canvas, opened.at(*PLACES[0]))
    click(opened, PLACES[0])
    session.set_option("tau", 0.95)
    opened.wait(lambda: session.seed_state.tau == 0.95)
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_M)
    panel = opened.window.docks.panels["similar"]
    opened.wait(lambda: panel.is_in_use)
    (first,) = opened.document.annotation.instances  # kept, whatever becomes of the search
    assert first.geometry.contains(*PLACES[0])
    assert first.provenance.kind == "seeds"
    assert first.provenance.seeds
    assert covered(panel.chosen()[opened.document.path]) == set(PLACES[1:4])
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    instances = opened.document.annotation.instances
    assert {i.label for i in instances} == {"apple"}
    assert covered(instances) == set(PLACES[:4])
    assert opened.window.canvas.tool is opened.window.tool_box.tools["seed"]


def test_annotated_objects_are_not_proposed_twice(opened):
    opened.document.add(disc(PLACES[1]))
    panel = ask(opened)
    assert covered(panel.chosen()[opened.document.path]) == {PLACES[2], PLACES[3]}
    assert sum(candidate.is_known for candidate in panel.list.candidates) == 1


def test_the_folder_is_searched_and_every_picture_gets_its_own(opened, discs):
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.picture_list.count() == 2 and panel.progress.isHidden())
    rows = [panel.picture_list.item(row) for row in range(2)]
    assert [row.data(PATH_ROLE).name for row in rows] == ["b.png", "d.png"]
    assert rows[0].text().endswith("2")
    assert panel.accept_button.text() == "Accept 7 in 3 pictures"
    assert "3 of 3" in panel.folder_summary.text()
    rows[1].setCheckState(Qt.CheckState.Unchecked)
    assert panel.accept_button.text() == "Accept 5 in 2 pictures"
    QTest.mouseClick(panel.accept_button, Qt.MouseButton.LeftButton)
    opened.wait(lambda: (discs / "b.json").exists() and (discs / "a.json").exists())
    opened.wait(lambda: not opened.services.saving.runner.is_busy)
    saved = read_labelme(discs / "b.json").instances
    assert covered(saved) == {PLACES[0], PLACES[2]}
    assert {i.label for i in saved} == {"ball"}
    assert not (discs / "c.json").exists()
    assert not (discs / "d.json").exists()
    assert opened.window.picture_model.count_states()["annotated"] == 2
    assert opened.titles() == []


def test_what_another_picture_got_can_be_undone_there(opened, discs):
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.progress.isHidden() and panel.picture_list.count() == 2)
    panel.accept()
    opened.wait(lambda: (discs / "b.json").exists() and (discs / "d.json").exists())
    opened.trigger("next_picture")
    opened.wait_for_picture(discs / "b.png")
    assert len(opened.document.annotation.instances) == 2
    opened.trigger("undo")
    assert opened.document.annotation.instances == ()
    opened.save()
    assert read_labelme(discs / "b.json").instances == ()


def test_finds_of_another_picture_can_be_looked_at_there(opened, discs):
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.progress.isHidden() and panel.picture_list.count() == 2)
    row = panel.picture_list.visualItemRect(panel.picture_list.item(0))
    QTest.mouseClick(
        panel.picture_list.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        row.center(),
    )
    opened.wait_for_picture(discs / "b.png")
    assert len(panel.list.candidates) == 2
    click(opened, PLACES[2])
    assert panel.accept_button.text() == "Accept 6 in 3 pictures"
    opened.trigger("next_picture")
    opened.wait_for_picture(discs / "c.png")
    assert panel.list.candidates == ()
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    opened.wait(lambda: all((discs / f"{name}.json").exists() for name in "abd"))
    opened.wait(lambda: not opened.services.saving.runner.is_busy)
    assert covered(read_labelme(discs / "a.json").instances) == set(PLACES[:4])
    assert covered(read_labelme(discs / "b.json").instances) == {PLACES[0]}
    assert covered(read_labelme(discs / "d.json").instances) == {PLACES[0], PLACES[1]}


def test_the_search_can_be_stopped_and_taken_back(opened, discs):
    for number in range(20):
        write_discs(discs / f"e{number}.png")
    opened.services.pictures.open_paths([discs])
    opened.wait(lambda: len(opened.services.pictures.paths) == 24)
    opened.wait_for_encoding()
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.picture_list.count() >= 1)
    QTest.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    opened.wait(lambda: not opened.services.segmentation.runner.is_busy)
    assert panel.progress.isHidden()
    assert 1 <= panel.picture_list.count() < 22
    panel.folder_box.setChecked(False)
    assert list(panel.chosen()) == [discs / "a.png"]
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.progress.isHidden() and panel.picture_list.count() == 22)


def test_pictures_that_cannot_be_read_or_written_are_told_and_the_others_go_on(opened, discs):
    (discs / "b.png").write_bytes(b"no picture")
    (discs / "d.json").write_text("{", encoding="utf-8")
    write_discs(discs / "e.png", (RED,))
    opened.services.pictures.open_paths([discs])
    opened.wait(lambda: len(opened.services.pictures.paths) == 5)
    opened.wait_for_encoding()
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.progress.isHidden() and panel.picture_list.count() == 2)
    assert "Pictures that could not be searched: 1" in opened.titles()
    panel.accept()
    opened.wait(lambda: (discs / "e.json").exists())
    opened.wait(lambda: "Pictures that nothing was added to: 1" in opened.titles())
    assert (discs / "d.json").read_text(encoding="utf-8") == "{"


def test_going_to_a_picture_while_it_gets_its_objects_keeps_both(opened, discs):
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: panel.progress.isHidden() and panel.picture_list.count() == 2)
    panel.accept()
    opened.trigger("next_picture")
    opened.wait_for_picture(discs / "b.png")
    opened.wait(lambda: len(opened.document.annotation.instances) == 2)
    opened.wait(lambda: (discs / "b.json").exists() and opened.services.saving.state == "saved")
    assert opened.document.journal_problem == ""
    assert len(read_labelme(discs / "b.json").instances) == 2
    opened.trigger("undo")
    assert opened.document.annotation.instances == ()


def test_another_folder_forgets_the_finds(opened, folder):
    panel = ask(opened)
    panel.folder_box.setChecked(True)
    opened.services.pictures.open_paths([folder])
    opened.wait_for_picture(folder / "photo0.png")
    assert not panel.is_in_use
    assert not opened.window.docks.by_key["similar"].isVisible()


def test_automatic_objects_and_similar_ones_do_not_wait_together(opened):
    panel = ask(opened)
    opened.trigger("auto")
    opened.wait(lambda: opened.window.docks.by_key["candidates"].isVisible())
    assert not panel.is_in_use
    assert not opened.window.docks.by_key["similar"].isVisible()
    ask(opened)
    assert not opened.window.docks.by_key["candidates"].isVisible()


def test_another_tool_works_while_the_finds_wait(opened):
    panel = ask(opened)
    opened.session.set_tool("box")
    assert opened.window.canvas.tool is opened.window.tool_box.tools["box"]
    assert panel.is_in_use
    QTest.mouseClick(panel.dismiss_button, Qt.MouseButton.LeftButton)
    assert opened.window.canvas.tool is opened.window.tool_box.tools["box"]


def test_a_theme_change_leaves_the_finds_as_they_are(opened):
    panel = ask(opened)
    panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    ticks, shown = [c.is_chosen for c in panel.list.candidates], opened.window.similar_layer.shown
    opened.theme.apply("dark")
    QTest.qWait(1)
    panel = opened.window.docks.panels["similar"]
    assert panel.is_in_use
    assert opened.window.docks.by_key["similar"].isVisible()
    assert [c.is_chosen for c in panel.list.candidates] == ticks
    assert len(opened.window.similar_layer.shown) == len(shown) > 0
    assert opened.window.canvas.tool is opened.window.pick_tool
    panel.accept()
    assert len(opened.document.annotation.instances) == 1 + sum(ticks)
    assert opened.window.canvas.tool is opened.window.tool_box.tools["select"]


def test_a_right_click_on_an_object_opens_its_menu(opened, qtbot):
    opened.document.add(disc(PLACES[0]), disc(PLACES[1]))
    with qtbot.waitSignal(opened.window.tool_box.select.menu_wanted):
        QTest.mouseClick(
            opened.window.canvas,
            Qt.MouseButton.RightButton,
            Qt.KeyboardModifier.NoModifier,
            opened.at(*PLACES[1]),
        )
    assert opened.session.selection == (disc(PLACES[1]).id,)
    menu = opened.window.object_menu
    assert menu.isVisible()
    assert opened.window.actions_by_id["select_similar"] in menu.actions()
    menu.close()
