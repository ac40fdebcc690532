"""Torn, harmed and unwritable journals: what is lost is only what could not be kept."""

from __future__ import annotations

import errno
import json
import os
import random
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.document import journal as journal_module
from app.document.history import Recovery
from app.document.journal import journal_file
from app.document.journal_records import from_line, to_line
from app.document.journal_replay import JournalError, replay
from app.document.recovery import open_document
from tests.unit.app.pictures import instance, picture
from tests.unit.app.random_edits import random_edit

if TYPE_CHECKING:
    from app.document.document import Document
    from converters.annotation import ImageAnnotation


def journal_of_a_session(photo: Path, folder: Path) -> tuple[bytes, dict[int, ImageAnnotation]]:
    """A journal, and the state after each of its lengths at which an edit had returned."""
    document = open_document(photo, picture(instance("a")), folder)
    file, after, chance = journal_file(photo, folder), {}, random.Random(11)
    while len(after) < 60:
        random_edit(document, chance, save=False)
        if file.exists():
            after[file.stat().st_size] = document.annotation
    document.close()
    return file.read_bytes(), after


def test_cut_at_every_byte_no_committed_step_is_lost(photo, folder):
    content, after = journal_of_a_session(photo, folder)
    header = content.index(b"\n") + 1
    for length in range(header):
        with pytest.raises(JournalError):
            replay(content[:length])
    ends = sorted(after)
    # Records are lines, so between two line ends every cut tells the same: one in 41 is tried.
    for length in range(header, len(content) + 1):
        if length % 41 and length not in after and length + 1 not in after:
            continue
        found = replay(content[:length])
        committed = bisect_right(ends, length)
        # A slider drag is several lines; any of them may be the last one before the next edit's end.
        if length in after:
            assert found.annotation == after[length]
        elif committed:
            assert found.length >= ends[committed - 1]
        assert found.lost_lines == 0
        assert content[found.length - 1 : found.length] == b"\n"


def test_work_goes_on_behind_a_torn_line(photo, folder, opened):
    content, after = journal_of_a_session(photo, folder)
    base = picture(instance("a"))
    for length in random.Random(3).sample(sorted(after)[1:], 12):
        journal_file(photo, folder).write_bytes(content[: length + 9])
        document = opened(base)
        assert document.annotation == after[length]
        document.add(instance("later"))
        expected = document.annotation
        assert opened(base).annotation == expected


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_damage_in_the_middle_costs_what_follows_and_is_kept(photo, folder, opened, where):
    content, _after = journal_of_a_session(photo, folder)
    place = int(len(content) * where)
    harmed = content[:place] + b"#" + content[place + 1 :]
    file = journal_file(photo, folder)
    file.write_bytes(harmed)
    document = opened(picture(instance("a")))
    assert document.recovery.lost_lines > 0
    assert file.with_name(file.name + ".damaged").read_bytes() == harmed
    document.add(instance("later"))
    assert opened(picture(instance("a"))).recovery.lost_lines == 0


def test_a_file_that_is_no_journal_is_set_aside(photo, folder, opened):
    folder.mkdir()
    file = journal_file(photo, folder)
    file.write_bytes(b"something else\n")
    document = opened(picture(instance("a")))
    assert Path(document.recovery.set_aside).read_bytes() == b"something else\n"
    document.add(instance("b"))
    assert len(opened(picture(instance("a"))).annotation.instances) == 2


def test_with_a_damaged_annotation_file_the_journal_brings_its_work_back_unsaved(opened):
    document = opened(picture())
    document.add(instance("a"))
    document.mark_saved()
    expected = document.annotation
    again = opened(picture(), in_file=False)
    assert again.annotation == expected
    assert again.is_modified
    assert again.recovery == Recovery(restored=True, steps=1)
    again.mark_saved()
    assert not opened(expected).is_modified
    mended = opened(expected)
    assert mended.undo_title == "Add a"


def test_a_damaged_annotation_file_without_a_journal_leaves_an_empty_picture(opened):
    document = opened(picture(), in_file=False)
    assert document.recovery == Recovery()
    assert not document.is_modified


def test_a_journal_that_cannot_be_mended_leaves_a_document_that_works(opened, monkeypatch):
    opened(picture()).add(instance("a"))

    def broken(_descriptor, _length):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", broken)
    document = opened(picture())
    assert "Input/output error" in document.journal_problem
    assert document.add(instance("b")).added == ("b",)


def test_a_full_disk_disturbs_no_edit_and_is_told_once(opened, monkeypatch):
    problems: list[str] = []
    document = opened(picture(), on_problem=problems.append)
    document.add(instance("a"))
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 20:
            return write(descriptor, data[:20])  # half a line still fits
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module.os, "write", full)
    document.add(instance("b"))
    document.add(instance("c"))
    assert problems == [document.journal_problem] == ["the disk is full"]
    assert not document.is_kept
    assert [i.id for i in opened_copy(document)] == ["a"]
    monkeypatch.undo()
    document.undo()
    assert document.recorder.problem == ""
    assert [i.id for i in opened_copy(document)] == ["a", "b"]


def opened_copy(document: Document):
    return replay(document.recorder.file.read_bytes()).annotation.instances


def test_a_folder_without_permission_leaves_a_document_that_works(photo, tmp_path):
    blocker = tmp_path / "blocked"
    blocker.write_text("a file where the folder should be")
    problems: list[str] = []
    document = open_document(photo, picture(), blocker / "journals", on_problem=problems.append)
    document.add(instance("a"))
    assert document.can_undo
    assert document.journal_problem
    assert not problems
    assert not document.is_kept
    blocker.unlink()
    document.recorder.try_again()
    assert document.is_kept
    assert document.journal_problem == ""
    document.close()


def test_a_line_proves_its_own_soundness():
    line = to_line({"saved": 3})
    assert json.loads(line)[1] == {"saved": 3}
    assert from_line(line) == {"saved": 3}
    for place in range(len(line)):
        assert from_line(line[:place]) is None
        assert from_line(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]) is None
