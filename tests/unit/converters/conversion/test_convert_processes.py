"""Several processes convert the same as one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from converters.conversion.convert import convert
from converters.formats.coco import instances as coco
from converters.formats.registry import FORMATS
from tests.foreign_files import SAMPLES
from tests.unit.converters.conversion.labelme_folders import dataset

if TYPE_CHECKING:
    from pathlib import Path


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("target", [name for name, each in FORMATS.items() if each.write])
def test_processes_change_nothing_that_is_written(tmp_path, target):
    source = dataset(tmp_path / "in", 12)
    reports = [
        convert(source, tmp_path / f"out{n}", target_format=target, processes=n).as_dict() for n in (1, 3)
    ]
    assert reports[0] == reports[1]
    one, three = files_of(tmp_path / "out1"), files_of(tmp_path / "out3")
    assert one
    assert one == three


@pytest.mark.parametrize("name", SAMPLES)
def test_processes_change_nothing_that_is_read(tmp_path, name):
    SAMPLES[name](tmp_path / "in" / "a")
    SAMPLES[name](tmp_path / "in" / "b")
    reports = [
        convert(
            tmp_path / "in", tmp_path / f"out{n}", source_format=name, target_format="labelme", processes=n
        ).as_dict()
        for n in (1, 2)
    ]
    assert reports[0] == reports[1]
    one, two = files_of(tmp_path / "out1"), files_of(tmp_path / "out2")
    assert one
    assert one == two


def test_workers_take_a_share_of_coco_in_both_directions(tmp_path, monkeypatch):
    source, count = dataset(tmp_path / "in", 60), {"written": 0, "read": 0}

    def counted(name, function):
        def call(*args, **options):
            count[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(coco, "write_segmentation", counted("written", coco.write_segmentation))
    convert(source, tmp_path / "coco.json", target_format="coco", processes=2)
    monkeypatch.setattr(coco, "read_geometry", counted("read", coco.read_geometry))
    convert(tmp_path / "coco.json", tmp_path / "back", target_format="labelme", processes=2)
    assert 0 < count["written"] < 180
    assert 0 < count["read"] < 180
    assert len(list((tmp_path / "back").rglob("*.json"))) == 60


def test_processes_start_beside_threads_too(tmp_path):
    source = dataset(tmp_path / "in", 26)
    results = []
    worker = threading.Thread(target=lambda: results.append(convert(source, tmp_path / "out", processes=2)))
    worker.start()
    worker.join()
    assert results[0].report.pictures == 26


def test_failures_survive_the_way_between_processes(tmp_path):
    source = dataset(tmp_path / "in", 26)
    (source / "cut.json").write_text("{")
    conversion = convert(source, tmp_path / "out", processes=2)
    assert [(f.path, f.where != "") for f in conversion.failures] == [(source / "cut.json", True)]
