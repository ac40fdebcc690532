from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.core import journal as journal_module
from app.core.document import Document
from app.core.history import Recovery
from app.core.instance_codec import decode_instance, encode_instance
from app.core.journal import journal_file
from app.core.journal_records import from_line, to_line
from app.core.journal_replay import JournalError, replay
from app.core.recovery import journaled_annotation, open_document, prune_journals, unsaved_pictures
from app.core.workspace import Workspace
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.images import write_image
from converters.labelme_json import read_labelme, write_labelme
from tests.unit.core.pictures import EVERY_GEOMETRY, HEIGHT, WIDTH, instance, picture, rich_instance, square
from tests.unit.core.random_edits import random_edit

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo one.jpg"
    path.write_bytes(b"a picture")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def opened(photo: Path, folder: Path):
    """Opens the photo's document; all of them are closed at the end."""
    documents: list[Document] = []

    def open_it(annotation: ImageAnnotation | None = None, **options) -> Document:
        for document in documents:
            document.close()
        documents.append(open_document(photo, annotation or picture(), folder, **options))
        return documents[-1]

    yield open_it
    for document in documents:
        document.close()


def walk_back_and_forth(document: Document) -> list[ImageAnnotation]:
    """Every state from the first to the last; the document ends where it was."""
    position = document.history.position
    while document.undo():
        pass
    states = [document.annotation]
    while document.redo():
        states.append(document.annotation)
    while document.history.position > position:
        document.undo()
    return states


@pytest.mark.parametrize("geometry", EVERY_GEOMETRY, ids=lambda g: type(g).__name__)
def test_instances_come_back_exactly(geometry):
    for one in (rich_instance(geometry), instance("plain", geometry)):
        assert decode_instance(json.loads(json.dumps(encode_instance(one)))) == one


def test_a_picture_only_looked_at_gets_no_journal(opened, folder):
    document = opened(picture(instance("a")))
    assert document.recovery == Recovery()
    document.mark_saved()
    document.close()
    assert not folder.exists()


def test_unsaved_work_comes_back_with_its_history(opened):
    base = picture(instance("a"))
    document = opened(base)
    document.add(*(rich_instance(g, f"r{n}") for n, g in enumerate(EVERY_GEOMETRY)))
    document.relabel(["a"], "cat")
    document.replace(instance("a", square(5, 5, 9)))
    document.undo()
    expected, states = document.annotation, walk_back_and_forth(document)

    again = opened(base)
    assert again.annotation == expected
    assert again.recovery == Recovery(restored=True, steps=3)
    assert again.is_modified
    assert again.undo_title == "Label cat"
    assert again.redo_title == "Change cat"
    assert walk_back_and_forth(again) == states
    while again.undo():
        pass
    assert not again.is_modified


def test_saved_work_is_not_called_restored_and_history_stays(opened):
    document = opened(picture())
    document.add(instance("a"))
    document.mark_saved()
    again = opened(document.annotation)
    assert again.recovery == Recovery(restored=False, steps=1)
    assert not again.is_modified
    again.undo()
    assert again.is_modified
    assert opened(picture(instance("a"))).annotation == picture()


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_random_edits_with_restarts(opened, seed):
    chance = random.Random(seed)
    on_disk = picture(instance("a"))
    document = opened(on_disk)
    for _ in range(340):
        random_edit(document, chance)
        if not document.is_modified:
            on_disk = document.annotation
        if chance.random() < 0.05:
            expected, states = document.annotation, walk_back_and_forth(document)
            modified = document.is_modified
            document = opened(on_disk)
            assert document.annotation == expected
            assert document.is_modified == modified or document.annotation == on_disk
            assert walk_back_and_forth(document) == states
            assert not document.recovery.changed_outside
    assert document.recorder.problem == ""


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


def test_a_picture_replaced_by_one_of_another_size_starts_afresh(opened):
    opened(picture()).add(instance("a"))
    other = ImageAnnotation("photo.jpg", 10, 10)
    document = opened(other)
    assert document.annotation == other
    assert document.recovery.set_aside
    assert not document.can_undo


def test_changes_from_outside_are_current_and_one_undo_away_from_ours(opened):
    document = opened(picture(instance("a")))
    document.relabel(["a"], "cat")
    ours = document.annotation
    theirs = picture(instance("a", square(9, 9)), instance("b"))
    again = opened(theirs)
    assert again.annotation == theirs
    assert again.recovery.changed_outside
    assert not again.is_modified
    again.undo()
    assert again.annotation == ours
    third = opened(theirs)
    assert third.annotation == ours
    assert third.is_modified
    assert third.redo_title == "Take over changes from outside"


def test_an_older_version_put_back_from_outside_is_a_change(opened):
    document = opened(picture())
    document.add(instance("a"))
    document.mark_saved()
    document.add(instance("b"))
    document.mark_saved()
    ours = document.annotation
    again = opened(picture(instance("a")))
    assert again.recovery.changed_outside
    assert [i.id for i in again.annotation.instances] == ["a"]
    again.undo()
    assert again.annotation == ours


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
    assert "Input/output error" in document.recovery.problem
    assert document.add(instance("b")).added == ("b",)


def test_dying_between_writing_the_file_and_noting_so_changes_nothing(opened):
    document = opened(picture())
    document.add(instance("a"))
    written = document.annotation
    document.add(instance("b"))
    current = document.annotation
    again = opened(written)
    assert again.annotation == current
    assert again.is_modified
    assert not again.recovery.changed_outside
    again.undo()
    assert not again.is_modified


@pytest.mark.parametrize("geometry", EVERY_GEOMETRY, ids=lambda g: type(g).__name__)
def test_what_labelme_json_gives_back_is_no_change_from_outside(opened, tmp_path, geometry):
    document = opened(picture())
    document.add(rich_instance(geometry))
    document.set_flag("seen", True)
    write_labelme(tmp_path / "photo.json", document.annotation)
    document.mark_saved()
    again = opened(read_labelme(tmp_path / "photo.json"))
    assert not again.recovery.changed_outside
    assert again.undo_title == "Set flag seen"


def test_a_second_window_does_not_write_into_the_journal_of_the_first(photo, folder):
    first = open_document(photo, picture(), folder)
    early = open_document(photo, picture(), folder)
    first.add(instance("a"))
    problems: list[ConverterError] = []
    late = open_document(photo, picture(), folder, on_problem=problems.append)
    assert "another window" in late.recovery.problem
    late.add(instance("x"))
    early.recorder._on_problem = problems.append
    early.add(instance("y"))
    early.add(instance("z"))
    assert len(problems) == 1
    assert "another window" in str(problems[0])
    first.add(instance("b"))
    for document in (first, early, late):
        document.close()
    again = open_document(photo, picture(), folder)
    assert [i.id for i in again.annotation.instances] == ["a", "b"]
    again.close()


def test_the_journal_of_a_window_that_came_and_went_is_kept(photo, folder):
    early = open_document(photo, picture(), folder)
    other = open_document(photo, picture(), folder)
    other.add(instance("a"))
    other.close()
    early.add(instance("b"))
    early.close()
    (kept,) = folder.glob("*.kept")
    assert [i.id for i in replay(kept.read_bytes()).annotation.instances] == ["a"]


def test_a_full_disk_disturbs_no_edit_and_is_told_once(opened, monkeypatch):
    problems: list[ConverterError] = []
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
    assert len(problems) == 1
    assert "disk is full" in str(problems[0])
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
    problems: list[ConverterError] = []
    document = open_document(photo, picture(), blocker / "journals", on_problem=problems.append)
    document.add(instance("a"))
    assert document.can_undo
    assert len(problems) == 1
    document.close()


def test_a_long_journal_is_written_anew_without_losing_history(opened, photo, folder):
    base = picture(instance("a"))
    document = opened(base)
    document.relabel(["a"], "first")
    for n in range(300):
        document.replace(instance("a", square(n % 40, 3, 9), label="first"), merge_key="drag")
    document.add(instance("b"))
    document.add(instance("c"))
    document.undo()
    expected, states = document.annotation, walk_back_and_forth(document)
    document.close()
    file = journal_file(photo, folder)
    long = file.stat().st_size
    again = opened(base)
    assert file.stat().st_size < long / 10
    assert again.annotation == expected
    assert again.is_modified
    assert walk_back_and_forth(again) == states
    again.add(instance("d"))
    expected = again.annotation
    assert opened(base).annotation == expected


def test_pictures_with_unsaved_work_are_found_and_never_pruned(tmp_path, folder):
    photos = [tmp_path / f"{name}.png" for name in ("clean", "unsaved", "undone")]
    for path in photos:
        path.write_bytes(b"x")
        document = open_document(path, picture(instance("a")), folder)
        document.relabel(["a"], "cat")
        if path.stem == "clean":
            document.mark_saved()
        if path.stem == "undone":
            document.undo()
        document.close()
    assert unsaved_pictures(folder) == (photos[1],)
    assert unsaved_pictures(tmp_path / "nowhere") == ()
    found = journaled_annotation(photos[1], folder)
    assert found is not None
    assert found.instances[0].label == "cat"
    assert journaled_annotation(tmp_path / "other.png", folder) is None

    assert prune_journals(folder) == 0
    old = time.time() - 100 * 86400
    for file in folder.iterdir():
        os.utime(file, (old, old))
    assert prune_journals(folder) == 2
    assert unsaved_pictures(folder) == (photos[1],)


def test_pictures_of_the_same_name_have_journals_of_their_own(tmp_path, folder):
    one, other = (
        journal_file(tmp_path / "a" / "x.png", folder),
        journal_file(tmp_path / "b" / "x.png", folder),
    )
    assert one != other
    assert one.parent == folder
    assert journal_file(tmp_path / "../.." / "é ü:*.png", folder).parent == folder


def test_a_line_proves_its_own_soundness():
    line = to_line({"saved": 3})
    assert json.loads(line)[1] == {"saved": 3}
    assert from_line(line) == {"saved": 3}
    for place in range(len(line)):
        assert from_line(line[:place]) is None
        assert from_line(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]) is None


EDITOR = """
import random, sys
from pathlib import Path
from app.core.recovery import open_document
from tests.unit.core.pictures import instance, picture
from tests.unit.core.random_edits import random_edit

document = open_document(Path(sys.argv[1]), picture(instance("a")), Path(sys.argv[2]))
chance = random.Random(int(sys.argv[3]))
while True:
    random_edit(document, chance)
    print(document.revision, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("seed", range(3))
def test_kill_dash_nine_in_the_middle_of_work_loses_nothing_committed(photo, folder, seed):
    command = [sys.executable, "-c", EDITOR, str(photo), str(folder), str(seed)]
    committed = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as editor:
        assert editor.stdout is not None
        for line in editor.stdout:
            committed = int(line)
            if committed > 40 + 25 * seed:
                editor.send_signal(signal.SIGKILL)
                break
        committed = max([committed, *(int(line) for line in editor.stdout)])
    assert editor.returncode == -signal.SIGKILL

    # The same work, not killed: the journal must know a state at least as late.
    twin = Document(picture(instance("a")))
    chance = random.Random(seed)
    states: dict[int, ImageAnnotation] = {}
    twin.subscribe(lambda _change: states.setdefault(twin.revision, twin.annotation))
    while twin.revision < committed + 20:
        random_edit(twin, chance)
    found = journaled_annotation(photo, folder)
    late = [states[revision] for revision in sorted(states) if revision >= committed]
    assert found in late

    document = open_document(photo, picture(instance("a")), folder)
    while document.undo():
        pass
    assert document.annotation == picture(instance("a"))
    document.close()


SAVER = """
import random, sys
from pathlib import Path
from app.core.recovery import open_document
from app.core.workspace import Workspace
from tests.unit.core.random_edits import random_edit

photo, folder = Path(sys.argv[1]), Path(sys.argv[2])
workspace = Workspace(photo)
document = open_document(photo, workspace.load(photo), folder)
chance = random.Random(int(sys.argv[3]))
while True:
    random_edit(document, chance, save=False)
    print(document.revision, flush=True)
    if document.is_modified:
        workspace.save(document)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("seed", range(4))
def test_kill_dash_nine_in_the_middle_of_saving_loses_nothing_committed(tmp_path, folder, seed):
    photo = tmp_path / "pictures" / "photo.png"
    photo.parent.mkdir()
    write_image(photo, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    command = [sys.executable, "-c", SAVER, str(photo), str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as saver:
        assert saver.stdout is not None
        for line in saver.stdout:
            if int(line) > 30 + 7 * seed:
                time.sleep(0.001 * seed)
                saver.send_signal(signal.SIGKILL)
                break
        saver.stdout.read()
    assert saver.returncode == -signal.SIGKILL

    found = journaled_annotation(photo, folder)
    assert found is not None
    loaded = Workspace(photo).load(photo)  # whole, not torn
    document = open_document(photo, loaded, folder)
    assert document.annotation == found
    assert not document.recovery.changed_outside
    assert document.recovery.lost_lines == 0
    while document.undo():
        pass
    assert document.annotation.instances == ()
    document.close()


def test_an_edit_of_a_crowded_picture_stays_quick_on_disk_too(opened):
    """Ratios, not absolute times: a stroke must not cost more because there are 1000 neighbours."""

    def strokes(document: Document) -> float:
        best = 9.0
        for n in range(40):
            one = document.annotation.instances[0]
            begin = time.perf_counter()
            document.replace(replace(one, geometry=square(5 + n % 9, 5, 30)))
            best = min(best, time.perf_counter() - begin)
        return best

    alone = strokes(opened(picture(instance("first"))))
    opened(picture(instance("first"))).close()
    crowd = [instance("first"), *(instance(f"n{n}", square(n % 60, n % 40, 12)) for n in range(1000))]
    crowded = strokes(opened(ImageAnnotation("photo.jpg", 60, 80, tuple(crowd))))
    assert crowded < 40 * alone + 0.008
