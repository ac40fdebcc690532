from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.document.diff import DiffError, difference
from app.document.document import Document
from app.document.history import History
from app.document.mask_patch import MaskPatch
from converters.annotation import Mask
from tests.unit.app.pictures import instance, picture, square
from tests.unit.app.random_edits import random_edit, random_mask


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_random_edits_can_all_be_undone_and_redone(seed):
    chance = random.Random(seed)
    document = Document(picture(instance("a"), instance("b", square(20, 20, 9))))
    known = {document.state: document.annotation}
    for _ in range(200):
        random_edit(document, chance)
        known.setdefault(document.state, document.annotation)
        assert document.annotation == known[document.state]
    while document.can_redo:
        document.redo()
    last = document.annotation
    while document.can_undo:
        document.undo()
        if document.state in known:
            assert document.annotation == known[document.state]
    assert document.annotation == known[0]
    while document.can_redo:
        document.redo()
    assert document.annotation == last


@given(st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_mask_patch_leads_both_ways(seed):
    chance = random.Random(seed)
    one, other = random_mask(chance), random_mask(chance)
    patch = MaskPatch.between(one, other)
    assert patch.applied_to(one) == other
    assert patch.applied_to(other) == one
    assert patch == MaskPatch.between(other, one)


def test_a_patch_between_equal_regions_is_empty():
    padded = Mask(0, 0, np.pad(np.ones((3, 3), np.bool_), 2))
    assert MaskPatch.between(padded, square(2, 2, 3)).bits == b""
    empty = Mask(9, 9, np.zeros((0, 0), np.bool_))
    assert MaskPatch.between(empty, square(2, 2, 3)).applied_to(empty) == square(2, 2, 3)


def test_a_brush_stroke_costs_the_history_its_pixels_not_the_mask():
    document = Document(picture(instance("a", Mask(0, 0, np.ones((3000, 3000), np.bool_)))))
    array = document.annotation.instances[0].geometry.array.copy()
    array[100:120, 100:120] = False
    document.replace(instance("a", Mask(0, 0, array)))
    (rewrite,) = document.history.steps[0].diff.rewritten
    assert rewrite.before.geometry.array.size == 0
    assert rewrite.patch is not None
    assert sys.getsizeof(rewrite.patch.bits) < 200


def test_a_mask_that_jumps_across_the_picture_is_kept_without_the_way_between():
    document = Document(picture(instance("a", square(0, 0))))
    document.replace(instance("a", square(70, 50)))
    (rewrite,) = document.history.steps[0].diff.rewritten
    assert rewrite.patch is None
    document.undo()
    assert document.annotation.instances[0].geometry == square(0, 0)
    document.redo()
    assert document.annotation.instances[0].geometry == square(70, 50)


def test_untouched_instances_are_shared_by_all_states():
    document = Document(picture(*(instance(name) for name in "abc")))
    first = document.annotation.instances
    document.relabel(["b"], "x")
    assert document.annotation.instances[0] is first[0]
    assert document.annotation.instances[2] is first[2]
    document.undo()
    assert document.annotation.instances[1].geometry is first[1].geometry


@given(st.permutations(list("abcdefg")), st.lists(st.sampled_from("abcdefg"), unique=True))
def test_any_new_order_is_reached_and_left_by_its_diff(order, gone):
    before = picture(*(instance(name) for name in "abcdefg"))
    by_id = {i.id: i for i in before.instances}
    after = picture(*(by_id[name] for name in order if name not in gone), instance("new"))
    diff = difference(before, after)
    assert diff.applied_to(before) == after
    assert diff.reversed().applied_to(after) == before


def test_moving_one_of_many_touches_only_that_one():
    before = picture(*(instance(str(n)) for n in range(50)))
    after = before.with_instances((before.instances[-1], *before.instances[:-1]))
    diff = difference(before, after)
    assert [placed.instance.id for placed in diff.removed] == ["49"]
    assert not diff.rewritten


def test_a_diff_that_does_not_fit_says_so():
    diff = difference(picture(instance("a")), picture())
    with pytest.raises(DiffError, match="a"):
        diff.applied_to(picture(instance("b")))
    with pytest.raises(DiffError):
        diff.reversed().applied_to(picture(instance("a")))
    brushed = difference(picture(instance("a")), picture(instance("a", square(3, 3))))
    from converters.annotation import Point

    with pytest.raises(DiffError, match="mask"):
        brushed.applied_to(picture(instance("a", Point(1, 1))))


def test_a_history_knows_its_bounds():
    history = History()
    assert history.undo() is None
    assert history.redo() is None
    with pytest.raises(IndexError):
        history.drop_last()
    with pytest.raises(ValueError, match="position"):
        History(position=1)
