"""What a killed program leaves in a folder is known by its name and swept; what is being written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converters.files import temporary_files
from converters.files.files import write_atomic
from converters.files.names import MAX_NAME_BYTES, fitting_name
from converters.files.temporary_files import open_temporary, sweep_temporary

ROOT = Path(__file__).resolve().parents[4]

WRITER = """
import os, sys, time
from converters.files.files import write_atomic

def hang(descriptor):
    print("written", flush=True)
    time.sleep(60)

os.fsync = hang
write_atomic(sys.argv[1], b"x" * 1000)
"""


def grow_old(folder, seconds=2.0):
    then = time.time() - seconds
    for file in folder.iterdir():
        os.utime(file, (then, then))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_what_a_killed_writer_leaves_is_swept_and_what_a_live_one_writes_is_not(tmp_path):
    target = tmp_path / "photo.json"
    command = [sys.executable, "-c", WRITER, str(target)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        (left,) = tmp_path.iterdir()
        assert left.name.startswith(".seedhue-")
        assert left.suffix == ".tmp"
        grow_old(tmp_path)
        assert sweep_temporary(tmp_path) == 0
        writer.send_signal(signal.SIGKILL)
    assert left.exists()
    assert sweep_temporary(tmp_path) == 1
    assert not list(tmp_path.iterdir())
    assert sweep_temporary(tmp_path / "nowhere") == 0


def test_only_our_own_old_temporary_files_are_swept(tmp_path):
    names = (".photo.json.ab12cd34.tmp", "seedhue-00000000-x.tmp", ".seedhue.json", ".seedhue-00000000-x.tmp")
    for name in names:
        (tmp_path / name).touch()
    grow_old(tmp_path, 3600)
    assert sweep_temporary(tmp_path) == 0  # the last one is another computer's
    grow_old(tmp_path, 2 * 86_400)
    assert sweep_temporary(tmp_path) == 1
    descriptor, _path = open_temporary(tmp_path)
    os.close(descriptor)
    assert sweep_temporary(tmp_path) == 0  # just made, perhaps not locked yet


def test_where_files_cannot_be_locked_only_very_old_ones_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary_files, "try_lock", lambda _descriptor: None)
    descriptor, _path = open_temporary(tmp_path)
    os.close(descriptor)
    grow_old(tmp_path, 3600)
    assert sweep_temporary(tmp_path) == 0
    grow_old(tmp_path, 2 * 86_400)
    assert sweep_temporary(tmp_path) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_an_interrupted_write_leaves_nothing(tmp_path, durable):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x.json", "{}", durable=durable, before_replacing=interrupt)
    assert not list(tmp_path.iterdir())
    write_atomic(tmp_path / "x.json", "{}", durable=durable)
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_names_fit_by_their_bytes():
    assert fitting_name("photo", ".json") == "photo.json"
    names = {fitting_name(stem, ".json") for stem in ("图" * 90, "图" * 91, "x" * 251, "x" * 252)}
    assert len(names) == 4
    assert all(len(name.encode()) <= MAX_NAME_BYTES and name.endswith(".json") for name in names)
    assert fitting_name("x" * 250, ".json") == "x" * 250 + ".json"
