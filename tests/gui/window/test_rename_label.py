"""The folder's labels are known before its pictures are opened, and renaming one says what it reaches."""

from __future__ import annotations

import pytest

from app.panels.rename_label import RenameLabelDialog
from app.project.labels_in_use import labels_in_use
from converters.annotation import ImageAnnotation, Instance, Polygon
from converters.formats.labelme.document import read_labelme, write_labelme
from tests.gui.window.test_folder_labels import unsaved_work

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


def annotate(folder, name, *labels):
    objects = tuple(Instance(f"{name}{number}", label, TRIANGLE) for number, label in enumerate(labels))
    write_labelme(folder / f"{name}.json", ImageAnnotation(f"{name}.png", 120, 160, objects))


@pytest.fixture
def opened(driver, folder):
    annotate(folder, "photo0", "leaf", "stem")
    annotate(folder, "photo1", "leaf", "leaf")
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait(lambda: driver.services.folder_labels.is_complete)
    return driver


def labels_of(folder, name):
    return read_labelme(folder / f"{name}.json").labels


def rest(driver):
    driver.wait(lambda: not driver.services.renaming._rounds and not driver.services.saving.runner.is_busy)


def test_labels_of_pictures_nobody_opened_are_offered(driver, folder):
    annotate(folder, "photo2", 'béton "x"', "路")
    (folder / "photo1.json").write_text('{"shapes": [{"label": 7}, {"label": "half', encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    panel = driver.window.docks.panels["labels"]
    driver.wait(lambda: {'béton "x"', "路"} <= set(panel.labels()))
    assert driver.services.folder_labels.pictures_with("路") == (folder / "photo2.png",)
    assert driver.document.annotation.instances == ()


def test_the_folder_s_labels_follow_edits_and_other_folders(opened, folder, tmp_path):
    known = opened.services.folder_labels
    assert known.names == ("leaf", "stem")
    opened.document.relabel(["photo00"], "bud")
    assert known.names == ("bud", "stem", "leaf")
    assert known.pictures_with("leaf") == (folder / "photo1.png",)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes((folder / "photo0.png").read_bytes())
    opened.open(other, current=other / "a.png")
    opened.wait(lambda: known.is_complete)
    assert known.names == ()
    assert "stem" not in opened.window.docks.panels["labels"].labels()


def test_a_label_is_renamed_in_the_folder_unsaved_work_included(opened, folder):
    unsaved_work(folder / "photo2.png")
    opened.services.pictures.open_path(folder)
    opened.wait(lambda: opened.window.picture_model.count_states()["modified"] == 1)
    opened.wait_for_picture(folder / "photo0.png")
    opened.window.docks.panels["labels"].rename("leaf", "blade")
    rest(opened)
    opened.services.saving.save_now()
    rest(opened)
    assert labels_of(folder, "photo0") == ("blade", "stem")
    assert labels_of(folder, "photo1") == ("blade",)
    assert labels_of(folder, "photo2") == ("blade",)
    assert opened.window.status.currentMessage().startswith("Renamed: 4 objects in 3 pictures.")
    assert "leaf" not in opened.window.docks.panels["labels"].labels()
    opened.trigger("next_picture")
    opened.wait_for_picture(folder / "photo1.png")
    opened.trigger("undo")
    assert opened.document.annotation.labels == ("leaf",)


def test_a_label_is_renamed_in_this_picture_alone(opened, folder, monkeypatch):
    said = []

    def answer(dialog):
        said.extend((dialog.everywhere.text(), dialog.only_here.text()))
        dialog.line.setText("blade")
        dialog.only_here.setChecked(True)
        return RenameLabelDialog.DialogCode.Accepted

    monkeypatch.setattr(RenameLabelDialog, "exec", answer)
    opened.session.add_label("leaf")
    opened.window.docks.panels["labels"]._ask_name("leaf")
    rest(opened)
    assert said == ["In the whole folder (pictures that have it: 2)", "Only in this picture (objects: 1)"]
    assert opened.document.annotation.labels == ("blade", "stem")
    assert labels_of(folder, "photo1") == ("leaf",)
    assert opened.session.labels.declared == {"leaf", "blade"}
    assert "leaf" in opened.window.docks.panels["labels"].labels()


def test_a_picture_that_cannot_be_renamed_is_told(opened, folder):
    damaged = '{"shapes": [{"label": "leaf"}'
    (folder / "photo2.json").write_text(damaged, encoding="utf-8")
    opened.services.pictures.open_path(folder)
    opened.wait(lambda: len(opened.services.folder_labels.pictures_with("leaf")) == 3)
    opened.wait_for_picture(folder / "photo0.png")
    opened.window.docks.panels["labels"].rename("leaf", "blade")
    rest(opened)
    assert "“leaf” was not renamed in 1 pictures." in opened.titles()
    assert (folder / "photo2.json").read_text(encoding="utf-8") == damaged
    assert labels_of(folder, "photo1") == ("blade",)


def test_labels_are_told_from_the_text_of_a_file(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"shapes": [{"label" : "a\\"b"}, {"label":"c"}, {"label": "c"}, {"label": 1}]}', "utf-8")
    assert labels_in_use(file) == ('a"b', "c")
    assert labels_in_use(tmp_path / "none.json") == ()
