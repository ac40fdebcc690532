"""The commands convert and json-to-dataset, as a shell sees them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

from app.commands.convert import add_parsers, labelme_json_to_dataset
from app.document.recovery import open_document
from app.project.folders import journal_dir
from app.project.workspace import Workspace
from tests.foreign_files import SAMPLES


def run(*arguments) -> int:
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers(required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    return args.handler(args)


def test_convert_sniffs_converts_and_reports(tmp_path, capsys):
    SAMPLES["via"](tmp_path / "in")
    report = tmp_path / "report.json"
    assert run("convert", tmp_path / "in", tmp_path / "out", "--to", "coco", "--report", report) == 0
    assert "via to coco" in capsys.readouterr().out
    assert (tmp_path / "out" / "instances.json").is_file()
    assert json.loads(report.read_text())["dropped"] >= 2


def test_work_that_is_not_saved_yet_is_told(tmp_path, capsys):
    SAMPLES["labelme"](tmp_path / "in")
    assert run("convert", tmp_path / "in", tmp_path / "out") == 0
    assert "not saved" not in capsys.readouterr().err
    (photo,) = (path for path in (tmp_path / "in").iterdir() if path.suffix != ".json")
    document = open_document(photo, Workspace(photo).load(photo), journal_dir())
    document.remove([instance.id for instance in document.annotation.instances])
    document.close()
    assert run("convert", tmp_path / "in", tmp_path / "again") == 0
    assert f"{photo}: there is work that is not saved yet" in capsys.readouterr().err


def test_convert_answers_in_json(tmp_path, capsys):
    SAMPLES["labelme"](tmp_path / "in")
    assert run("convert", tmp_path / "in", tmp_path / "out", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["from"], answer["to"], answer["pictures"]) == ("labelme", "coco", 1)


def test_convert_takes_lists_maps_and_splits(tmp_path, capsys):
    for number in range(4):
        SAMPLES["labelme"](tmp_path / "in" / f"{number}")
    (tmp_path / "labels.txt").write_text("animal\n")
    (tmp_path / "map.txt").write_text("cat = animal\n")
    code = run(
        "convert", tmp_path / "in", tmp_path / "out", "--to", "yolo", "--labels", tmp_path / "labels.txt",
        "--map", tmp_path / "map.txt", "--val", "0.5", "--seed", "3", "--group", r"^\d",
    )  # fmt: skip
    assert code == 0
    assert 'names:\n  0: "animal"' in (tmp_path / "out" / "data.yaml").read_text()
    assert len(list((tmp_path / "out" / "labels" / "val").rglob("*.txt"))) == 2


def test_exit_codes(tmp_path, capsys):
    SAMPLES["labelme"](tmp_path / "in")
    assert run("convert", tmp_path / "in") == 2
    assert run("convert", tmp_path / "in", tmp_path / "o", "--to", "nonsense") == 2
    assert run("convert", tmp_path / "in", tmp_path / "o", "--val", "7") == 2
    assert run("convert", tmp_path / "in", tmp_path / "o", "--labels", tmp_path / "none.txt") == 2
    assert run("convert", tmp_path / "none", tmp_path / "o") == 1
    (tmp_path / "in" / "cut.json").write_text("{")
    assert run("convert", tmp_path / "in", tmp_path / "o") == 1
    assert (tmp_path / "o" / "instances.json").is_file()
    with pytest.raises(SystemExit) as caught:
        run("convert", "--nonsense")
    assert caught.value.code == 2


def test_the_formats_can_be_listed(capsys):
    assert run("convert", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["coco", "RW"] for line in lines)
    assert run("convert", "--list", "--json") == 0
    assert {"name": "labelbox", "title": "Labelbox NDJSON", "read": True, "write": False} in json.loads(
        capsys.readouterr().out
    )


def test_json_to_dataset(tmp_path, capsys):
    file = SAMPLES["labelme"](tmp_path / "in")
    assert run("json-to-dataset", file) == 0
    assert (tmp_path / "in" / "a_json" / "info.yaml").is_file()
    assert run("json-to-dataset", file, "-o", tmp_path / "one", "--no-info", "--json") == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["folder"], answer["instances"], answer["entries"]) == (str(tmp_path / "one"), 1, [])
    assert not (tmp_path / "one" / "info.yaml").exists()
    assert run("json-to-dataset", tmp_path / "in", "-o", tmp_path / "all") == 0
    assert (tmp_path / "all" / "a_json" / "label.png").is_file()
    assert run("json-to-dataset", tmp_path / "none.json") == 1


def test_one_file_tells_what_it_lost(tmp_path, capsys):
    file = SAMPLES["labelme"](tmp_path / "in")
    document = json.loads(file.read_text())
    document["shapes"].append({"label": "cat", "points": [], "shape_type": "polygon"})
    file.write_text(json.dumps(document))
    assert run("json-to-dataset", file, "--report", tmp_path / "report.txt") == 0
    saved, lost = capsys.readouterr().out.splitlines()
    assert saved == f"Saved to: {tmp_path / 'in' / 'a_json'}"
    assert "object 1 dropped: not readable in the source" in lost
    assert lost in (tmp_path / "report.txt").read_text(encoding="utf-8").splitlines()


def test_reports_hold_the_failures_too(tmp_path, capsys):
    SAMPLES["labelme"](tmp_path / "in")
    (tmp_path / "in" / "cut.json").write_text("{")
    for name in ("report.json", "report.txt"):
        assert run("convert", tmp_path / "in", tmp_path / "o", "--report", tmp_path / name) == 1
        assert "cut.json" in (tmp_path / name).read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text())["from"] == "labelme"


@pytest.mark.parametrize("number", ["0", "-2", "many"])
def test_a_wrong_number_of_processes_is_refused(tmp_path, number):
    with pytest.raises(SystemExit) as caught:
        run("convert", tmp_path, tmp_path / "o", "--processes", number)
    assert caught.value.code == 2


def test_the_old_command_still_runs(tmp_path, capsys):
    file = SAMPLES["labelme"](tmp_path / "in")
    assert labelme_json_to_dataset([str(file)]) == 0
    assert sorted(p.name for p in (tmp_path / "in" / "a_json").iterdir()) == [
        "img.png", "info.yaml", "instances.png", "label.png", "label_names.txt", "label_viz.png", "masks.npz",
    ]  # fmt: skip
    assert labelme_json_to_dataset([str(file), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "label.png").is_file()
    assert labelme_json_to_dataset([str(tmp_path / "in"), "--out", str(tmp_path / "many")]) == 0
    with pytest.raises(SystemExit) as caught:
        labelme_json_to_dataset([])
    assert caught.value.code == 2


def test_neither_qt_nor_torch_is_needed(tmp_path):
    file = SAMPLES["labelme"](tmp_path / "in")
    program = (
        "import sys\nfrom app.commands.convert import labelme_json_to_dataset\n"
        f"assert labelme_json_to_dataset([{str(file)!r}]) == 0\n"
        "assert not {'torch', 'PySide6'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
