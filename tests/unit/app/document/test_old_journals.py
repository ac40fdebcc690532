"""Which journals hold unsaved work, and which are deleted: never one that somebody may still need."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from app.document.journal import journal_file
from app.document.old_journals import KEEP_DAYS, prune_journals, unsaved_pictures
from app.document.recovery import open_document
from tests.unit.app.pictures import instance, picture, square

if TYPE_CHECKING:
    from pathlib import Path


def worked_on(path: Path, journals: Path, how: str) -> Path:
    """A picture whose journal ends in that way."""
    path.write_bytes(b"x")
    document = open_document(path, picture(instance("a")), journals)
    document.relabel(["a"], "cat")
    if how in ("saved", "undone after saving", "redone"):
        document.mark_saved()
    if how in ("undone", "undone after saving", "redone"):
        document.undo()
    if how == "redone":
        document.redo()
    if how == "saved late":
        state = document.state
        document.relabel(["a"], "dog")
        document.mark_saved(state)
    if how == "saved, much":
        document.add(*(instance(f"i{number}", square(number, 9)) for number in range(900)))
        document.mark_saved()
    document.close()
    return path


HOW = {
    "saved": True,
    "undone": True,
    "redone": True,
    "saved, much": True,
    "unsaved": False,
    "undone after saving": False,
    "saved late": False,
}


def grow_old(folder: Path, days: float = KEEP_DAYS + 1) -> None:
    then = time.time() - days * 86400
    for file in folder.iterdir():
        os.utime(file, (then, then))


def test_unsaved_work_is_found_and_never_pruned(tmp_path, folder):
    photos = {how: worked_on(tmp_path / f"{how}.png", folder, how) for how in HOW}
    unsaved = [photos[how] for how, saved in HOW.items() if not saved]
    assert list(unsaved_pictures(photos.values(), folder)) == unsaved
    assert list(unsaved_pictures([tmp_path / "other.png"], folder)) == []
    assert list(unsaved_pictures(photos.values(), tmp_path / "nowhere")) == []

    assert prune_journals(folder) == 0
    grow_old(folder, KEEP_DAYS - 1)
    assert prune_journals(folder) == 0
    grow_old(folder)
    for path in photos.values():
        path.unlink()  # that the picture is gone is no reason to throw work away
    assert prune_journals(folder) == sum(HOW.values())
    assert sorted(folder.iterdir()) == sorted(journal_file(path, folder) for path in unsaved)
    assert prune_journals(tmp_path / "nowhere") == 0


@pytest.mark.parametrize("damage", [b"", b"no journal\n"])
def test_a_journal_that_cannot_be_read_stays(tmp_path, folder, damage):
    file = journal_file(worked_on(tmp_path / "x.png", folder, "saved"), folder)
    file.write_bytes(damage)
    grow_old(folder)
    assert prune_journals(folder) == 0
    assert list(unsaved_pictures([tmp_path / "x.png"], folder)) == []


def test_a_journal_with_a_torn_end_stays(tmp_path, folder):
    file = journal_file(worked_on(tmp_path / "x.png", folder, "saved"), folder)
    with file.open("ab") as stream:
        stream.write(b'["0000')
    grow_old(folder)
    assert prune_journals(folder) == 0
    assert file.exists()


def test_a_journal_that_is_open_stays_and_goes_on(tmp_path, folder):
    path = worked_on(tmp_path / "x.png", folder, "saved")
    document = open_document(path, picture(instance("a", label="cat")), folder)
    assert not document.is_modified
    grow_old(folder)
    assert prune_journals(folder) == 0
    document.relabel(["a"], "dog")
    document.close()
    assert list(unsaved_pictures([path], folder)) == [path]


def test_whoever_waits_for_it_to_end_can_stop_it(tmp_path, folder):
    path = worked_on(tmp_path / "x.png", folder, "unsaved")
    grow_old(folder)
    assert list(unsaved_pictures([path], folder, should_stop=lambda: True)) == []
    worked_on(tmp_path / "y.png", folder, "saved")
    grow_old(folder)
    assert prune_journals(folder, should_stop=lambda: True) == 0
