"""A kind of shape that is only a row in the table is copied, pasted, pulled and journaled like the others."""

from __future__ import annotations

import json

import pytest

from app.document.extent import pixel_extent
from app.document.history import Recovery
from app.document.instance_codec import encode_instance
from app.editing.clipboard import from_text, paste, to_text
from app.editing.edit_points import can_gain_point, can_lose_point, with_point
from tests.new_kind import Ellipse, ellipse_kind
from tests.unit.app.pictures import HEIGHT, WIDTH, instance, picture, rich_instance

__all__ = ["ellipse_kind"]

EGG = Ellipse((30.0, 20.0), (45.0, 28.0))


def test_it_is_copied_and_pasted(ellipse_kind):
    copied = (rich_instance(EGG),)
    found = from_text(to_text(copied, "/photos/a.jpg"))
    assert found == (copied, "/photos/a.jpg")
    outside = instance("out", Ellipse((WIDTH + 40.0, 20.0), (WIDTH + 50.0, 28.0)))
    pasted = paste((*copied, outside), picture(), offset=(4, -3))
    assert (pasted.clipped, pasted.dropped) == (0, 1)
    assert [i.geometry for i in pasted.instances] == [Ellipse((34.0, 17.0), (49.0, 25.0))]


def test_its_handles_are_its_points(ellipse_kind):
    assert with_point(EGG, 1, (40.0, 35.0)) == Ellipse((30.0, 20.0), (40.0, 35.0))
    assert not can_gain_point(EGG)
    assert not can_lose_point(EGG)
    assert pixel_extent(EGG) == (14, 11, 47, 30)
    assert HEIGHT > 30


def test_it_comes_back_from_the_journal(ellipse_kind, opened):
    base = picture(instance("a"))
    document = opened(base)
    document.add(rich_instance(EGG))
    document.replace(rich_instance(Ellipse((30.0, 20.0), (50.0, 30.0))))
    document.undo()
    expected = document.annotation
    again = opened(base)
    assert again.annotation == expected
    assert again.recovery == Recovery(restored=True, steps=2)
    assert again.redo()
    assert again.annotation.instances[-1].geometry == Ellipse((30.0, 20.0), (50.0, 30.0))


def test_the_journal_calls_it_by_its_name(ellipse_kind):
    text = json.dumps(encode_instance(instance("e", EGG))["geometry"])
    assert json.loads(text) == {"ellipse": [[30.0, 20.0], [45.0, 28.0]]}


@pytest.mark.parametrize("point", [(30.0, 20.0), (44.0, 20.0)])
def test_without_its_row_nothing_knows_it(point):
    with pytest.raises(KeyError):
        with_point(EGG, 0, point)
