from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.appearance.title import Title
from app.document.change import Change
from app.document.document import Document, LockedError
from converters.annotation import Mask, Point, Polygon, RecolorOperation
from converters.frozen import FrozenMap
from tests.unit.app.pictures import instance, picture, square


def ids(document: Document) -> list[str]:
    return [i.id for i in document.annotation.instances]


def test_add_puts_instances_on_top_and_tells_what_to_repaint():
    document = Document(picture(instance("a")))
    told: list[Change] = []
    document.subscribe(told.append)

    change = document.add(instance("b", square(10, 20)))

    assert ids(document) == ["a", "b"]
    assert told == [change]
    assert change == Change(Title("Add b"), added=("b",), region=(10, 20, 14, 24))
    assert document.is_modified
    assert document.revision == 1


def test_undo_and_redo_go_through_the_same_states():
    document = Document(picture(instance("a")))
    states = [document.annotation]
    document.add(instance("b"))
    states.append(document.annotation)
    document.relabel(["a"], "cat")
    states.append(document.annotation)
    document.replace(replace(document.annotation.instances[0], geometry=square(30, 30, 9)))
    states.append(document.annotation)
    document.move(["b"], 0)
    states.append(document.annotation)
    document.set_flag("seen", True)
    states.append(document.annotation)
    document.remove(["a"])
    states.append(document.annotation)

    for expected in reversed(states[:-1]):
        assert document.undo() is not None
        assert document.annotation == expected
    assert document.undo() is None
    assert not document.can_undo
    for expected in states[1:]:
        assert document.redo() is not None
        assert document.annotation == expected
    assert document.redo() is None
    assert not document.can_redo


def test_undo_tells_the_way_back():
    document = Document(picture(instance("a"), instance("b", square(9, 9))))
    document.remove(["a"])
    assert document.undo_title == "Delete a"
    undone = document.undo()
    assert undone == Change(Title("Delete a"), added=("a",), region=(1, 2, 5, 6), kind="undo")
    assert document.redo_title == "Delete a"
    assert document.undo_title is None
    redone = document.redo()
    assert redone is not None
    assert (redone.kind, redone.removed) == ("redo", ("a",))


def test_a_new_edit_forgets_what_could_be_redone():
    document = Document(picture())
    document.add(instance("a"))
    document.undo()
    document.add(instance("b"))
    assert not document.can_redo
    document.undo()
    assert ids(document) == []


def test_an_edit_that_changes_nothing_is_no_step():
    document = Document(picture(instance("a")))
    assert document.relabel(["a"], "a").is_empty
    same_pixels = Mask(0, 1, np.pad(np.ones((4, 4), np.bool_), 1))
    assert document.replace(instance("a", same_pixels)).is_empty
    assert not document.can_undo
    assert document.revision == 0


def test_edits_with_one_merge_key_are_one_step():
    document = Document(picture(instance("a", square(1, 1))))
    start = document.annotation
    for side in (5, 6, 7):
        change = document.replace(instance("a", square(1, 1, side)), title="Set τ", merge_key="tau:a")
    assert change.region == (1, 1, 8, 8)
    assert document.undo_title == "Set τ"
    document.undo()
    assert document.annotation == start
    document.redo()
    assert document.annotation.instances[0].geometry == square(1, 1, 7)


@pytest.mark.parametrize("between", ["end_merge", "mark_saved", "other edit", "undo and redo"])
def test_a_merge_ends(between):
    document = Document(picture(instance("a"), instance("b")))
    document.replace(instance("a", square(1, 1, 5)), merge_key="k")
    match between:
        case "end_merge":
            document.end_merge()
        case "mark_saved":
            document.mark_saved()
        case "other edit":
            document.relabel(["b"], "x")
        case _:
            document.undo()
            document.redo()
    middle = document.annotation
    document.replace(instance("a", square(1, 1, 6)), merge_key="k")
    document.undo()
    assert document.annotation == middle


def test_a_drag_back_to_the_start_leaves_no_step():
    document = Document(picture(instance("a", square(1, 1))))
    document.relabel(["a"], "cat")
    document.replace(replace(document.annotation.instances[0], geometry=square(1, 1, 9)), merge_key="k")
    change = document.replace(replace(document.annotation.instances[0], geometry=square(1, 1)), merge_key="k")
    assert change.changed == ("a",)
    assert document.undo_title == "Label cat"
    document.replace(replace(document.annotation.instances[0], geometry=square(1, 1, 3)), merge_key="k")
    document.undo()
    assert document.annotation.instances[0].geometry == square(1, 1)


def test_modified_follows_the_saved_state_through_undo_and_lost_branches():
    document = Document(picture())
    document.add(instance("a"))
    document.mark_saved()
    assert not document.is_modified
    document.undo()
    assert document.is_modified
    document.redo()
    assert not document.is_modified
    document.undo()
    document.add(instance("b"))
    assert document.is_modified
    document.undo()
    assert document.is_modified, "the saved state is on a branch that is gone"


def test_a_late_answer_of_the_saver_marks_the_state_it_saved():
    document = Document(picture())
    document.add(instance("a"))
    saved = document.state
    document.add(instance("b"))
    document.mark_saved(saved)
    assert document.is_modified
    document.undo()
    assert not document.is_modified


def test_an_autosave_in_the_middle_of_a_drag_does_not_cut_it_in_two():
    document = Document(picture(instance("a")))
    start = document.annotation
    document.replace(instance("a", square(1, 1, 5)), merge_key="tau")
    document.mark_saved(document.state)
    assert not document.is_modified
    document.replace(instance("a", square(1, 1, 6)), merge_key="tau")
    assert document.is_modified
    document.undo()
    assert document.annotation == start
    assert document.is_modified


def test_locked_instances_keep_their_place_in_the_picture():
    document = Document(picture(instance("a", locked=True), instance("b", Point(3, 4), locked=True)))
    with pytest.raises(LockedError) as refusal:
        document.remove(["a", "b"])
    assert set(refusal.value.ids) == {"a", "b"}
    with pytest.raises(LockedError):
        document.replace(instance("a", square(9, 9), locked=False))
    with pytest.raises(LockedError):
        document.replace(instance("b", Point(3, 5), locked=True))
    with pytest.raises(LockedError):
        document.edit("Clear", picture())
    assert not document.can_undo

    document.relabel(["a"], "cat")
    document.move(["a"], 1)
    document.set_locked(["a"], False)
    document.remove(["a"])
    assert ids(document) == ["b"]
    for _ in range(4):
        document.undo()
    assert document.annotation.instances[0].locked


def test_the_region_covers_old_and_new_shape_inside_the_picture():
    document = Document(
        picture(instance("a", square(70, 50)), instance("p", Polygon(((1, 1), (5, 1), (5, 5)))))
    )
    assert document.replace(instance("a", square(76, 58, 9))).region == (70, 50, 80, 60)
    assert document.relabel(["p"], "new").region == (0, 0, 7, 7)
    painted = replace(document.annotation.instances[0], recolor=RecolorOperation("#ff0000"))
    assert document.replace(painted).region == (76, 58, 80, 60)


def test_what_cannot_be_seen_needs_no_repainting():
    document = Document(picture(instance("a")))
    assert document.set_locked(["a"], True).region is None
    assert document.set_flag("seen", True).fields == ("flags",)
    assert document.add(instance("far", square(200, 200))).region is None


def test_moving_in_the_drawing_order():
    document = Document(picture(*(instance(name) for name in "abcde")))
    change = document.move(["d", "b"], 0)
    assert ids(document) == list("bdace")
    assert set(change.changed) == {"b", "d"}
    assert (change.added, change.removed) == ((), ())
    document.move(["b"], 99)
    assert ids(document) == list("daceb")
    assert document.move(["b"], 99).is_empty


def test_a_copied_id_in_a_file_becomes_a_fresh_one():
    document = Document(picture(instance("a"), instance("a", square(20, 20)), instance("b")))
    assert len(set(ids(document))) == 3
    assert ids(document)[0] == "a"
    with pytest.raises(ValueError, match="share an id"):
        document.add(instance("a"))


def test_unknown_ids_and_another_size_are_refused():
    document = Document(picture(instance("a")))
    for edit in (
        lambda: document.remove(["x"]),
        lambda: document.relabel(["x"], "y"),
        lambda: document.replace(instance("x")),
    ):
        with pytest.raises(KeyError, match="x"):
            edit()
    with pytest.raises(ValueError, match="height"):
        document.edit("Resize", replace(document.annotation, height=61))


def test_subscribers_hear_everything_in_order_even_if_one_edits_or_fails():
    document = Document(picture(instance("a")))
    heard: list[str] = []

    def labels_everything(change: Change) -> None:
        if change.added:
            document.relabel(change.added, "labelled")

    def fails(_change: Change) -> None:
        raise RuntimeError("a panel is broken")

    document.subscribe(labels_everything)
    stop = document.subscribe(fails)
    document.subscribe(lambda change: heard.append(change.title))
    with pytest.raises(RuntimeError, match="broken"):
        document.add(instance("b"))
    assert heard == ["Add b", "Label labelled"]
    stop()
    stop()
    document.undo()
    assert heard[-1] == "Label labelled"


def test_extra_keys_of_the_picture_are_undoable_too():
    document = Document(picture())
    document.edit("Note", replace(document.annotation, extra=FrozenMap({"note": [1]})))
    document.undo()
    assert document.annotation.extra == {}


def test_titles_speak_the_language_of_the_window():
    title = Title("Add {label}", label="{cat}")
    assert title == "Add {cat}"
    assert title.translated() == "Add {cat}"
    assert Title.of("100 % {x}") == "100 % {x}"
    assert Title.of(title) is title
