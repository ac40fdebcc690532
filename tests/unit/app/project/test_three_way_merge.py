from __future__ import annotations

import pytest

from app.project.three_way_merge import merge_by_key


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged", "conflicts"),
    [
        ({}, {"a": 1}, {"b": 2}, {"b": 2, "a": 1}, ()),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}, ()),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}, ()),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}, ()),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}, (("a",),)),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 1}, {"b": 1}, ()),
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"b": 1}, {"b": 1}, ()),
        ({"a": 1}, {}, {}, {}, ()),
        ({"a": 1}, {}, {"a": 3}, {"a": 3}, ()),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}, ()),
        ({}, {"a": 1}, {"a": 2}, {"a": 1}, (("a",),)),
        ({}, {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"y": 2, "x": 1}}, ()),
        (
            {"a": {"x": 1, "y": 1}},
            {"a": {"x": 2, "y": 1}},
            {"a": {"x": 3, "y": 3}},
            {"a": {"x": 2, "y": 3}},
            (("a", "x"),),
        ),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": 5}, {"a": {"x": 2}}, (("a",),)),
    ],
)
def test_every_key_is_as_the_side_has_it_that_changed_it(base, ours, theirs, merged, conflicts):
    assert merge_by_key(base, ours, theirs) == (merged, conflicts)


def test_the_order_is_theirs_unless_only_ours_changed():
    merged, _ = merge_by_key({"a": 1}, {"a": 1, "z": 1}, {"b": 1, "a": 1})
    assert list(merged) == ["b", "a", "z"]
    merged, _ = merge_by_key({"l": {"a": 1, "b": 1}}, {"l": {"x": 1, "b": 1}}, {"l": {"a": 1, "b": 1}})
    assert list(merged["l"]) == ["x", "b"]
