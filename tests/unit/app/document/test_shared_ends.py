"""Shared ends: whatever lies between them is all that an edit can have changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.document.shared_ends import shared_ends

POOL = [object() for _ in range(6)]
LISTS = st.lists(st.sampled_from(POOL), max_size=12)


def test_an_appended_and_a_removed_item():
    assert shared_ends(POOL, [*POOL, object()]) == (6, 0)
    assert shared_ends(POOL, [*POOL[:2], *POOL[3:]]) == (2, 3)
    assert shared_ends(POOL, POOL) == (6, 0)
    assert shared_ends((), POOL) == (0, 0)


def test_equal_items_are_not_the_same():
    assert shared_ends([[1]], [[1]]) == (0, 0)


@given(LISTS, LISTS)
def test_the_ends_are_the_same_and_do_not_overlap(before, after):
    first, last = shared_ends(before, after)
    assert first + last <= min(len(before), len(after))
    assert before[:first] == after[:first]
    assert before[len(before) - last :] == after[len(after) - last :]
    middle = before[first : len(before) - last], after[first : len(after) - last]
    assert not all(middle) or (middle[0][0] is not middle[1][0] and middle[0][-1] is not middle[1][-1])
