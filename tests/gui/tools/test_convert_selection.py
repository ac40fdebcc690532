from __future__ import annotations

import numpy as np
import pytest

from app.document.document import Document, LockedError
from app.editing.combine import (
    NotRegionsError,
    exclude,
    fill_holes,
    intersect,
    keep_largest_part,
    masks_to_polygons,
    shapes_to_masks,
    split_parts,
    subtract,
    unite,
)
from converters.annotation import Box, ImageAnnotation, Mask, Point, Polygon
from tests.gui.canvas_scene import box_mask, instance, ring_mask


def document(*instances):
    return Document(ImageAnnotation("a.png", 100, 120, tuple(instances)))


def two_parts():
    full = np.zeros((100, 120), bool)
    full[10:30, 10:30] = True
    full[50:90, 50:110] = True
    full[60:70, 60:80] = False
    return Mask.from_full(full)


A, B = box_mask(10, 10, 50, 50), box_mask(30, 30, 80, 80)


def state(doc):
    return {i.id: i.geometry for i in doc.annotation.instances}


def test_mask_to_polygon_and_back_keeps_every_pixel():
    doc = document(instance("a", two_parts()), instance("other", A))
    ids = masks_to_polygons(doc, ["a"])
    assert len(ids) == 2
    parts = [doc.annotation.instance(i) for i in ids]
    assert all(isinstance(part.geometry, Polygon) for part in parts)
    assert len({part.group_id for part in parts}) == 1
    assert parts[0].group_id is not None
    assert ids[0] == "a"
    shapes_to_masks(doc, ids)
    assert unite(doc, ids) == (ids[0],)
    assert doc.annotation.instance(ids[0]).geometry == two_parts()
    assert state(doc)["other"] == A
    for _ in range(3):
        doc.undo()
    assert state(doc) == {"a": two_parts(), "other": A}


def test_a_box_becomes_a_mask_and_points_stay():
    doc = document(instance("b", Box(10, 10, 20, 30)), instance("p", Point(5, 5)))
    shapes_to_masks(doc, ["b", "p"])
    assert state(doc) == {"b": box_mask(10, 10, 20, 30), "p": Point(5, 5)}
    shapes_to_masks(doc, ["b"])
    assert doc.undo_title == "Shape to mask"
    doc.undo()
    assert not doc.can_undo


def test_the_four_operations_on_two_regions():
    a, b = A.to_full(100, 120), B.to_full(100, 120)
    for operate, expected, left in (
        (unite, a | b, {"a"}),
        (intersect, a & b, {"a"}),
        (exclude, a ^ b, {"a"}),
        (subtract, a & ~b, {"a", "b"}),
    ):
        doc = document(instance("a", A), instance("b", B))
        assert operate(doc, ["a", "b"]) == ("a",)
        assert np.array_equal(doc.annotation.instance("a").geometry.to_full(100, 120), expected)
        assert state(doc).keys() == left
        doc.undo()
        assert state(doc) == {"a": A, "b": B}


def test_nothing_left_means_no_object_left():
    doc = document(instance("a", box_mask(0, 0, 5, 5)), instance("b", box_mask(50, 50, 60, 60)))
    assert intersect(doc, ["a", "b"]) == ()
    assert state(doc) == {}
    doc = document(instance("a", box_mask(0, 0, 5, 5)), instance("b", box_mask(0, 0, 60, 60)))
    assert subtract(doc, ["a", "b"]) == ("b",)
    assert state(doc).keys() == {"b"}


def test_mending():
    doc = document(instance("ring", ring_mask(10, 10, 50, 50, 8)), instance("two", two_parts()))
    fill_holes(doc, ["ring"])
    assert state(doc)["ring"] == box_mask(10, 10, 50, 50)
    keep_largest_part(doc, ["two"])
    assert state(doc)["two"].box == (50, 50, 110, 90)
    revision = doc.revision
    fill_holes(doc, ["ring"])
    keep_largest_part(doc, ["two"])
    assert doc.revision == revision


def test_parts_become_objects():
    doc = document(instance("two", two_parts(), "cat"), instance("one", A))
    ids = split_parts(doc, ["two", "one"])
    assert len(ids) == 3
    assert ids[0] == "two"
    assert {i.label for i in doc.annotation.instances if i.id in ids[:2]} == {"cat"}
    assert unite(doc, ids[:2]) == ("two",)
    assert state(doc)["two"] == two_parts()


@pytest.mark.parametrize("operate", [unite, subtract, intersect, exclude])
@pytest.mark.parametrize("ids", [["a"], ["a", "p"], []])
def test_two_regions_are_needed(operate, ids):
    doc = document(instance("a", A), instance("p", Point(5, 5)))
    with pytest.raises(NotRegionsError):
        operate(doc, ids)


@pytest.mark.parametrize("operate", [unite, subtract, masks_to_polygons])
def test_locked_objects_are_refused(operate):
    doc = document(instance("a", A, locked=True), instance("b", B))
    with pytest.raises(LockedError):
        operate(doc, ["a", "b"])
    assert state(doc) == {"a": A, "b": B}
