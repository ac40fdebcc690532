"""Files survive what happens to disks, and names from files lead nowhere they should not."""

from __future__ import annotations

import errno
import os

import pytest

from converters.errors import ConverterError
from converters.files.files import json_text, natural_sort_key, read_json, read_text, safe_join, write_atomic


def test_new_and_replaced_files_hold_what_was_written(tmp_path):
    path = tmp_path / "a.json"
    write_atomic(path, "größe 大")
    assert path.read_text(encoding="utf-8") == "größe 大"
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_permissions_of_the_old_file_stay(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o640)
    write_atomic(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write_atomic(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, failing):
    path = tmp_path / "a.json"
    path.write_text("precious")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(ConverterError, match="disk is full"):
        write_atomic(path, "new")
    assert path.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConverterError, match="folder does not exist"):
        write_atomic(tmp_path / "no" / "a.json", "x")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "C:\\x", "..\\x", "", "  ", "a\0b", "x" * 5000, "link/x"]
)
def test_names_do_not_leave_the_folder(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    with pytest.raises(ConverterError):
        safe_join(inside, name)


@pytest.mark.parametrize("name", ["a.png", "sub/a.png", "sub\\a.png", "sub/../a.png", "..a.png"])
def test_names_inside_the_folder_are_followed(tmp_path, name):
    assert safe_join(tmp_path, name) == tmp_path / name.replace("\\", "/")


def test_numbers_in_names_count_as_numbers():
    names = ["img10.png", "Img2.png", "img1.png", "2", "10"]
    assert sorted(names, key=natural_sort_key) == ["2", "10", "img1.png", "Img2.png", "img10.png"]


def test_json_that_is_cut_off_says_so(tmp_path):
    path = tmp_path / "a.json"
    for text in ('{"shapes": [1, 2', '{"label": "per'):
        path.write_text(text)
        with pytest.raises(ConverterError, match=r"cut off.*left as it is") as caught:
            read_json(path)
        assert caught.value.path == path
        assert "line 1" in caught.value.where


@pytest.mark.parametrize("content", [b"", b"{]", b"\xff\xd8\xff\xe0", b"[" * 100_000, b"1" * 10_000])
def test_other_json_trouble_is_the_package_s_own_error(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ConverterError):
        read_json(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_understood(tmp_path, encoding):
    (tmp_path / "a").write_bytes("人 café".encode(encoding))
    assert read_text(tmp_path / "a") == "人 café"


def test_json_text_is_always_strict_utf8_json():
    assert json_text({"a": float("nan"), "b": "人"}) == '{"a": "nan", "b": "人"}'
    assert json_text("\ud800") == '"\\ud800"'
