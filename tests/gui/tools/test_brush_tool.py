from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.editing.mask_edits import paint_stroke
from converters.annotation import Mask, Provenance, Seed
from tests.gui.canvas_scene import (
    GREEN,
    HEIGHT,
    WIDTH,
    RepaintWatch,
    box_mask,
    close_to,
    instance,
    triangle,
)

RIGHT = Qt.MouseButton.RightButton
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def brush(scene):
    scene.session.set_option("brush_radius", 6.0)
    return scene


def points_of_drag(scene, *points):
    """What the canvas makes of mouse positions: they fall on whole logical pixels."""
    from PySide6.QtCore import QPointF

    return [scene.view.view_to_image(QPointF(scene.at(*p))).toTuple() for p in points]


def test_a_stroke_makes_a_new_object_as_one_step(brush):
    brush.open()
    brush.use("brush")
    way = [(120, 150), (140, 150), (160, 160)]
    brush.drag(*way)
    made = brush.only()
    empty = Mask(0, 0, np.zeros((0, 0), bool))
    assert made.geometry == paint_stroke(empty, points_of_drag(brush, *way), 6.0, HEIGHT, WIDTH)
    assert made.label == "object"
    assert brush.session.selection == (made.id,)
    brush.document.undo()
    assert brush.instances == ()
    assert not brush.document.can_undo


def test_a_stroke_shows_while_it_is_painted_and_then_as_painted(brush):
    brush.open()
    brush.use("brush")
    brush.press(120, 150)
    brush.move_held(160, 150)
    shown = brush.grab()
    assert brush.instances == ()
    assert close_to(brush.color_at(140, 150, shown), brush.tinted(GREEN, "object"))
    brush.release(160, 150)
    assert close_to(brush.color_at(140, 150), brush.tinted(GREEN, "object", selected=True))


def test_painting_on_the_selected_object_keeps_it_one(brush):
    before = instance(
        "a", box_mask(20, 120, 60, 180), provenance=Provenance("seeds", (Seed(30, 130),), 0.5, 0, "m")
    )
    brush.open(before)
    brush.session.select(("a",))
    brush.use("brush")
    brush.drag((60, 150), (100, 150))
    made = brush.only()
    assert made.geometry.contains(90, 150)
    assert made.geometry.contains(25, 125)
    assert made.provenance.edited
    assert brush.document.undo_title == "Paint thing"
    brush.document.undo()
    assert brush.only() == before


def test_erasing_shows_at_once_and_spares_the_neighbour(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)), instance("b", box_mask(80, 120, 140, 180), "b"))
    brush.session.select(("a",))
    brush.use("eraser")
    brush.press(60, 150)
    brush.move_held(100, 150)
    shown = brush.grab()
    assert close_to(brush.color_at(66, 150, shown), GREEN)
    assert close_to(brush.color_at(90, 150, shown), brush.tinted(GREEN, "b"))
    brush.release(100, 150)
    assert not brush.get("a").geometry.contains(70, 150)
    assert brush.get("b").geometry == box_mask(80, 120, 140, 180)


def test_erasing_brings_out_what_lies_below(brush):
    brush.open(instance("low", box_mask(20, 120, 80, 180), "low"), instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.use("eraser")
    brush.drag((40, 150), (60, 150))
    brush.session.select(())
    assert close_to(brush.color_at(50, 150), brush.tinted(GREEN, "low"))


def test_the_eraser_takes_the_object_under_it_when_none_is_selected(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.use("eraser")
    brush.drag((30, 150), (40, 150))
    assert not brush.get("a").geometry.contains(35, 150)
    brush.drag((200, 100), (210, 100))
    assert brush.document.undo_title == "Erase from thing"


def test_erasing_everything_deletes_the_object(brush):
    brush.open(instance("a", box_mask(50, 140, 56, 146)))
    brush.session.select(("a",))
    brush.session.set_option("brush_radius", 30.0)
    brush.use("eraser")
    brush.drag((53, 143), (54, 143))
    assert brush.instances == ()
    brush.document.undo()
    assert len(brush.instances) == 1


def test_the_right_button_does_the_opposite(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.use("brush")
    brush.drag((30, 150), (40, 150), button=RIGHT)
    assert not brush.get("a").geometry.contains(35, 150)
    brush.use("eraser")
    brush.drag((30, 150), (40, 150), button=RIGHT)
    assert brush.get("a").geometry.contains(35, 150)


def test_a_stroke_that_changes_nothing_is_no_step(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.use("brush")
    brush.drag((40, 150), (50, 150))
    assert not brush.document.can_undo


def test_escape_during_a_stroke_leaves_no_trace(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.use("brush")
    brush.move(250, 50)
    before = brush.grab()
    brush.press(100, 150)
    brush.move_held(140, 150)
    brush.key(Qt.Key.Key_Escape)
    brush.release(140, 150)
    brush.move(250, 50)
    assert np.array_equal(brush.grab(), before)
    assert not brush.document.can_undo


def test_undo_and_another_picture_end_a_stroke(brush):
    brush.open()
    brush.use("brush")
    brush.drag((120, 150), (140, 150))
    brush.press(160, 150)
    brush.move_held(180, 150)
    brush.document.undo()
    brush.release(180, 150)
    assert brush.instances == ()
    assert close_to(brush.color_at(170, 150), GREEN)
    brush.press(160, 150)
    brush.open()
    brush.release(180, 150)
    assert brush.instances == ()


def test_another_object_that_appears_meanwhile_leaves_the_stroke_alone(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.use("brush")
    brush.press(90, 150)
    brush.document.add(instance("late", box_mask(200, 120, 240, 160)))
    brush.move_held(110, 150)
    brush.release(110, 150)
    assert brush.get("a").geometry.contains(100, 150)
    assert len(brush.instances) == 2


def test_locked_and_vector_objects_are_left_alone(brush):
    brush.open(
        instance("locked", box_mask(20, 120, 80, 180), locked=True),
        instance("p", triangle((100, 120), (140, 120), (120, 180))),
    )
    brush.use("brush")
    for name, text in (("locked", "locked"), ("p", "vector shape")):
        brush.session.select((name,))
        brush.drag((120, 140), (130, 140))
        assert text in brush.messages[-1]
    assert not brush.document.can_undo


def test_a_hidden_object_is_shown_when_painted_on(brush):
    brush.open(instance("a", box_mask(20, 120, 80, 180)))
    brush.session.select(("a",))
    brush.session.set_hidden({"a"})
    brush.use("brush")
    brush.drag((80, 150), (90, 150))
    assert brush.session.hidden == frozenset()


def test_shift_click_draws_a_straight_line_from_the_last_stroke(brush):
    brush.open()
    brush.use("brush")
    brush.click(110, 130)
    brush.click(160, 180, modifiers=SHIFT)
    assert brush.only().geometry.contains(135, 155)


def test_the_size_follows_keys_wheel_and_alt_drag(brush):
    brush.open()
    brush.use("brush")

    def radius():
        return brush.session.options.brush_radius

    brush.key(Qt.Key.Key_BracketRight)
    assert radius() == pytest.approx(6.9)
    brush.key(Qt.Key.Key_BracketLeft)
    assert radius() == pytest.approx(6.0)
    brush.wheel(1, modifiers=ALT)
    assert radius() == pytest.approx(6.9)
    zoom = brush.view.zoom
    brush.wheel(1)
    assert brush.view.zoom > zoom
    brush.drag((100, 100), (120, 100), modifiers=ALT)
    assert radius() == pytest.approx(26.9, abs=0.6)
    brush.drag((200, 100), (10, 100), modifiers=ALT)
    assert radius() == 0.5
    assert brush.instances == ()


def test_the_rim_follows_the_pointer_and_nothing_stays_behind(brush):
    brush.open()
    brush.use("brush")
    clean = brush.grab()
    brush.move(150, 150)
    assert (brush.grab() != clean).any()
    brush.move(60, 60)
    brush.move(-10, -10)
    brush.tools["brush"].pointer_leave()
    assert np.array_equal(brush.grab(), clean)


def test_a_move_touches_only_its_own_box(brush):
    """No whole-picture work: a brush move on a large picture repaints and writes a small box."""
    image = np.full((3000, 4000, 3), 90, np.uint8)
    brush.open(instance("a", box_mask(0, 0, 4000, 2000)), image=image)
    brush.session.select(("a",))
    brush.use("brush")
    brush.session.set_option("brush_radius", 40.0)
    brush.press(2000, 2100)
    brush.grab()
    watch = RepaintWatch(brush.view)
    brush.move_held(2040, 2100)
    box = watch.region.boundingRect()
    watch.stop()
    assert 0 < box.width() * box.height() < 60 * 60
    brush.release(2040, 2100)


def test_a_corner_of_the_picture_can_be_painted(brush):
    brush.open()
    brush.use("brush")
    brush.view.zoom_by(0.6)
    brush.drag((-5, -5), (3, 3))
    assert brush.only().geometry.box[:2] == (0, 0)
    brush.session.select(())
    brush.drag((-40, -40), (-30, -30))
    assert len(brush.instances) == 1
