"""A line break in a label or a name shifts nothing in formats with an entry a line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from converters.annotation import Box, ImageAnnotation, Instance
from converters.conversion.convert import convert, read_label_list
from converters.files.lines import line_list, lines_of
from converters.formats.labelme.document import read_labelme, write_labelme
from converters.formats.registry import FORMATS
from converters.report import Report
from tests.foreign_files import HEIGHT, WIDTH, picture

BREAKS = ["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
LABELS = ["apple", *(f"b{n}{mark}b" for n, mark in enumerate(BREAKS)), "cat", "zebra"]
ONE_LINE = ["apple", *(f"b{n} b" for n, _ in enumerate(BREAKS)), "cat", "zebra"]


@pytest.fixture
def source(tmp_path):
    """Pictures with an object of every label, its column telling which; a picture's name has a break, too."""
    folder = tmp_path / "in"
    for name in ("a", "b\nc", "d"):
        picture(folder / f"{name}.png")
        instances = tuple(
            Instance(f"{n}", label, Box(4 * n, 2, 4 * n + 2, 20)) for n, label in enumerate(LABELS)
        )
        write_labelme(folder / f"{name}.json", ImageAnnotation(f"{name}.png", HEIGHT, WIDTH, instances))
    return folder


def converted(source, tmp_path, name):
    target = tmp_path / name
    done = convert(source, target, source_format="labelme", target_format=name, processes=1)
    assert not done.failures
    assert done.report.pictures == 3
    told = {entry.label for entry in done.report if "line break" in entry.reason}
    return target, told


def numbers_of(file):
    indices = np.asarray(Image.open(file))
    return [int(indices[10, 4 * n + 1]) for n in range(len(LABELS))]


def test_masks_of_class_numbers(source, tmp_path):
    target, told = converted(source, tmp_path, "masks-indexed")
    names = (target / "labels.txt").read_bytes().decode().splitlines()
    assert names == ["_background_", *ONE_LINE]
    assert [names[number] for number in numbers_of(target / "masks" / "a.png")] == ONE_LINE
    assert told == set(LABELS) - set(ONE_LINE)
    back = tmp_path / "back"
    convert(target, back, source_format="masks", target_format="labelme", processes=1)
    (file,) = [file for file in back.rglob("*.json") if file.stem == "a"]
    assert sorted(instance.label for instance in read_labelme(file).instances) == sorted(ONE_LINE)


def test_json_to_dataset(source, tmp_path):
    target, told = converted(source, tmp_path, "json-to-dataset")
    names = (target / "a_json" / "label_names.txt").read_bytes().decode().splitlines()
    assert names == ["_background_", *ONE_LINE]
    assert [names[number] for number in numbers_of(target / "a_json" / "label.png")] == ONE_LINE
    assert told == set(LABELS) - set(ONE_LINE)


def test_voc(source, tmp_path):
    target, told = converted(source, tmp_path, "voc")
    assert (target / "class_names.txt").read_bytes().decode().splitlines() == ["_background_", *ONE_LINE]
    listed_names = (target / "ImageSets" / "Main" / "trainval.txt").read_bytes().decode().splitlines()
    assert sorted(listed_names) == ["a", "b c", "d"]
    for name in listed_names:
        assert (target / "Annotations" / f"{name}.xml").is_file()
    assert told == set(LABELS) - set(ONE_LINE)


@pytest.mark.parametrize("name", ["yolo", "yolo-detect"])
def test_yolo_keeps_every_label_as_it_is(source, tmp_path, name):
    target, _ = converted(source, tmp_path, name)
    document = yaml.safe_load((target / "data.yaml").read_text(encoding="utf-8"))
    assert list(document["names"].values()) == LABELS
    rows = (target / "labels" / "a.txt").read_text(encoding="utf-8").splitlines()
    assert [int(row.split()[0]) for row in rows] == list(range(len(LABELS)))


def test_lists_that_other_programs_wrote_keep_their_numbers(tmp_path):
    assert lines_of("a\nb\x85b\r\nc\u2028c\rd\n\ne") == ["a", "b\x85b", "c\u2028c", "d", "", "e"]
    assert lines_of(line_list(LABELS)) == ONE_LINE
    assert read_label_list("cat\n__ignore__\ndog\u2028puppy\n") == ["cat", "dog\u2028puppy"]


def test_lines_of_json_may_hold_any_break_but_a_newline(tmp_path):
    row = {
        "data_row": {"external_id": "a.png"},
        "media_attributes": {"width": WIDTH, "height": HEIGHT},
        "projects": {"p": {"labels": [{"annotations": {"objects": [
            {"feature_id": "1", "name": "a\u2028b\x85c", "point": {"x": 1, "y": 2}}
        ]}}]}},
    }  # fmt: skip
    file = tmp_path / "a.ndjson"
    file.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    read = FORMATS["labelbox"].read
    assert read is not None
    (found,) = read(file, tmp_path, Report())
    assert [instance.label for instance in found.instances] == ["a\u2028b\x85c"]
