"""The list of pictures: thumbnails come by themselves, names can be told apart, a filter explains itself."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import QTimer
from PySide6.QtGui import QFontMetrics

from app.panels.controls import elided_name
from app.panels.pictures import _shared_with_neighbours
from app.workers.task import TaskRunner
from converters.annotation import Instance, Polygon
from tests.gui.window.conftest import write_picture


@pytest.fixture
def late_ends(monkeypatch):
    """Work is forgotten a little after its result has arrived, as on a busy machine."""
    forget = TaskRunner._forget

    def forget_later(self, task):
        QTimer.singleShot(2, self, lambda: forget(self, task))

    monkeypatch.setattr(TaskRunner, "_forget", forget_later)


def test_every_thumbnail_comes_without_the_mouse(late_ends, driver, tmp_path):
    first = write_picture(tmp_path / "p00.png")
    for number in range(1, 10):
        (tmp_path / f"p{number:02}.png").write_bytes(first.read_bytes())
    for name in ("p03.png", "p04.png", "p08.png"):
        (tmp_path / name).write_bytes(first.read_bytes()[:60])
    driver.show().open(tmp_path, current=first)
    model = driver.window.picture_model
    driver.wait(lambda: sum(pixmap is not None for pixmap in model._pixmaps.values()) == 7, timeout=5000)
    driver.wait(lambda: model.count_states()["broken"] == 3, timeout=5000)


def test_names_are_cut_where_they_are_alike(qapp):
    metrics = QFontMetrics(qapp.font())
    room = metrics.horizontalAdvance("…001234.jpg")
    assert elided_name("short.jpg", 0, metrics, room) == "short.jpg"
    assert elided_name("000000001234.jpg", 10, metrics, room).endswith("1234.jpg")
    assert elided_name("000000001234.jpg", 10, metrics, room).startswith("…0")
    alone = elided_name("a name that is like no other one.jpg", 0, metrics, room)
    assert alone[0] == "a"
    assert "…" in alone


def test_rows_of_the_list_can_be_told_apart(driver, tmp_path):
    first = write_picture(tmp_path / "000000000000581921.jpg")
    for number in (582044, 582107, 583009):
        (tmp_path / f"000000000000{number}.jpg").write_bytes(first.read_bytes())
    driver.show().open(tmp_path, current=first)
    proxy = driver.window.docks.panels["pictures"].proxy
    shared = [_shared_with_neighbours(proxy.index(row, 0)) for row in range(4)]
    assert shared == [14, 15, 15, 14]


def test_a_filter_that_matches_nothing_says_so(driver, tmp_path):
    first = write_picture(tmp_path / "p0.png")
    for number in range(1, 9):
        (tmp_path / f"p{number}.png").write_bytes(first.read_bytes())
    driver.show().open(tmp_path, current=first)
    driver.document.add(Instance("a", "leaf", Polygon(((10, 10), (50, 10), (30, 50)))))
    for key in ("pictures", "objects"):
        panel = driver.window.docks.panels[key]
        assert not panel.no_match.isVisible()
        panel.filter.setText("zebra")
        assert panel.no_match.isVisible()
        assert panel.no_match.text() == "Nothing matches “zebra”."
        panel.filter.clear()
        assert not panel.no_match.isVisible()
    driver.document.remove(["a"])
    assert not driver.window.docks.panels["objects"].no_match.isVisible()


@pytest.mark.parametrize("suffix", [".gif", ".tif"])
def test_files_of_several_pages_are_told_once(driver, folder, suffix):
    pages = [Image.new("L", (40, 30), shade) for shade in (0, 128)]
    pages[0].save(folder / f"pages{suffix}", save_all=True, append_images=pages[1:])
    pages[0].save(folder / f"single{suffix}")
    driver.show().open(folder, current=folder / f"pages{suffix}")
    told = f"pages{suffix} has several pages; only the first one is shown."
    assert driver.titles() == [told]
    for name in (f"single{suffix}", f"pages{suffix}"):
        driver.services.pictures.open_picture(folder / name)
        driver.wait_for_picture(folder / name)
    assert driver.titles() == [told]
