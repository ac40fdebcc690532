"""What goes wrong is told in the notification centre, and nothing is lost or overwritten."""

from __future__ import annotations

import errno
import json
import os
import struct
import threading
import zlib

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from converters.annotation import Instance, Polygon
from converters.formats.labelme.document import read_labelme
from tests.gui.window.conftest import write_picture

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))


def add_object(driver, name="one"):
    driver.document.add(Instance(name, "thing", TRIANGLE))


def wait_for_notice(driver, part):
    driver.wait(lambda: any(part in title for title in driver.titles()))
    return next(notice for notice in driver.services.notices.notices if part in notice.title)


def huge_png(path):
    """A PNG whose header claims 40 000 x 40 000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


def test_damaged_pictures_are_told_and_do_not_block_the_way(driver, folder):
    whole = write_picture(folder / "photo1.jpg").read_bytes()
    (folder / "photo1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "photo1.png").write_text("this is not a picture", encoding="utf-8")
    huge_png(folder / "photo1b.png")
    driver.show().open(folder, current=folder / "photo0.png")
    for name in ("photo1.jpg", "photo1.png", "photo1b.png"):
        driver.trigger("next_picture")
        notice = wait_for_notice(driver, name)
        assert notice.level == "error"
        assert notice.details
        assert driver.window.toast.isVisible()
        assert driver.document.path == folder / "photo0.png"
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo2.png")
    assert driver.window.picture_model.count_states()["broken"] == 3


def test_empty_folder(driver, tmp_path):
    (tmp_path / "empty").mkdir()
    driver.show()
    driver.services.pictures.open_path(tmp_path / "empty")
    notice = wait_for_notice(driver, "empty")
    assert "no pictures" in notice.title
    assert notice.remedy
    assert driver.window.centre.currentWidget() is driver.window.start_page


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_forbidden_folder(driver, folder):
    folder.chmod(0)
    try:
        driver.show()
        driver.services.pictures.open_path(folder)
        assert wait_for_notice(driver, "cannot be read").remedy
    finally:
        folder.chmod(0o755)


def test_json_cut_in_half_is_never_overwritten_unasked(driver, folder):
    label_file = folder / "photo0.json"
    driver.show().open(folder, current=folder / "photo0.png")
    add_object(driver)
    driver.save()
    driver.window.services.pictures.open_path(folder / "photo1.png")
    driver.wait_for_picture(folder / "photo1.png")
    half = label_file.read_bytes()[:100]
    label_file.write_bytes(half)
    for journal in (driver.services.pictures._journal_dir).glob("*"):
        journal.unlink()
    driver.trigger("previous_picture")
    driver.wait_for_picture(folder / "photo0.png")
    notice = wait_for_notice(driver, "photo0.json")
    assert driver.services.saving.state == "read-only"
    add_object(driver, "two")
    driver.trigger("save")
    driver.services.saving.save_now()  # as autosave does
    driver.services.saving.runner.finish()
    assert label_file.read_bytes() == half
    notice.retry()
    driver.wait(lambda: driver.services.saving.state == "saved")
    assert [i.id for i in read_labelme(label_file).instances][-1] == "two"
    kept = [path for path in folder.iterdir() if "damaged" in path.name]
    assert [path.read_bytes() for path in kept] == [half]


def test_labels_of_a_picture_of_another_size(driver, folder):
    document = {
        "version": "5.0.0", "flags": {}, "shapes": [], "imagePath": "photo0.png", "imageData": None,
        "imageHeight": 999, "imageWidth": 999,
    }  # fmt: skip
    (folder / "photo0.json").write_text(json.dumps(document), encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    wait_for_notice(driver, "photo0.json")
    assert driver.services.saving.state == "read-only"
    assert json.loads((folder / "photo0.json").read_text(encoding="utf-8")) == document


def test_objects_made_for_a_picture_that_is_gone_are_not_shown_without_a_word(driver, folder):
    shape = {"label": "leaf", "points": [[5, 5], [40, 5], [20, 40]], "shape_type": "polygon", "flags": {}}
    document = {
        "version": "5.0.0",
        "flags": {},
        "shapes": [shape],
        "imagePath": "photo0.jpg",
        "imageData": None,
    }
    (folder / "photo0.json").write_text(json.dumps(document), encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    assert len(driver.document.annotation.instances) == 1
    assert "The objects of photo0.png were made for photo0.jpg." in driver.titles()


def test_full_disk_is_told_and_retry_saves(driver, folder, monkeypatch):
    driver.show().open(folder, current=folder / "photo0.png")
    real = os.fsync
    full = threading.Event()
    full.set()

    def fsync(descriptor):
        if full.is_set() and threading.current_thread() is not threading.main_thread():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    add_object(driver)
    driver.services.saving.save_now()
    driver.wait(lambda: driver.services.saving.state == "failed")
    notice = driver.services.notices.notices[-1]
    assert "disk is full" in f"{notice.title} {notice.remedy}"
    assert notice.retry_title == "Retry"
    assert not (folder / "photo0.json").exists()
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]
    assert driver.window.status.saved.text() == "Not saved: error"
    full.clear()
    QTest.mouseClick(driver.window.toast._retry, Qt.MouseButton.LeftButton)
    driver.wait(lambda: driver.services.saving.state == "saved")
    assert len(read_labelme(folder / "photo0.json").instances) == 1


def test_change_by_another_program_is_not_overwritten(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    add_object(driver)
    driver.save()
    label_file = folder / "photo0.json"
    foreign = label_file.read_text(encoding="utf-8").replace("thing", "other thing")
    label_file.write_text(foreign, encoding="utf-8")
    add_object(driver, "two")
    driver.services.saving.save_now()
    notice = wait_for_notice(driver, "another program")
    assert label_file.read_text(encoding="utf-8") == foreign
    notice.retry()
    driver.wait(lambda: driver.services.saving.state == "saved")
    assert len(read_labelme(label_file).instances) == 2
    assert any(path.read_text(encoding="utf-8") == foreign for path in folder.glob("photo0.json.*"))


def test_missing_model_is_told_once_and_the_window_works(qtbot, qapp, folder):
    from app.workers.inference import InferenceEngine
    from app.workers.requests import LoadModel, ModelChoice
    from tests.gui.window.conftest import Driver

    def load(name, *, weights=None):
        raise ValueError("the weights file is missing")

    engine = InferenceEngine(load, lambda request: (ModelChoice("x", "X", LoadModel("x"), True),))
    driver = Driver(qtbot, qapp, engine).show()
    driver.open(folder, current=folder / "photo0.png")
    wait_for_notice(driver, "the weights file is missing")
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    driver.wait(lambda: not driver.services.segmentation.runner.is_busy)
    assert len(driver.titles()) == 1
    driver.end()


def test_notification_centre_shows_details_to_copy(driver, qapp):
    driver.show()
    driver.services.notices.post("error", "It broke.", remedy="Mend it.", details="line 7")
    assert driver.window.status.bell.text() == "1"
    driver.trigger("notifications")
    dialog = driver.window.dialogs._notifications
    assert dialog.title.text() == "It broke."
    assert dialog.remedy.text() == "Mend it."
    QTest.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert "line 7" in qapp.clipboard().text()
    assert driver.window.status.bell.text() == ""
    dialog.close()


def test_uncaught_exception_of_a_thread_reaches_the_centre(driver, monkeypatch):
    driver.show()
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    driver.services.notices.catch_exceptions()
    try:

        def fail():
            raise RuntimeError("loose screw")

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        notice = wait_for_notice(driver, "loose screw")
        assert "RuntimeError" in notice.details
    finally:
        driver.services.notices.release_exceptions()
