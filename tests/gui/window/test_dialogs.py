"""The dialogs: shortcuts are edited, folders exported and imported, recoloured pictures written."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QMessageBox, QPushButton

from app.dialogs.about import AboutDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.dialogs.transfer import ExportDialog, ImportDialog
from app.project.workspace import Workspace
from app.session import SeedState
from app.window.actions import shortcut_rows
from app.workers.inference import EncodingCache
from converters.annotation import Instance, Mask, Polygon, RecolorOperation
from converters.formats.labelme.document import read_labelme
from tests.gui.window.conftest import write_picture


def disc(size=(120, 160)):
    full = np.zeros(size, np.uint8)
    cv2.circle(full, (size[1] // 2, size[0] // 2), size[0] // 4, 1, -1)
    return Mask.from_full(full)


def assign(dialog, command, key):
    dialog.choose(command)
    dialog.editor.setKeySequence(QKeySequence(key))
    dialog.editor.editingFinished.emit()


def test_shortcut_is_changed_and_used(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    dialog = ShortcutsDialog(shortcut_rows(), driver.services.settings.shortcuts, driver.window)
    dialog.keys_changed.connect(driver.services.change_keys)
    assign(dialog, "next_picture", "N")
    dialog.accept()
    assert driver.services.settings.shortcuts == {"next_picture": ("N", "PgDown")}
    QTest.keyClick(driver.window.canvas, Qt.Key.Key_N)
    driver.wait_for_picture(folder / "photo1.png")
    dialog.deleteLater()


def test_clashing_shortcut_cannot_be_kept(driver):
    dialog = ShortcutsDialog(shortcut_rows(), {}, driver.window)
    keep = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assign(dialog, "save", "Ctrl+Z")
    assert not keep.isEnabled()
    assert "Ctrl+Z" in dialog.conflict.text()
    assert "Undo" in dialog.conflict.text()
    dialog.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults).click()
    assert keep.isEnabled()
    assert dialog.keys["save"] == ("Ctrl+S",)
    dialog.deleteLater()


def test_shortcuts_can_be_searched(driver):
    dialog = ShortcutsDialog(shortcut_rows(), {}, driver.window)
    dialog.filter.setText("eraser")
    shown = [row for row in range(dialog.table.rowCount()) if not dialog.table.isRowHidden(row)]
    assert [dialog.table.item(row, 1).text() for row in shown] == ["Eraser"]
    dialog.deleteLater()


def test_a_command_that_the_filter_hides_gets_no_new_key(driver):
    dialog = ShortcutsDialog(shortcut_rows(), {}, driver.window)
    before = dialog.keys
    dialog.choose("save")
    dialog.filter.setText("eraser")
    assert dialog.table.item(dialog.table.currentRow(), 1).text() == "Eraser"
    dialog.filter.setText("no such command")
    assert not dialog.editor.isEnabled()
    dialog.editor.setKeySequence(QKeySequence("Ctrl+9"))
    dialog.editor.editingFinished.emit()
    dialog.reset_one.click()
    assert dialog.keys == before
    dialog.filter.setText("eraser")
    dialog.editor.setKeySequence(QKeySequence("Ctrl+9"))
    dialog.editor.editingFinished.emit()
    assert {name for name, keys in dialog.keys.items() if keys != before[name]} == {"tool_eraser"}
    dialog.deleteLater()


def test_recoloured_picture_is_exported_and_the_original_kept(driver, folder, monkeypatch):
    driver.show().open(folder, current=folder / "photo0.png")
    before = (folder / "photo0.png").read_bytes()
    target = folder.parent / "red.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    driver.document.add(Instance("d", "disc", disc(), recolor=RecolorOperation("#d02020")))
    driver.trigger("export_picture")
    driver.wait(lambda: any("red.png" in title for title in driver.titles()))
    image = cv2.imread(str(target))
    blue, _green, red = (int(value) for value in image[60, 80])
    assert red > 150
    assert blue < 100
    assert tuple(image[5, 5]) == (120, 120, 120)
    assert (folder / "photo0.png").read_bytes() == before


@pytest.mark.parametrize("where", ["proposed", "among the photographs"])
def test_an_exported_picture_is_no_picture_to_annotate(driver, folder, monkeypatch, where):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("d", "disc", disc(), recolor=RecolorOperation("#d02020")))
    driver.session.add_label("disc")
    proposed = []

    def choose(_parent, _title, proposal, _filter):
        proposed.append(proposal)
        return (proposal if where == "proposed" else str(folder / "photo0_red.png"), "")

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    driver.trigger("export_picture")
    driver.wait(lambda: any("Exported" in title for title in driver.titles()))
    assert proposed == [str(folder / "recoloured" / "photo0_recoloured.png")]
    assert (folder / "recoloured").exists() == (where == "proposed")
    driver.session.add_label("leaf")  # the window writes the folder's file, too
    driver.services.saving.runner.finish()
    driver.services.include_subfolders(True)
    driver.wait(lambda: not driver.services.pictures.runner.is_busy and driver.document is not None)
    assert [path.name for path in driver.services.pictures.paths] == [
        "photo0.png",
        "photo1.png",
        "photo2.png",
    ]
    assert set(driver.session.project.labels.names) == {"disc", "leaf"}
    exported = next(path for path in folder.rglob("photo0_re*.png"))
    driver.open(exported, current=exported)  # who asks for it by name gets it
    write_picture(exported, size=(60, 70))  # and a photograph of that name is one
    assert exported in Workspace(folder, subfolders=True).pictures


def test_a_proposed_folder_that_is_not_used_goes_again(driver, folder, monkeypatch):
    driver.show().open(folder, current=folder / "photo0.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    driver.trigger("export_picture")
    assert sorted(path.name for path in folder.iterdir()) == ["photo0.png", "photo1.png", "photo2.png"]


def test_export_never_overwrites_the_original(driver, folder, monkeypatch):
    driver.show().open(folder, current=folder / "photo0.png")
    before = (folder / "photo0.png").read_bytes()
    warned = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(folder / "photo0.png"), ""))
    monkeypatch.setattr(QMessageBox, "exec", lambda box: warned.append(box.text()))
    driver.trigger("export_picture")
    assert warned
    assert (folder / "photo0.png").read_bytes() == before


def test_folder_is_exported_as_coco_and_imported_again(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("d", "disc", disc()))
    driver.save()
    target = folder.parent / "exported"
    dialog = ExportDialog(driver.services.exporting, driver.services.pictures, driver.window)
    assert dialog.format.currentData() == "coco"
    dialog.target.line.setText(str(target))
    dialog.go.click()
    driver.wait(lambda: not dialog.verdict.isHidden())
    assert "1 objects" in dialog.verdict.text()
    files = list(target.rglob("*.json"))
    (coco,) = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert coco["annotations"][0]["area"] == disc().area
    dialog.format.setCurrentIndex(dialog.format.findData("yolo"))  # "Done" was said about another one
    assert dialog.verdict.isHidden()
    assert dialog.report.isHidden()
    dialog.deleteLater()

    back = ImportDialog(driver.services.exporting, folder, driver.window)
    opened = []
    back.opened.connect(opened.append)
    back.source.line.setText(str(target))
    back.target.line.setText(str(folder.parent / "back"))
    back.go.click()
    driver.wait(lambda: bool(opened))
    (file,) = (folder.parent / "back").rglob("*.json")
    (instance,) = read_labelme(file).instances
    assert instance.geometry == disc()
    back.deleteLater()


def test_failed_import_says_why(driver, tmp_path):
    dialog = ImportDialog(driver.services.exporting, tmp_path, driver.window)
    dialog.source.line.setText(str(tmp_path / "nowhere"))
    dialog.go.click()
    driver.wait(lambda: not dialog.verdict.isHidden())
    assert "nowhere" in dialog.verdict.text()
    assert dialog.go.isEnabled()
    dialog.deleteLater()


def test_about_tells_the_versions(driver, qapp):
    dialog = AboutDialog("seednet-1 (cpu)", driver.window)
    dialog._copy()
    assert "PySide6" in qapp.clipboard().text()
    assert "seednet-1" in qapp.clipboard().text()
    dialog.deleteLater()


def test_recolour_sliders_belong_to_the_selected_object(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(
        Instance("r", "disc", disc(), recolor=RecolorOperation("#d02020")),
        Instance("b", "other", Polygon(((1, 1), (30, 1), (1, 30))), recolor=RecolorOperation("#2020d0")),
    )
    driver.session.set_tool("recolor")
    section = driver.window.docks.panels["properties"].recolor
    assert section.isVisible()
    driver.session.select(("r",))
    assert section.color.shade == "#d02020"
    driver.session.select(("b",))
    assert section.color.shade == "#2020d0"
    section.sliders["opacity"].slider.setValue(50)
    assert driver.document.annotation.instance("b").recolor.settings["opacity"] == pytest.approx(0.5)
    assert driver.document.annotation.instance("b").recolor.color == "#2020d0"
    assert driver.document.annotation.instance("r").recolor == RecolorOperation("#d02020")


def test_tau_slider_shows_the_suggestion_and_sets_the_threshold(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    canvas = driver.window.canvas
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, driver.at(80, 60))
    section = driver.window.docks.panels["properties"].seed
    driver.wait(lambda: section.slider.mark is not None)
    assert section.tau.value() == pytest.approx(0.42)
    assert len(section._group.buttons()) == 4
    section.slider.setValue(section.slider.value() + 20)
    assert driver.session.options.tau == pytest.approx(0.62)
    driver.wait(lambda: driver.session.seed_state.tau == pytest.approx(0.62))
    section.suggested.click()
    assert driver.session.options.tau is None
    section._group.button(3).click()
    assert driver.session.options.level == 2


def test_another_object_uses_the_same_level_buttons(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    section = driver.window.docks.panels["properties"].seed
    levels = section.levels.findChildren(QPushButton)
    assert [button.isVisibleTo(section) for button in levels] == [True]
    for scores in ((0.6, 0.9, 0.3), (), (0.5, 0.7, 0.8), (0.4,), (0.1, 0.2, 0.3)):
        driver.session.set_seed_state(SeedState(level_scores=scores))
        shown = [b for b in section.levels.findChildren(QPushButton) if b.isVisibleTo(section)]
        assert [b.text().split()[-1] for b in shown[1:]] == ["%"] * len(scores)
        assert [b.text().split()[-2] for b in shown[1:]] == [f"{100 * score:.0f}" for score in scores]
    assert section.levels.findChildren(QPushButton)[0] is levels[0]
    assert len(section.levels.findChildren(QPushButton)) == 4


def test_a_hundred_pictures_are_listed_at_once_and_read_when_seen(driver, tmp_path):
    first = write_picture(tmp_path / "p000.png")
    for number in range(1, 100):
        (tmp_path / f"p{number:03}.png").write_bytes(first.read_bytes())
    driver.show().open(tmp_path, current=first)
    model = driver.window.picture_model
    assert model.rowCount() == 100
    driver.wait(lambda: sum(pixmap is not None for pixmap in model._pixmaps.values()) >= 5)
    QTest.qWait(200)
    assert len(model._pixmaps) < 60
    driver.window.docks.panels["pictures"].filter.setText("p09")
    assert driver.window.docks.panels["pictures"].proxy.rowCount() == 10


def test_encoding_cache_is_bounded_by_bytes():
    class Encoding:
        nbytes = 40

    cache = EncodingCache(max_bytes=100)
    for name in "abc":
        cache.put((name, "1", None), Encoding())
    assert cache.nbytes == 80
    assert cache.get(("a", "1", None)) is None
    assert cache.get(("c", "1", None)) is not None


def test_checks_list_what_is_wrong_and_show_it(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("a", "disc", disc()), Instance("b", "disc", disc()))
    driver.trigger("check_annotations")
    dialog = driver.window.dialogs._checks
    driver.wait(lambda: dialog.list.count() > 0)
    dialog.list.setCurrentRow(0)
    assert set(driver.session.selection) == {"a", "b"}
    driver.document.remove(["b"])
    dialog.check()
    driver.wait(lambda: "Nothing is wrong" in dialog.verdict.text())


def test_duplicate_lies_beside_its_original(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("a", "disc", disc()))
    driver.session.select(("a",))
    driver.trigger("duplicate")
    original, copy = driver.document.annotation.instances
    assert copy.geometry.box != original.geometry.box
    assert driver.session.selection == (copy.id,)


def test_enter_does_what_the_prominent_button_says(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    services = driver.services
    for dialog in (
        ExportDialog(services.exporting, services.pictures, None),
        ImportDialog(services.exporting, folder, None),
    ):
        assert dialog.go.isDefault()
        dialog.deleteLater()
