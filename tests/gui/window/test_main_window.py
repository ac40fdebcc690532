"""The window as a user meets it: open, annotate, switch, save, undo, language, theme, drop, close."""

from __future__ import annotations

import json
import sys
import time

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QMenu

from app.window.layout import first_size
from converters.annotation import Instance, Mask, Polygon
from converters.formats.labelme.document import read_labelme

DISC = (80, 60)


def grow(driver, point=DISC):
    """Clicks with the seed tool and keeps the region with Enter."""
    before = len(driver.document.annotation.instances)
    driver.session.set_tool("seed")
    canvas = driver.window.canvas
    QTest.mouseMove(canvas, driver.at(*point))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, driver.at(*point))
    driver.wait(lambda: bool(driver.session.seed_state.seeds) and driver.session.seed_state.tau is not None)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    driver.wait(lambda: len(driver.document.annotation.instances) == before + 1)
    return driver.document.annotation.instances[-1]


def find_objects(driver, folder):
    """Opens a picture with three objects that can be found; returns the panel that lists them."""
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    driver.trigger("auto")
    panel = driver.window.docks.panels["candidates"]
    driver.wait(lambda: panel.list.count() == 3)
    return panel


def test_starts_empty_and_friendly(driver):
    driver.show()
    assert driver.window.centre.currentWidget() is driver.window.start_page
    assert not driver.window.actions_by_id["undo"].isEnabled()
    assert not driver.window.actions_by_id["auto"].isEnabled()
    assert driver.window.docks.by_key["pictures"].isHidden()
    assert "PyQt5" not in sys.modules


@pytest.mark.parametrize(
    ("available", "size"),
    [((1920, 1080), (1280, 800)), ((1280, 800), (1272, 752)), ((3000, 700), (1280, 652))],
)
def test_begins_so_that_its_frame_fits_on_the_screen(available, size):
    assert first_size(QSize(*available)) == QSize(*size)


def test_opens_a_picture_with_its_folder(driver, folder):
    driver.show().open(folder / "photo1.png", current=folder / "photo1.png")
    assert driver.window.centre.currentWidget() is driver.window.canvas
    assert [path.name for path in driver.services.pictures.paths] == [
        "photo0.png",
        "photo1.png",
        "photo2.png",
    ]
    assert driver.window.docks.by_key["pictures"].isVisible()
    assert "photo1.png" in driver.window.windowTitle()
    assert str(folder / "photo1.png") in driver.services.settings.recent


def test_next_and_previous_by_key(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_D)
    driver.wait_for_picture(folder / "photo1.png")
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_PageDown)
    driver.wait_for_picture(folder / "photo2.png")
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_D)
    assert driver.window.status.currentMessage() == "This is the last picture."
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_A)
    driver.wait_for_picture(folder / "photo1.png")


def test_click_grows_a_mask_that_autosave_writes(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    driver.session.set_option("label", "disc")
    instance = grow(driver)
    assert isinstance(instance.geometry, Mask)
    assert instance.geometry.contains(*DISC)
    assert not instance.geometry.contains(5, 5)
    file = folder / "photo0.json"
    driver.wait(lambda: file.exists() and driver.services.saving.state == "saved")
    (saved,) = read_labelme(file).instances
    assert saved.label == "disc"
    assert saved.geometry == instance.geometry
    assert saved.provenance.seeds
    model = driver.window.picture_model
    assert model.count_states()["annotated"] == 1
    assert driver.window.docks.panels["objects"].model.rowCount() == 1


def test_undo_survives_switching_pictures(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    grow(driver)
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    assert not driver.document.can_undo
    driver.trigger("previous_picture")
    driver.wait_for_picture(folder / "photo0.png")
    assert len(driver.document.annotation.instances) == 1
    driver.trigger("undo")
    assert driver.document.annotation.instances == ()
    driver.trigger("redo")
    assert len(driver.document.annotation.instances) == 1


def test_undo_survives_opening_the_folder_again(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    grow(driver)
    first = driver.document
    driver.services.pictures.open_path(folder)
    driver.wait(lambda: driver.document is not None and driver.document is not first)
    assert len(driver.document.annotation.instances) == 1
    assert driver.document.can_undo
    assert driver.titles() == []
    driver.document.remove([driver.document.annotation.instances[0].id])
    driver.save()
    assert json.loads((folder / "photo0.json").read_text(encoding="utf-8"))["shapes"] == []


def test_quick_switching_ends_on_the_last_picture(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    for _ in range(2):
        driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo2.png")
    driver.wait(lambda: not driver.services.pictures.runner.is_busy)
    assert driver.services.pictures.current == folder / "photo2.png"
    driver.wait_for_encoding()
    assert driver.titles() == []


def test_busy_is_shown_while_the_picture_is_encoded(qtbot, qapp, folder):
    import threading

    from tests.gui.window.color_segmenter import color_engine
    from tests.gui.window.conftest import Driver

    gate = threading.Event()
    driver = Driver(qtbot, qapp, color_engine(gate)).show()
    driver.open(folder, current=folder / "photo0.png")
    driver.wait(lambda: driver.window.status.progress.isVisible())
    assert driver.session.encoding is None
    begin = time.monotonic()
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    assert time.monotonic() - begin < 5
    gate.set()
    driver.wait_for_encoding()
    driver.wait(lambda: not driver.window.status.progress.isVisible())
    driver.end()


def test_closing_while_busy_joins_every_thread(qtbot, qapp, folder):
    import threading

    from tests.gui.window.color_segmenter import color_engine
    from tests.gui.window.conftest import Driver

    driver = Driver(qtbot, qapp, color_engine(threading.Event())).show()
    driver.open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "disc", Polygon(((10, 10), (50, 10), (30, 50)))))
    begin = time.monotonic()
    assert driver.window.close()
    assert time.monotonic() - begin < 5
    assert len(read_labelme(folder / "photo0.json").instances) == 1
    driver.end()


def test_drop_opens_files(driver, folder):
    driver.show()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder / "photo2.png"))])
    where, buttons, keys = QPointF(50, 50), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where.toPoint(), Qt.DropAction.CopyAction, data, buttons, keys)
    driver.window.dragEnterEvent(enter)
    assert enter.isAccepted()
    driver.window.dropEvent(QDropEvent(where, Qt.DropAction.CopyAction, data, buttons, keys))
    driver.wait_for_picture(folder / "photo2.png")


def choose(driver, key):
    """Triggers a theme or a language in the View menu."""
    menus = driver.window.menus["view"].findChildren(QMenu)
    next(a for menu in menus for a in menu.actions() if a.data() == key).trigger()
    QTest.qWait(20)


def test_language_and_theme_change_at_run_time(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    canvas, document = driver.window.canvas, driver.document
    choose(driver, "zh_CN")
    assert driver.window.actions_by_id["undo"].text() == "撤销"
    assert driver.window.menus["file"].title().startswith("文件")
    assert driver.window.canvas is canvas
    assert driver.document is document
    choose(driver, "dark")
    assert driver.theme.choice == driver.services.settings.theme == "dark"
    assert driver.services.settings.language == "zh_CN"
    grow(driver)
    driver.trigger("undo")
    assert driver.document.annotation.instances == ()


def test_theme_recolours_the_window(driver):
    driver.show()
    light = driver.window.grab().toImage().pixelColor(700, 790).lightness()
    driver.theme.apply("dark")
    QTest.qWait(20)
    assert driver.window.grab().toImage().pixelColor(700, 790).lightness() < light - 100


def test_holding_h_shows_the_original(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    QTest.keyPress(driver.window.canvas, Qt.Key.Key_H)
    assert driver.window.canvas.show_original
    QTest.keyRelease(driver.window.canvas, Qt.Key.Key_H)
    assert not driver.window.canvas.show_original


def test_typing_a_label_does_not_trigger_commands(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    QTest.keyClicks(driver.window.docks.panels["labels"].entry, "sad bird")
    QTest.keyClick(driver.window.docks.panels["labels"].entry, Qt.Key.Key_Return)
    assert driver.session.options.label == "sad bird"
    assert driver.session.tool == "seed"
    assert driver.services.pictures.current == folder / "photo0.png"
    assert "sad bird" in driver.window.docks.panels["labels"].labels()
    assert "sad bird" in driver.services.settings.label_colors


def test_objects_list_selects_relabels_hides_locks(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    for name in ("one", "two"):
        driver.document.add(Instance(name, name, Polygon(((10, 10), (50, 10), (30, 50)))))
    model, table = driver.window.docks.panels["objects"].model, driver.window.docks.panels["objects"].table
    assert [model.instance_at(row).id for row in range(2)] == ["two", "one"]
    driver.session.select(("one",))
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    table.selectAll()
    assert set(driver.session.selection) == {"one", "two"}
    model.setData(model.index(0, 2), "cat", Qt.ItemDataRole.EditRole)
    assert driver.document.annotation.labels == ("cat",)
    eye = table.visualRect(driver.window.docks.panels["objects"].proxy.index(0, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, eye)
    assert driver.session.hidden == {"one", "two"}
    lock = table.visualRect(driver.window.docks.panels["objects"].proxy.index(0, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, lock)
    assert all(instance.locked for instance in driver.document.annotation.instances)
    driver.trigger("delete")
    assert len(driver.document.annotation.instances) == 2


def test_auto_lists_candidates_and_accepts_them(driver, folder):
    panel = find_objects(driver, folder)
    assert driver.window.docks.by_key["candidates"].isVisible()
    panel.slider.slider.setValue(60)
    assert len(panel.chosen()) == 2
    panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert panel.accept_button.text() == "Accept 1"
    QTest.mouseClick(panel.accept_button, Qt.MouseButton.LeftButton)
    (instance,) = driver.document.annotation.instances
    assert instance.provenance.kind == "automatic"
    assert instance.score == pytest.approx(0.9)
    assert driver.window.docks.by_key["candidates"].isHidden()
    driver.trigger("undo")
    assert driver.document.annotation.instances == ()


def test_a_closer_look_keeps_what_was_unticked_and_is_remembered(driver, folder):
    panel = find_objects(driver, folder)
    before = driver.engine.segmenter.encoded
    panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    left_out = panel.list.candidates[1].instance.geometry
    first = panel.list.candidates
    box = panel.closer_box
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    driver.wait(lambda: panel.list.candidates is not first)
    assert driver.engine.segmenter.encoded == before + 4
    assert driver.services.settings.look_closer
    assert left_out in [c.instance.geometry for c in panel.list.candidates if not c.is_chosen]
    panel.dismiss()
    driver.trigger("auto")
    driver.wait(lambda: driver.engine.segmenter.encoded == before + 8)
    driver.wait(lambda: not driver.services.segmentation.runner.is_busy)
    assert panel.list.count() >= 3


def test_a_closer_look_nobody_waits_for_is_given_up(driver, folder):
    panel = find_objects(driver, folder)
    panel.closer_box.setChecked(True)
    panel.dismiss()
    driver.wait(lambda: not driver.services.segmentation.runner.is_busy)
    assert panel.list.count() == 0
    assert driver.window.docks.by_key["candidates"].isHidden()


def test_copy_and_paste_between_pictures(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "disc", Mask.from_full([[1, 1], [1, 1]])))
    driver.session.select(("one",))
    driver.trigger("copy")
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    driver.trigger("paste")
    (pasted,) = driver.document.annotation.instances
    assert pasted.id != "one"
    assert pasted.label == "disc"


def test_mask_polygon_and_boolean_commands(driver, folder):
    import numpy as np

    driver.show().open(folder, current=folder / "photo0.png")
    first, second = np.zeros((120, 160), bool), np.zeros((120, 160), bool)
    first[10:40, 10:40] = True
    second[30:60, 30:60] = True
    driver.document.add(Instance("a", "a", Mask.from_full(first)), Instance("b", "b", Mask.from_full(second)))
    driver.session.select(("a", "b"))
    driver.trigger("union")
    (joined,) = driver.document.annotation.instances
    assert joined.geometry == Mask.from_full(first | second)
    driver.trigger("to_polygon")
    assert isinstance(driver.document.annotation.instances[0].geometry, Polygon)
    driver.trigger("to_mask")
    assert driver.document.annotation.instances[0].geometry == Mask.from_full(first | second)
    for _ in range(3):
        driver.trigger("undo")
    assert len(driver.document.annotation.instances) == 2


def test_sample_photo_is_copied_and_opened(driver):
    driver.show()
    driver.trigger("open_sample")
    driver.wait_for_picture()
    assert driver.session.image.path.name == "coffee.jpg"
    assert "resources" not in driver.session.image.path.parts
    assert len(driver.services.pictures.paths) == 4


def test_settings_come_back(driver, folder, qtbot, qapp, engine):
    from tests.gui.window.conftest import Driver

    driver.show().open(folder, current=folder / "photo0.png")
    driver.session.set_option("brush_radius", 33.0)
    driver.session.set_option("label", "kept")
    driver.services.change_keys({"fit": ("Ctrl+9",)})
    driver.window.close()
    again = Driver(qtbot, qapp, engine)
    try:
        assert again.session.options.brush_radius == 33.0
        assert again.session.options.label == "kept"
        assert again.window.actions_by_id["fit"].shortcut().toString() == "Ctrl+9"
        assert again.window.recent_paths() == [folder]
    finally:
        again.end()


def test_a_close_look_gets_an_encoding_of_its_own(driver, tmp_path):
    from tests.gui.window.conftest import write_picture

    write_picture(tmp_path / "large.png", size=(1500, 2000))
    driver.show().open(tmp_path, current=tmp_path / "large.png")
    driver.wait_for_encoding()
    assert driver.session.detail is None
    driver.window.canvas.center_on((950, 700, 1050, 800))
    driver.wait(lambda: driver.session.detail is not None)
    x0, _y0, x1, _y1 = driver.session.detail.region
    assert x0 <= 950 < 1050 <= x1
    assert x1 - x0 < 2000
    encoded, segmentation = driver.engine.segmenter.encoded, driver.services.segmentation
    driver.window.canvas.pan_by(2, 2)
    assert segmentation._detail_timer.isActive()
    driver.wait(lambda: not segmentation._detail_timer.isActive() and not segmentation.runner.is_busy)
    assert driver.engine.segmenter.encoded == encoded
    driver.trigger("fit")
    grow(driver, (1000, 750))


def test_reviewed_pictures_are_marked(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "disc", Polygon(((10, 10), (50, 10), (30, 50)))))
    driver.trigger("mark_reviewed")
    driver.save()
    assert driver.window.picture_model.count_states()["reviewed"] == 1
    driver.trigger("mark_reviewed")
    driver.save()
    assert driver.window.picture_model.count_states()["reviewed"] == 0


def test_qt_s_own_buttons_follow_the_language_at_once(driver, qapp):
    driver.show()

    def cancel():
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        return buttons.button(QDialogButtonBox.StandardButton.Cancel).text()

    assert cancel() == "Cancel"
    choose(driver, "zh_CN")
    try:
        assert cancel() == "取消"
    finally:
        choose(driver, "en")
    assert cancel() == "Cancel"


def test_subfolders_are_taken_in_and_left_out_at_once(driver, folder):
    from tests.gui.window.conftest import write_picture

    below = folder / "below"
    below.mkdir()
    write_picture(below / "deep.png")
    driver.show().open(folder, current=folder / "photo0.png")
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    driver.trigger("include_subfolders")
    driver.wait(lambda: below / "deep.png" in driver.services.pictures.paths)
    driver.wait_for_picture(folder / "photo1.png")
    assert driver.services.settings.include_subfolders
    driver.window.rebuild()
    assert driver.window.actions_by_id["include_subfolders"].isChecked()
    driver.trigger("include_subfolders")
    driver.wait(lambda: len(driver.services.pictures.paths) == 3)


def test_presets_and_the_colours_used_last_can_be_clicked(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.session.set_tool("recolor")
    section = driver.window.docks.panels["properties"].recolor
    navy = next(button for button in section.presets.buttons if button.accessibleName() == "Navy")
    assert navy.toolTip() == "Navy  #1d2a55"
    navy.click()
    assert driver.session.options.color == "#1d2a55"
    section.color.chosen.emit("#123456")
    assert [button.shade for button in section.recent.buttons] == ["#123456", "#1d2a55"]
    section.recent.buttons[1].click()
    assert driver.session.options.color == "#1d2a55"
    assert driver.services.settings.recent_colors == ("#123456", "#1d2a55")
    choose(driver, "zh_CN")
    section = driver.window.docks.panels["properties"].recolor
    assert "藏青" in {button.accessibleName() for button in section.presets.buttons}
    assert [button.shade for button in section.recent.buttons] == ["#123456", "#1d2a55"]
