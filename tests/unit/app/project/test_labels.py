from __future__ import annotations

import pytest

from app.project.labels import (
    LABEL_COLORS,
    MAX_NAME_LENGTH,
    Label,
    LabelList,
    label_of,
    offered_labels,
    plain_label,
    steady_color,
)
from converters.frozen import FrozenMap


def test_declaring_and_colouring_are_two_things():
    labels = LabelList().declaring("leaf", "#112233").with_color("stem", "#445566")
    assert labels.names == ("leaf", "stem")
    assert labels.declared == {"leaf"}
    assert labels.colors == {"leaf": "#112233", "stem": "#445566"}
    assert labels.declaring("stem", "#ffffff").get("stem") == Label("stem", "#445566", declared=True)
    assert labels.with_color("leaf", "#000000").declared == {"leaf"}
    assert labels.get("root") is None
    assert labels.color_of("root") is None


def test_a_list_is_not_changed_by_what_is_made_of_it():
    labels = LabelList((Label("a"),))
    assert labels.declaring("b") != labels
    assert labels == LabelList((Label("a"),))
    with pytest.raises(ValueError, match="same name"):
        LabelList((Label("a"), Label("a", "#ffffff")))


def test_renaming_keeps_place_colour_and_what_is_not_understood():
    labels = LabelList((Label("a", "#111111", extra=FrozenMap({"kind": "box"})), Label("b"), Label("c")))
    assert labels.renamed("a", "x").labels[0] == Label("x", "#111111", extra=FrozenMap({"kind": "box"}))
    assert labels.renamed("a", "c").names == ("b", "c")
    assert labels.renamed("nowhere", "x") is labels
    assert labels.renamed("a", "a") is labels


def test_the_folder_s_labels_stand_before_the_offered_ones():
    ours = LabelList((Label("leaf"), Label("stem", "#111111")))
    offered = offered_labels(("root", "leaf", ""), FrozenMap({"leaf": "#222222", "stem": "#333333"}))
    joined = ours.over(offered)
    assert joined.names == ("leaf", "stem", "root")
    assert joined.declared == {"leaf", "stem"}
    assert joined.colors == {"leaf": "#222222", "stem": "#111111"}


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("leaf", Label("leaf")),
        ({"name": "leaf"}, Label("leaf")),
        ({"name": "leaf", "color": "#ABCDEF", "declared": False}, Label("leaf", "#abcdef", declared=False)),
        (
            {"name": "leaf", "color": "green", "declared": 3, "kind": "box"},
            Label("leaf", extra=FrozenMap({"color": "green", "declared": 3, "kind": "box"})),
        ),
        ({"name": ""}, None),
        ({"name": 7}, None),
        ({"color": "#ffffff"}, None),
        ("x" * (MAX_NAME_LENGTH + 1), None),
        (None, None),
        (["leaf"], None),
    ],
)
def test_what_a_file_says_about_a_label(value, label):
    read = label_of(value)
    assert read == label
    if read is not None:
        assert label_of(plain_label(read)) == read


def test_a_chosen_colour_takes_the_place_of_one_that_made_no_sense():
    label = label_of({"name": "leaf", "color": "green", "kind": "box"})
    assert label is not None
    chosen = LabelList((label,)).with_color("leaf", "#123456").labels[0]
    assert plain_label(chosen) == {"name": "leaf", "color": "#123456", "kind": "box"}


def test_a_name_that_no_file_gives_back_is_not_taken_in():
    assert LabelList().declaring("x" * (MAX_NAME_LENGTH + 1)) == LabelList()


def test_colours_are_picked_by_name_and_apart_while_there_are_any():
    taken: list[str] = []
    for number in range(len(LABEL_COLORS)):
        taken.append(steady_color(f"label {number}", taken))
    assert len(set(taken)) == len(LABEL_COLORS)
    assert steady_color("one more", taken) in LABEL_COLORS
    assert steady_color("label 0", ()) == taken[0]
    assert steady_color("half a pair \ud800", ()) in LABEL_COLORS
