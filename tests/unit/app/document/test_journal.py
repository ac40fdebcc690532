"""The journal brings back work with its history, and tells changes from outside apart from ours."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.document.history import Recovery
from app.document.instance_codec import decode_instance, encode_instance
from app.document.journal import journal_file
from app.document.journal_replay import replay
from app.document.old_journals import unsaved_pictures
from app.document.recovery import open_document
from converters.annotation import ImageAnnotation
from converters.formats.labelme.document import read_labelme, write_labelme
from tests.unit.app.pictures import EVERY_GEOMETRY, instance, picture, rich_instance, square
from tests.unit.app.random_edits import random_edit, set_flag

if TYPE_CHECKING:
    from app.document.document import Document


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
    assert not list(folder.iterdir())


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
    set_flag(document, "seen", True)
    write_labelme(tmp_path / "photo.json", document.annotation)
    document.mark_saved()
    again = opened(read_labelme(tmp_path / "photo.json"))
    assert not again.recovery.changed_outside
    assert again.undo_title == "Set flag seen"


def test_a_second_window_is_told_at_once_and_does_not_write_into_the_journal_of_the_first(photo, folder):
    first = open_document(photo, picture(), folder)
    problems: list[str] = []
    second = open_document(photo, picture(), folder, on_problem=problems.append)
    assert "another window" in second.journal_problem
    first.add(instance("a"))
    second.add(instance("x"))
    assert not problems  # it was said already
    assert not second.is_kept
    assert first.is_kept
    first.add(instance("b"))
    for document in (first, second):
        document.close()
    again = open_document(photo, picture(), folder)
    assert [i.id for i in again.annotation.instances] == ["x"]
    again.close()


def test_a_window_that_was_second_takes_over_when_the_first_is_gone(photo, folder):
    first = open_document(photo, picture(), folder)
    second = open_document(photo, picture(), folder)
    first.add(instance("a"))
    second.add(instance("b"))
    first.close()
    second.recorder.try_again()
    assert second.journal_problem == ""
    assert second.is_kept
    second.close()
    (kept,) = folder.glob("*.kept")
    assert [i.id for i in replay(kept.read_bytes()).annotation.instances] == ["a"]
    again = open_document(photo, picture(), folder)
    assert [i.id for i in again.annotation.instances] == ["b"]
    again.close()


def test_links_to_one_picture_have_journals_of_their_own(photo, folder, tmp_path):
    (tmp_path / "linked").mkdir()
    link = tmp_path / "linked" / photo.name
    link.symlink_to(photo)
    (tmp_path / "alias").symlink_to(tmp_path / "linked")
    one, other = (open_document(path, picture(), folder) for path in (photo, link))
    assert not other.journal_problem
    one.add(instance("a"))
    other.add(instance("b"))
    one.close()
    other.close()
    for path, name in ((photo, "a"), (link, "b"), (tmp_path / "alias" / photo.name, "b")):
        document = open_document(path, picture(), folder)
        assert [i.id for i in document.annotation.instances] == [name]
        document.close()


def test_work_comes_back_under_the_new_name_of_its_folder(folder, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    for place in (before, tmp_path / "other"):
        place.mkdir()
        (place / "photo.png").write_bytes(place.name.encode())
        document = open_document(place / "photo.png", picture(), folder)
        document.add(instance(place.name))
        document.close()
    photo = before.rename(after) / "photo.png"
    assert list(unsaved_pictures([photo], folder)) == [photo]
    document = open_document(photo, picture(), folder)
    assert [i.id for i in document.annotation.instances] == ["before"]
    assert document.is_modified
    document.close()
    assert list(unsaved_pictures([photo], folder)) == [photo]
    document = open_document(tmp_path / "other" / "photo.png", picture(), folder)
    assert [i.id for i in document.annotation.instances] == ["other"]
    document.close()


def test_a_copy_of_a_picture_does_not_take_the_journal_away(photo, folder, tmp_path):
    document = open_document(photo, picture(), folder)
    document.add(instance("a"))
    document.close()
    (tmp_path / "copy").mkdir()
    copy = Path(shutil.copy2(photo, tmp_path / "copy"))
    assert list(unsaved_pictures([copy], folder)) == []
    document = open_document(copy, picture(), folder)
    assert document.annotation == picture()
    document.close()
    assert list(unsaved_pictures([photo], folder)) == [photo]


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


def test_pictures_of_the_same_name_have_journals_of_their_own(tmp_path, folder):
    one, other = (
        journal_file(tmp_path / "a" / "x.png", folder),
        journal_file(tmp_path / "b" / "x.png", folder),
    )
    assert one != other
    assert one.parent == folder
    assert journal_file(tmp_path / "../.." / "é ü:*.png", folder).parent == folder
