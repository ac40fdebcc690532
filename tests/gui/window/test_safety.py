"""What cannot be written is told at once, shown until it is safe, tried again, and asked about on closing."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from app.appearance.i18n import set_language
from app.dialogs.transfer import ExportDialog
from app.document.journal import Journal
from app.document.journal_replay import replay
from app.document.recovery import open_document
from app.project.folders import journal_dir
from app.project.workspace import Workspace
from converters.annotation import Instance, Polygon
from converters.formats.labelme.document import read_labelme
from tests.gui.window.conftest import Driver, write_picture

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


class Disk:
    """A disk that can be full: for annotation files, settings and labels, for journals, or for all."""

    def __init__(self, monkeypatch):
        self.full_for_files = self.full_for_journals = False
        self._fsync, self._write = os.fsync, os.write
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "write", self.write)

    def fsync(self, descriptor):
        if self.full_for_files and not isinstance(threading.current_thread(), threading.Timer):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._fsync(descriptor)

    def write(self, descriptor, data):
        if self.full_for_journals:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(descriptor, data)

    def fill(self):
        self.full_for_files = self.full_for_journals = True

    def free(self):
        self.full_for_files = self.full_for_journals = False


class Question:
    """Answers the question before quitting with the button of a title; remembers what was asked."""

    def __init__(self, monkeypatch):
        self.answers: list[str] = []
        self.asked: list[str] = []
        self._clicked = None
        monkeypatch.setattr(QMessageBox, "exec", lambda box: self.answer(box))
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _box: self._clicked)

    def answer(self, box):
        self.asked.append(f"{box.text()}\n{box.informativeText()}")
        wanted = self.answers.pop(0) if self.answers else "Quit"
        buttons = {button.text(): button for button in box.buttons()}
        self._clicked = next(b for title, b in buttons.items() if title.startswith(wanted))
        return 0


@pytest.fixture
def disk(monkeypatch):
    made = Disk(monkeypatch)
    yield made
    made.free()


@pytest.fixture
def question(monkeypatch):
    return Question(monkeypatch)


@pytest.fixture
def window(disk, question, driver, folder):
    """A window on the folder; the disk has room again before it is closed."""
    driver.show().open(folder, current=folder / "photo0.png")
    driver.services.write_everything()  # what was opened is among the settings
    yield driver
    disk.free()
    driver.services.safety.try_again()


def add(driver, name="one"):
    driver.document.add(Instance(name, "leaf", TRIANGLE))


def unsafe(driver):
    """What the status bar says, empty while all is well."""
    button = driver.window.status.unsafe
    return f"{button.text()}\n{button.toolTip()}" if not button.isHidden() else ""


def told(driver, part):
    return [title for title in driver.titles() if part in title]


def test_a_journal_on_a_full_disk_is_told_and_shown_until_it_is_whole(window, disk, folder):
    disk.full_for_journals = True
    add(window)
    assert "photo0.png has no recovery journal" in unsafe(window)
    assert "the disk is full" in unsafe(window)
    add(window, "two")
    assert len(told(window, "There is no recovery journal: the disk is full.")) == 1
    window.wait(lambda: window.services.saving.state == "saved")
    assert unsafe(window)  # what comes next is not safe either
    set_language("zh_CN")
    window.window.rebuild()
    assert "没有恢复日志" in unsafe(window)
    set_language("en")
    window.window.rebuild()
    disk.free()
    QTest.mouseClick(window.window.status.unsafe, Qt.MouseButton.LeftButton)
    assert not unsafe(window)
    assert told(window, "Everything is safe again.")
    (journal,) = journal_dir().glob("photo0-*.journal")
    assert len(replay(journal.read_bytes()).annotation.instances) == 2


def test_only_what_is_written_is_promised_on_closing(window, disk, question):
    disk.full_for_files = True
    add(window)
    question.answers = ["Stay"]
    assert not window.window.close()
    assert "comes back when the picture is opened again:\n• photo0.png" in question.asked[0]
    assert "lost" not in question.asked[0]
    disk.fill()
    add(window, "two")
    question.answers = ["Stay"]
    assert not window.window.close()
    assert "would be lost:\n• photo0.png is neither saved nor in the recovery journal" in question.asked[1]
    assert "comes back" not in question.asked[1]
    disk.free()
    assert window.window.close()
    assert len(question.asked) == 2


@pytest.mark.parametrize("keeps", [True, False])
def test_a_mask_still_on_its_way_is_asked_about_on_closing(window, disk, question, keeps):
    window.wait_for_encoding()
    window.session.set_tool("seed")
    canvas = window.window.canvas
    canvas.zoom_by(6 * canvas.viewport.fitted().scale / canvas.zoom)  # the whole has to be computed yet
    QTest.mouseMove(canvas, window.at(80, 60))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=window.at(80, 60))
    window.wait(lambda: bool(window.session.seed_state.level_scores))
    disk.fill()
    if keeps:
        QTest.keyClick(canvas, Qt.Key.Key_Return)  # and closed at once
    question.answers = ["Stay"]
    assert not window.window.close()
    assert "would be lost:\n• photo0.png" in question.asked[0]
    assert len(window.document.annotation.instances) == 1


def test_closing_can_try_again(window, disk, question, folder, monkeypatch):
    disk.fill()
    add(window)
    monkeypatch.setattr(QMessageBox, "exec", lambda box: (disk.free(), question.answer(box))[1])
    question.answers = ["Try again"]
    assert window.window.close()
    assert len(question.asked) == 1
    assert len(read_labelme(folder / "photo0.json").instances) == 1


def test_closing_asks_about_pictures_that_are_not_on_the_screen(window, disk, question, folder, tmp_path):
    disk.full_for_files = True
    add(window)
    window.trigger("next_picture")
    window.wait_for_picture(folder / "photo1.png")
    window.wait(lambda: bool(unsafe(window)))
    assert "photo0.png is only in the recovery journal" in unsafe(window)
    (tmp_path / "other").mkdir()
    window.open(tmp_path / "other" / write_picture(tmp_path / "other" / "x.png").name)
    window.wait_for_picture(tmp_path / "other" / "x.png")
    assert "photo0.png" in unsafe(window)
    question.answers = ["Stay"]
    assert not window.window.close()
    assert "photo0.png" in question.asked[0]
    disk.free()
    window.services.safety.try_again()
    window.wait(lambda: not unsafe(window))
    assert len(read_labelme(folder / "photo0.json").instances) == 1
    assert not (tmp_path / "other" / "photo0.json").exists()


def test_a_label_that_cannot_be_written_is_kept_asked_about_and_written_later(
    window, disk, question, folder, tmp_path
):
    disk.full_for_files = True
    window.session.add_label("leaf")
    question.answers = ["Stay"]
    assert not window.window.close()  # at once
    assert "would be lost:" in question.asked[0]
    assert "The labels of pictures could not be written: the disk is full" in question.asked[0]
    assert told(window, "labels cannot be written")
    (tmp_path / "other").mkdir()
    write_picture(tmp_path / "other" / "x.png")
    window.open(tmp_path / "other", current=tmp_path / "other" / "x.png")
    assert "labels of pictures" in unsafe(window)
    window.open(folder, current=folder / "photo0.png")
    assert "leaf" in window.session.project.labels.names
    disk.free()
    window.services.safety.try_again()
    window.wait(lambda: not unsafe(window))
    content = json.loads((folder / "seedhue.json").read_text(encoding="utf-8"))
    assert [label["name"] for label in content["labels"]] == ["leaf"]
    assert window.window.close()
    assert len(question.asked) == 1


def test_a_failing_save_is_told_once_and_tried_again_by_itself(window, disk, folder):
    disk.full_for_files = True
    add(window)
    window.wait(lambda: window.services.saving.state == "failed")
    for _ in range(2):
        window.services.safety._timer.timeout.emit()
        window.services.saving.runner.finish()
    assert len(told(window, "The disk is full: photo0.json could not be written.")) == 1
    assert window.services.safety._timer.isActive()
    disk.free()
    window.services.safety._timer.timeout.emit()
    window.wait(lambda: window.services.saving.state == "saved")
    assert not unsafe(window)
    assert not window.services.safety._timer.isActive()


def test_a_second_window_says_that_it_has_no_journal(window, folder, qtbot, qapp, engine):
    second = Driver(qtbot, qapp, engine).show()
    second.open(folder, current=folder / "photo0.png")
    assert told(second, "There is no recovery journal: this picture is open in another window.")
    assert "photo0.png has no recovery journal" in unsafe(second)
    assert not unsafe(window)
    window.open(folder / "photo1.png", current=folder / "photo1.png")
    second.services.safety.try_again()
    assert not unsafe(second)
    add(second)
    second.end()
    assert list(journal_dir().glob("photo0-*.journal"))


def test_a_home_that_cannot_be_written_is_told(own_home, disk, question, driver, folder):
    (own_home / "state").write_text("no folder", encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    assert told(driver, "There is no recovery journal")
    assert "photo0.png has no recovery journal" in unsafe(driver)
    add(driver)
    driver.save()
    (own_home / "state").unlink()
    driver.services.safety.try_again()
    assert not unsafe(driver)


def test_a_journal_that_was_deleted_keeps_nothing_and_is_not_promised(window, disk, question):
    add(window)
    window.save()
    disk.full_for_files = True
    for journal in journal_dir().glob("photo0-*"):
        journal.unlink()
    add(window, "two")
    question.answers = ["Stay"]
    assert not window.window.close()
    assert "would be lost:\n• photo0.png" in question.asked[0]


def test_a_damaged_journal_is_told(window, folder):
    workspace = Workspace(folder)
    document = open_document(folder / "photo1.png", workspace.load(folder / "photo1.png"), journal_dir())
    recorder = document.recorder
    assert isinstance(recorder, Journal)
    for name in ("a", "b", "c"):
        document.add(Instance(name, "leaf", TRIANGLE))
    document.close()
    lines = recorder.file.read_bytes().splitlines(keepends=True)
    recorder.file.write_bytes(lines[0] + lines[1] + b"#" + lines[2] + lines[3])
    window.trigger("next_picture")
    window.wait_for_picture(folder / "photo1.png")
    assert told(window, "The recovery journal of photo1.png was damaged")
    assert len(window.document.annotation.instances) == 1


def test_what_only_journals_hold_is_exported_too(window, disk, folder, tmp_path):
    path = folder / "photo2.png"
    document = open_document(path, Workspace(folder).load(path), journal_dir())
    document.add(Instance("left", "leaf", TRIANGLE))
    document.close()
    add(window)  # and is not saved yet
    export = ExportDialog(window.services.exporting, window.services.pictures, window.window)
    export.target.line.setText(str(tmp_path / "exported"))
    export.go.click()
    window.wait(lambda: not export.verdict.isHidden())
    assert "2 objects" in export.verdict.text()
    export.deleteLater()


def test_what_cannot_be_saved_first_is_told_in_the_report_of_an_export(window, disk, folder, tmp_path):
    add(window)
    window.save()
    disk.full_for_files = True
    add(window, "two")
    window.services.saving.runner.finish()
    disk.full_for_files = False  # there is room where it is exported to
    window.services.saving.set_autosave(False)
    export = ExportDialog(window.services.exporting, window.services.pictures, window.window)
    export.target.line.setText(str(tmp_path / "exported"))
    export.go.click()
    window.wait(lambda: not export.verdict.isHidden())
    assert "1 objects" in export.verdict.text()
    assert "photo0.png" in export.report.toPlainText()
    assert "what is not saved yet is not exported" in export.report.toPlainText()
    export.deleteLater()
