"""What a folder is, through the window: its labels, what is to be redone, what is not saved yet."""

from __future__ import annotations

import json
import os
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.document.journal import journal_file
from app.document.recovery import open_document
from app.project.folders import journal_dir
from app.project.settings import SettingsStore
from app.project.workspace import Workspace
from converters.annotation import Instance, Polygon
from tests.gui.window.conftest import Driver

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


def add_label(driver, name):
    driver.window.docks.panels["labels"].entry.clear()
    QTest.keyClicks(driver.window.docks.panels["labels"].entry, name)
    QTest.keyClick(driver.window.docks.panels["labels"].entry, Qt.Key.Key_Return)


def declared(folder, name="seedhue.json"):
    if not (folder / name).exists():  # it is written in the background
        return {}
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    return {label["name"]: label.get("color") for label in content["labels"]}


@pytest.fixture
def reopened(driver, qtbot, qapp, engine):
    """Closes the window and opens another one, with other settings: those of a text, or none."""
    made = []

    def again(settings=""):
        driver.window.close()
        store = SettingsStore()
        store.file.parent.mkdir(parents=True, exist_ok=True)
        store.file.write_text(settings or "{}", encoding="utf-8")
        made.append(Driver(qtbot, qapp, engine))
        return made[-1].show()

    yield again
    for each in made:
        each.end()


def test_labels_and_their_colours_are_the_folder_s(driver, folder, reopened):
    driver.show().open(folder, current=folder / "photo0.png")
    assert not (folder / "seedhue.json").exists()
    add_label(driver, "leaf")
    add_label(driver, "stem")
    driver.session.set_label_color("stem", "#123456")
    color = driver.session.color_of("leaf").name()
    driver.wait(lambda: not driver.services.saving.runner.is_busy)
    assert declared(folder) == {"leaf": color, "stem": "#123456"}
    other = reopened()
    assert "leaf" not in other.window.docks.panels["labels"].labels()
    other.open(folder, current=folder / "photo0.png")
    assert other.window.docks.panels["labels"].labels()[:2] == ("leaf", "stem")
    assert other.session.color_of("stem").name() == "#123456"
    assert other.session.color_of("leaf").name() == color
    assert other.services.settings.labels == ()
    assert other.titles() == []


def test_a_label_added_just_before_the_end_is_kept(driver, folder, reopened):
    driver.show().open(folder, current=folder / "photo0.png")
    add_label(driver, "leaf")
    other = reopened()
    other.open(folder, current=folder / "photo0.png")
    assert "leaf" in other.window.docks.panels["labels"].labels()


def test_folders_do_not_share_their_labels_but_offer_what_was_used(driver, folder, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    (second / "a.png").write_bytes((folder / "photo0.png").read_bytes())
    red = {"name": "leaf", "color": "#ff0000"}
    (second / "seedhue.json").write_text(json.dumps({"seedhue_project": 1, "labels": [red]}), "utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    add_label(driver, "leaf")
    add_label(driver, "stem")
    color = driver.session.color_of("leaf").name()
    driver.document.add(Instance("one", "here alone", TRIANGLE))
    driver.open(second, current=second / "a.png")
    assert driver.session.labels.declared == {"leaf"}
    assert driver.session.color_of("leaf").name() == "#ff0000"
    assert set(driver.window.docks.panels["labels"].labels()) == {"leaf", "stem"}
    driver.open(folder, current=folder / "photo0.png")
    assert driver.session.color_of("leaf").name() == color
    assert declared(second) == {"leaf": "#ff0000"}


def test_old_settings_still_offer_their_labels_and_colours(folder, reopened):
    other = reopened('{"label": "old", "labels": ["old", "older"], "label_colors": {"old": "#abcdef"}}')
    other.open(folder, current=folder / "photo0.png")
    assert other.window.docks.panels["labels"].labels() == ("old", "older")
    assert other.session.color_of("old").name() == "#abcdef"
    assert other.session.labels.declared == frozenset()
    assert not (folder / "seedhue.json").exists()


def test_renaming_a_label_renames_it_in_the_folder(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    add_label(driver, "laef")
    color = driver.session.color_of("laef").name()
    driver.document.add(Instance("one", "laef", TRIANGLE), Instance("two", "stem", TRIANGLE))
    driver.window.docks.panels["labels"].rename("laef", "leaf")
    driver.wait(lambda: (folder / "seedhue.json").exists() and declared(folder) == {"leaf": color})
    assert driver.document.annotation.labels == ("leaf", "stem")
    assert "laef" not in driver.window.docks.panels["labels"].labels()
    driver.window.docks.panels["labels"].rename("stem", "stalk")
    assert driver.session.labels.declared == {"leaf"}
    driver.document.undo()
    assert "stem" in driver.window.docks.panels["labels"].labels()


def test_the_check_knows_the_folder_s_labels(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "leaf", TRIANGLE), Instance("two", "laef", TRIANGLE))
    driver.session.set_label_color("laef", "#123456")  # a colour declares nothing

    def findings():
        driver.trigger("check_annotations")
        dialog = driver.window.dialogs._checks
        driver.wait(lambda: not dialog.runner.is_busy and dialog.verdict.text() != "Checking…")
        return [dialog.list.item(row).text() for row in range(dialog.list.count())]

    unknown = "The label laef is not one of those declared in this folder."
    assert unknown not in findings()
    add_label(driver, "leaf")
    assert unknown in findings()
    add_label(driver, "laef")
    assert unknown not in findings()


def test_what_another_program_adds_is_joined_and_shown(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    blue = {"name": "theirs", "color": "#0000ff"}
    (folder / "seedhue.json").write_text(json.dumps({"seedhue_project": 1, "labels": [blue]}), "utf-8")
    before = driver.session.color_of("theirs")
    repainted = []
    driver.session.colors_changed.connect(repainted.append)
    add_label(driver, "ours")
    driver.wait(lambda: "theirs" in driver.window.docks.panels["labels"].labels())
    assert set(declared(folder)) == {"ours", "theirs"}
    assert before.name() != driver.session.color_of("theirs").name() == "#0000ff"
    assert repainted == ["theirs"]


def test_a_damaged_project_file_is_told_and_set_aside(driver, folder):
    (folder / "seedhue.json").write_text('{"seedhue_project": 1,', encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    assert any("seedhue.json" in title and "left as it is" in title for title in driver.titles())
    add_label(driver, "leaf")
    driver.wait(lambda: any("seedhue.json.damaged" in title for title in driver.titles()))
    assert set(declared(folder)) == {"leaf"}
    assert (folder / "seedhue.json.damaged").read_text(encoding="utf-8") == '{"seedhue_project": 1,'


def test_opening_the_project_file_opens_its_folder(driver, folder):
    (folder / "seedhue.json").write_text('{"seedhue_project": 1, "labels": ["leaf"]}', encoding="utf-8")
    driver.show().open(folder / "seedhue.json", current=folder / "photo0.png")
    assert len(driver.services.pictures.paths) == 3
    assert driver.session.labels.declared == {"leaf"}


def test_pictures_to_be_redone_are_marked_and_it_can_be_undone(driver, folder, reopened):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "disc", TRIANGLE))
    states = driver.window.picture_model.count_states

    def is_shown(state):
        driver.save()
        driver.wait(lambda: states()[state] == 1)

    driver.trigger("mark_rejected")
    is_shown("rejected")
    driver.trigger("mark_reviewed")
    is_shown("reviewed")
    driver.trigger("undo")
    is_shown("rejected")
    driver.trigger("mark_rejected")
    is_shown("annotated")
    driver.trigger("undo")
    is_shown("rejected")
    assert not (folder / "seedhue.json").exists()  # one fact, one place
    other = reopened()
    other.open(folder)
    other.wait(lambda: other.window.picture_model.count_states()["rejected"] == 1)


def unsaved_work(path):
    """Leaves what a crash leaves: a journal with work that no annotation file has."""
    workspace = Workspace(path)
    document = open_document(path, workspace.load(path), journal_dir())
    document.add(Instance("one", "leaf", TRIANGLE))
    document.close()


def test_pictures_with_unsaved_work_are_shown_as_such(driver, folder):
    unsaved_work(folder / "photo2.png")
    driver.show().open(folder, current=folder / "photo0.png")
    states = driver.window.picture_model.count_states
    driver.wait(lambda: states()["modified"] == 1)
    driver.services.pictures.open_picture(folder / "photo2.png")
    driver.wait_for_picture(folder / "photo2.png")
    driver.wait(lambda: states()["modified"] == 0 and states()["annotated"] == 1)
    assert (folder / "photo2.json").exists()


def test_old_journals_go_when_the_program_starts(driver, folder):
    for name in ("photo1.png", "photo2.png"):
        unsaved_work(folder / name)
    kept, pruned = (journal_file(folder / name, journal_dir()) for name in ("photo1.png", "photo2.png"))
    path = folder / "photo2.png"
    document = open_document(path, Workspace(folder).load(path), journal_dir())
    document.mark_saved()
    document.close()
    long_ago = time.time() - 365 * 86400
    for file in (kept, pruned):
        os.utime(file, (long_ago, long_ago))
    driver.show()
    driver.wait(lambda: not pruned.exists())
    assert kept.exists()
