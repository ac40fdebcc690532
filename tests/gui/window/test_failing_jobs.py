"""Whatever fails in a worker's thread: it is told, and nothing in the window goes on moving or counting."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QProgressBar

from app.dialogs.transfer import ExportDialog
from converters.annotation import Instance, Mask
from tests.gui.window.color_segmenter import ColorEncoding
from tests.gui.window.conftest import write_picture


def square(number):
    return Instance(str(number), "disc", Mask(20 + 40 * number, 20, np.ones((30, 30), bool)))


@pytest.fixture
def opened(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    driver.document.add(square(0), square(1))
    driver.session.select(("0",))
    driver.save()
    return driver


def moving(driver):
    """The progress bars that can be seen."""
    widgets = [driver.window, *QApplication.topLevelWidgets()]
    return [bar for widget in widgets for bar in widget.findChildren(QProgressBar) if bar.isVisible()]


def snap(driver):
    driver.trigger("snap_to_superpixels")


def show_superpixels(driver):
    driver.session.set_tool("superpixel")


def export(driver):
    dialog = ExportDialog(driver.services.exporting, driver.services.pictures, driver.window)
    dialog.show()
    dialog.go.click()
    assert dialog.progress.isVisible()


def train(driver):
    driver.trigger("train")
    driver.services.training.start(minutes=1)
    assert driver.window.status.training.isVisible()


JOBS = {
    "find objects": (lambda d: d.services.segmentation.runner, lambda d: d.trigger("auto")),
    "similar": (lambda d: d.services.segmentation.runner, lambda d: d.trigger("select_similar")),
    "open": (lambda d: d.services.pictures.runner, lambda d: d.trigger("next_picture")),
    "save": (lambda d: d.services.saving.runner, lambda d: d.document.add(square(2))),
    "snap": (lambda d: d.window.snapping._runner, snap),
    "superpixels": (lambda d: d.window.canvas.superpixels._runner, show_superpixels),
    "export": (lambda d: d.services.exporting.runner, export),
    "train": (lambda d: d.services.training.runner, train),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_fails_is_told_and_nothing_goes_on_moving(opened, job, monkeypatch):
    runner_of, begin = JOBS[job]
    runner, told = runner_of(opened), len(opened.titles())

    def fail(*_arguments):
        raise RuntimeError(f"{job} is out of oil")

    with monkeypatch.context() as broken:  # closing the window saves again
        broken.setattr(runner._worker, "_work", fail)
        with opened.bot.waitSignal(runner.failed):
            begin(opened)
        opened.wait(lambda: not runner.is_busy)
    opened.wait(lambda: not moving(opened))
    assert any("out of oil" in title for title in opened.titles()[told:])
    assert opened.window.status.busy.text() == ""
    assert not opened.window.status.training.isVisible()
    assert opened.window.canvas._busy is None


@pytest.fixture
def similar(opened):
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_M)
    panel = opened.window.docks.panels["similar"]
    opened.wait(lambda: panel.is_in_use)
    return panel


def test_one_picture_that_fails_costs_the_others_of_a_folder_nothing(opened, folder, monkeypatch):
    write_picture(folder / "photo3.png", shade=(40, 90, 200))
    opened.services.pictures.open_paths([folder])
    opened.wait(lambda: len(opened.services.pictures.paths) == 4)
    opened.wait_for_encoding()
    opened.document.add(square(2))
    opened.session.select(("2",))
    opened.trigger("select_similar")
    panel = opened.window.docks.panels["similar"]
    opened.wait(lambda: panel.is_in_use)
    find, asked = ColorEncoding.find_similar, []

    def fail_once(self, *arguments, **facts):
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("cannot reshape array of size 0")
        return find(self, *arguments, **facts)

    monkeypatch.setattr(ColorEncoding, "find_similar", fail_once)
    panel.folder_box.setChecked(True)
    opened.wait(lambda: "Pictures that could not be searched: 1" in opened.titles())
    assert len(asked) == 3
    assert panel.progress.isHidden()
    assert "3 of 3" in panel.folder_summary.text()
    details = opened.services.notices.notices[-1].details
    assert "photo1.png: cannot reshape" in details


def test_a_search_without_an_answer_ends(opened, similar, monkeypatch):
    """Another model than the one that described what is looked for."""
    from app.process.stopping import Stopped

    def stop(*_arguments):
        raise Stopped

    monkeypatch.setattr(opened.services.segmentation.runner._worker, "_work", stop)
    similar.folder_box.setChecked(True)
    opened.wait(lambda: similar.progress.isHidden())
    assert not moving(opened)
