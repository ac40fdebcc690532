from __future__ import annotations

import pytest

from converters.files.project_mark import is_project_file
from converters.formats.format import walk
from converters.formats.registry import readable_formats, sniff
from converters.formats.sniffing import guess_format

PROJECT = b'{"seedhue_project": 1, "labels": [], "shapes": [], "images": []}'


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("seedhue.json", PROJECT, True),
        ("SeedHue.JSON", PROJECT, True),
        (".seedhue.json", PROJECT, True),
        ("seedhue.json", PROJECT[:-9], True),
        ("seedhue.json", b'{"shapes": [], "seedhue": {}}', False),
        ("seedhue.json", b"", False),
        ("seedhue.json", b'{"shapes": [], "flags": {"seedhue_project": true}}', False),
        ("other.json", PROJECT, False),
    ],
)
def test_name_and_content_decide(tmp_path, name, content, answer):
    file = tmp_path / name
    file.write_bytes(content)
    assert is_project_file(file) is answer


def test_what_is_no_file_is_none(tmp_path):
    (tmp_path / "seedhue.json").mkdir()
    assert not is_project_file(tmp_path / "seedhue.json")
    assert not is_project_file(tmp_path / "nowhere" / "seedhue.json")


def test_it_is_of_no_format_and_not_among_a_folder_s_files(tmp_path):
    (tmp_path / "seedhue.json").write_bytes(PROJECT)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "seedhue.json").write_bytes(b'{"shapes": []}')
    assert guess_format(tmp_path / "seedhue.json", readable_formats()) is None
    assert walk(tmp_path) == [tmp_path / "sub" / "seedhue.json"]
    assert sniff(tmp_path).name == "labelme"
