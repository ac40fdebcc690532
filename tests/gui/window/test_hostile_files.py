"""Files that are no files, or lie about what is in them, in the window: told, and the way goes on."""

from __future__ import annotations

import json
import os

import pytest

from app.project.settings import Settings, SettingsStore
from app.workers.thumbnails import ThumbnailRequest, make_thumbnail
from converters.errors import ConverterError
from tests.gui.window.conftest import write_picture
from tests.gui.window.test_bad_input import wait_for_notice

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


def test_pipes_as_picture_and_label_file_do_not_hang_the_window(driver, folder):
    os.mkfifo(folder / "photo0a.png")
    os.mkfifo(folder / "photo1.json")
    driver.show().open(folder, current=folder / "photo0.png")
    driver.trigger("next_picture")
    assert "named pipe" in wait_for_notice(driver, "photo0a.png").title
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo1.png")
    assert "named pipe" in wait_for_notice(driver, "photo1.json").title
    assert driver.services.saving.state == "read-only"
    driver.services.pictures.open_path(folder / "photo1.json")  # dropped, or on the command line
    driver.wait(lambda: sum("named pipe" in title for title in driver.titles()) >= 3)
    driver.trigger("next_picture")
    driver.wait_for_picture(folder / "photo2.png")
    with pytest.raises(ConverterError, match="named pipe"):
        make_thumbnail(ThumbnailRequest(folder / "photo0a.png", 64), lambda: False, lambda event: None)


def test_a_label_file_nested_too_deeply_is_told_and_left_alone(driver, folder):
    text = json.dumps({"shapes": [], "imagePath": "photo0.png", "note": "#"}).replace(
        '"#"', "[" * 300 + "]" * 300
    )
    (folder / "photo0.json").write_text(text, encoding="utf-8")
    driver.show().open(folder, current=folder / "photo0.png")
    notice = wait_for_notice(driver, "photo0.json")
    assert "301 levels of nesting, 101 more than the 200" in notice.title
    assert (folder / "photo0.json").read_text(encoding="utf-8") == text


def test_a_pipe_as_settings_file_does_not_hang_the_start(tmp_path):
    os.mkfifo(tmp_path / "settings.json")
    store = SettingsStore(tmp_path / "settings.json")
    assert store.settings == Settings()
    assert "named pipe" in store.problem


def test_a_thumbnail_is_upright_and_small(tmp_path):
    image = make_thumbnail(
        ThumbnailRequest(write_picture(tmp_path / "a.png", size=(300, 400)), 64),
        lambda: False,
        lambda event: None,
    )
    assert (image.width(), image.height()) == (64, 48)
