"""Other programs change, rename and leave files in the folder that is open."""

from __future__ import annotations

import os

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from app.document.recovery import open_document
from app.project.folders import journal_dir
from app.project.workspace import Workspace
from converters.annotation import Instance, Polygon
from converters.files.temporary_files import open_temporary
from converters.formats.labelme.document import read_labelme

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


def add(driver, name="one"):
    driver.document.add(Instance(name, "leaf", TRIANGLE))


def save(driver):
    driver.services.saving.save_now()
    driver.wait(lambda: driver.services.saving.state == "saved")


def change_outside(file, new="stone"):
    """Writes another label of the same length, at the same time."""
    facts = file.stat()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("leaf ", new), encoding="utf-8")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def labels(driver):
    return [instance.label for instance in driver.document.annotation.instances]


def there_and_back(driver, folder):
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    driver.trigger("previous_picture")
    driver.wait_for_picture(folder / "photo0.png")


def test_a_picture_shows_what_another_program_wrote_when_it_is_shown_again(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "leaf ", TRIANGLE))
    save(driver)
    change_outside(folder / "photo0.json")
    there_and_back(driver, folder)
    driver.wait(lambda: labels(driver) == ["stone"])
    assert not driver.document.is_modified
    assert any("changed by another program" in title for title in driver.titles())
    driver.trigger("undo")
    assert labels(driver) == ["leaf "]
    save(driver)
    assert read_labelme(folder / "photo0.json").instances[0].label == "leaf "


def test_the_open_picture_follows_when_the_user_comes_back_from_another_program(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "leaf ", TRIANGLE))
    save(driver)
    change_outside(folder / "photo0.json")
    QGuiApplication.instance().applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    driver.wait(lambda: labels(driver) == ["stone"])


def test_after_a_refused_save_going_away_and_back_shows_the_other_version(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("one", "leaf ", TRIANGLE))
    save(driver)
    change_outside(folder / "photo0.json")
    add(driver, "two")
    driver.services.saving.save_now()
    driver.wait(lambda: driver.services.saving.state == "failed")
    assert any("another program" in title for title in driver.titles())
    assert not driver.window.status.unsafe.isHidden()
    there_and_back(driver, folder)
    driver.wait(lambda: labels(driver) == ["stone"])
    assert driver.services.saving.state == "saved"
    assert driver.window.status.unsafe.isHidden()
    driver.trigger("undo")
    assert labels(driver) == ["leaf ", "leaf"]
    save(driver)
    assert len(read_labelme(folder / "photo0.json").instances) == 2


def test_unsaved_work_is_found_under_the_new_name_of_a_folder_renamed_while_it_is_open(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    add(driver)
    save(driver)
    after = folder.rename(folder.parent / "renamed")
    add(driver, "two")
    driver.services.saving.save_now()
    driver.wait(lambda: driver.services.saving.state == "failed")
    driver.open(after, current=after / "photo0.png")
    assert len(driver.document.annotation.instances) == 2
    driver.wait(lambda: driver.services.saving.state == "saved")
    assert len(read_labelme(after / "photo0.json").instances) == 2
    assert driver.window.status.unsafe.isHidden()
    driver.document.undo()
    driver.document.undo()
    assert not driver.document.annotation.instances


def test_the_list_knows_unsaved_work_of_a_folder_that_was_renamed(driver, folder):
    path = folder / "photo2.png"
    document = open_document(path, Workspace(path).load(path), journal_dir())
    document.add(Instance("one", "leaf", TRIANGLE))
    document.close()
    after = folder.rename(folder.parent / "renamed")
    driver.show().open(after, current=after / "photo0.png")
    driver.wait(lambda: driver.window.picture_model.count_states()["modified"] == 1)


def test_temporary_files_of_killed_programs_are_swept_when_a_folder_is_opened(driver, folder):
    descriptor, left = open_temporary(folder)
    os.close(descriptor)
    os.utime(left, (0, 0))
    held, busy = open_temporary(folder)
    os.utime(busy, (0, 0))
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait(lambda: not os.path.exists(left))
    assert os.path.exists(busy)
    os.close(held)


def test_an_emptied_picture_is_not_counted_as_annotated(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    summary = driver.window.docks.panels["pictures"].summary
    add(driver)
    assert summary.text() == "1 of 3 annotated"  # not saved yet
    save(driver)
    assert summary.text() == "1 of 3 annotated"
    driver.document.remove(["one"])
    assert summary.text() == "0 of 3 annotated"
    save(driver)
    assert summary.text() == "0 of 3 annotated"
    driver.open(folder / "photo1.png", current=folder / "photo1.png")
    driver.wait(lambda: not driver.services.pictures.state_runner.is_busy)
    assert summary.text() == "0 of 3 annotated"
