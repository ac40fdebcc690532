from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt

from converters.annotation import Box, Circle, Line, LineStrip, OrientedBox, Point, PointSet, Polygon
from tests.gui.canvas_scene import GREEN, HEIGHT, WIDTH, box_mask, close_to, instance, ring_mask, triangle

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
TRIANGLE = ((110.0, 110.0), (170.0, 110.0), (140.0, 170.0))


@pytest.fixture
def select(scene):
    scene.use("select")
    return scene


def test_clicking_picks_the_topmost_and_nothing_beside(select):
    low, high = box_mask(20, 120, 100, 190), ring_mask(40, 130, 90, 180, 10)
    select.open(instance("low", low), instance("high", high))
    select.click(42, 150)
    assert select.session.selection == ("high",)
    select.click(65, 155)  # through the hole
    assert select.session.selection == ("low",)
    select.click(150, 50)
    assert select.session.selection == ()


def test_shift_adds_and_takes_away(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)), instance("b", box_mask(80, 120, 120, 190)))
    select.click(40, 150)
    select.click(100, 150, modifiers=SHIFT)
    assert select.session.selection == ("a", "b")
    select.click(40, 150, modifiers=SHIFT)
    assert select.session.selection == ("b",)
    select.click(150, 50, modifiers=SHIFT)
    assert select.session.selection == ("b",)


def test_alt_goes_down_the_stack(select):
    select.open(*(instance(name, box_mask(20, 120, 100, 190)) for name in ("low", "middle", "high")))
    seen = []
    for _ in range(4):
        select.click(50, 150, modifiers=ALT)
        seen += select.session.selection
    assert seen == ["high", "middle", "low", "high"]


@pytest.mark.parametrize(
    "geometry",
    [
        Point(60, 150),
        PointSet(((60, 150), (90, 150))),
        Line((30, 150), (90, 150)),
        LineStrip(((30, 150), (90, 150))),
    ],
)
def test_lines_and_points_are_picked_near_by(select, geometry):
    select.open(instance("region", box_mask(0, 100, 150, 200)), instance("thin", geometry))
    select.click(60, 151)
    assert select.session.selection == ("thin",)
    select.click(60, 165)
    assert select.session.selection == ("region",)


def test_hidden_objects_cannot_be_picked(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)), instance("p", Point(150, 50)))
    select.session.set_hidden({"a", "p"})
    select.click(40, 150)
    select.click(150, 50)
    assert select.session.selection == ()


def test_a_rubber_band_selects_what_it_touches(select):
    select.open(
        instance("in", box_mask(120, 120, 130, 130)),
        instance("touched", box_mask(150, 120, 170, 190)),
        instance("out", box_mask(10, 120, 20, 130)),
        instance("ring", ring_mask(100, 100, 190, 199, 8)),
        instance("dot", Point(140, 140)),
    )
    select.drag((112, 112), (120, 125), (155, 150))
    assert select.session.selection == ("in", "touched", "dot")
    select.drag((5, 115), (12, 122), (15, 125), modifiers=SHIFT)
    assert select.session.selection == ("in", "touched", "dot", "out")


def test_dragging_moves_a_mask_in_one_step(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)))
    select.press(40, 150)
    select.move_held(60, 150)
    select.move_held(90, 140)
    assert not close_to(select.color_at(100, 150), GREEN, 10)
    assert select.get("a").geometry == box_mask(20, 120, 60, 190)  # not before the release
    select.release(90, 140)
    moved = select.get("a").geometry
    assert moved.array.shape == (70, 40)
    assert (moved.x0, moved.y0) == pytest.approx((70, 110), abs=1)
    assert select.document.undo_title == "Move"
    select.document.undo()
    assert select.get("a").geometry == box_mask(20, 120, 60, 190)
    assert not select.document.can_undo


def test_a_small_shake_is_no_move(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)))
    select.drag((40, 150), (40.6, 150.4))
    assert not select.document.can_undo


def test_several_objects_move_together_and_stay_in_the_picture(select):
    select.open(
        instance("a", box_mask(20, 120, 60, 190)),
        instance("b", triangle((100, 120), (140, 120), (120, 180))),
        instance("locked", box_mask(200, 120, 220, 140), locked=True),
    )
    select.session.select(("a", "b", "locked"))
    select.drag((40, 150), (20, 150), (-200, 150))
    assert select.get("a").geometry == box_mask(0, 120, 40, 190)
    assert select.get("b").geometry.points[0] == pytest.approx((80, 120))
    assert select.get("locked").geometry == box_mask(200, 120, 220, 140)


def test_locked_objects_never_move(select):
    select.open(
        instance("a", box_mask(20, 120, 60, 190), locked=True),
        instance("p", Polygon(TRIANGLE), locked=True),
    )
    select.drag((40, 150), (60, 150), (80, 150))
    select.click(140, 130)
    assert select.session.selection == ("p",)
    select.drag(TRIANGLE[0], (100, 100), (90, 90))
    select.key(Qt.Key.Key_Right)
    assert not select.document.can_undo


def test_vertices_can_be_pulled_added_and_removed(select):
    select.open(instance("p", Polygon(TRIANGLE)))
    select.session.select(("p",))
    select.drag(TRIANGLE[2], (150, 160), (160, 190))
    assert select.get("p").geometry.points[2] == pytest.approx((160, 190), abs=0.6)
    assert select.document.undo_title == "Move a vertex"
    select.double_click(140, 110)
    points = select.get("p").geometry.points
    assert len(points) == 4
    assert points[1] == pytest.approx((140, 110), abs=0.6)
    select.drag(points[1], (140, 105), (140, 100))
    assert select.get("p").geometry.points[1] == pytest.approx((140, 100), abs=0.8)
    select.key(Qt.Key.Key_Delete)
    assert len(select.get("p").geometry.points) == 3
    select.click(*TRIANGLE[0])
    select.key(Qt.Key.Key_Delete)  # the last three stay
    assert len(select.get("p").geometry.points) == 3
    for _ in range(4):
        select.document.undo()
    assert select.get("p").geometry.points == TRIANGLE


def test_a_vertex_cannot_leave_the_picture(select):
    select.open(instance("p", Polygon(TRIANGLE)))
    select.session.select(("p",))
    select.view.zoom_by(0.6)
    select.drag(TRIANGLE[2], (200, 300), (WIDTH + 40, HEIGHT + 40))
    assert select.get("p").geometry.points[2] == (WIDTH, HEIGHT)


def test_a_box_is_sized_by_its_corners(select):
    select.open(instance("b", Box(110, 110, 170, 170)))
    select.session.select(("b",))
    select.drag((170, 110), (175, 105), (180, 100))
    box = select.get("b").geometry
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((110, 100, 180, 170), abs=0.6)


def test_an_oriented_box_keeps_its_angle(select):
    corners = ((150.0, 110.0), (180.0, 140.0), (150.0, 170.0), (120.0, 140.0))
    select.open(instance("o", OrientedBox(corners)))
    select.session.select(("o",))
    select.drag(corners[1], (190, 145), (200, 150))
    a, b, c, d = (np.array(p) for p in select.get("o").geometry.points)
    assert tuple(d) == pytest.approx(corners[3], abs=1e-6)
    assert tuple(b) == pytest.approx((200, 150), abs=0.7)
    assert abs(np.dot(b - a, c - b)) < 1e-6
    assert np.allclose(b - a, c - d)


def test_a_circle_is_moved_by_its_centre_and_sized_by_its_rim(select):
    select.open(instance("c", Circle((140.0, 140.0), (160.0, 140.0))))
    select.session.select(("c",))
    select.drag((160, 140), (165, 140), (175, 140))
    circle = select.get("c").geometry
    assert math.dist(circle.center, circle.edge) == pytest.approx(35, abs=0.6)
    select.drag((140, 140), (145, 145), (150, 150))
    circle = select.get("c").geometry
    assert circle.center == pytest.approx((150, 150), abs=0.6)
    assert math.dist(circle.center, circle.edge) == pytest.approx(35, abs=0.6)


@pytest.mark.parametrize("geometry", [Line((110, 130), (170, 130)), LineStrip(((110, 130), (170, 130)))])
def test_line_ends_can_be_pulled(select, geometry):
    select.open(instance("l", geometry))
    select.session.select(("l",))
    select.drag((170, 130), (175, 140), (180, 150))
    end = select.get("l").geometry
    end = end.end if isinstance(end, Line) else end.points[-1]
    assert end == pytest.approx((180, 150), abs=0.6)


def test_points_can_be_pulled(select):
    select.open(instance("p", Point(140, 140)), instance("s", PointSet(((200, 140), (220, 140)))))
    select.session.select(("p",))
    select.drag((140, 140), (145, 145), (150, 150))
    assert (select.get("p").geometry.x, select.get("p").geometry.y) == pytest.approx((150, 150), abs=0.6)
    select.session.select(("s",))
    select.drag((220, 140), (225, 145), (230, 150))
    assert select.get("s").geometry.points[1] == pytest.approx((230, 150), abs=0.6)


def test_escape_gives_a_drag_up_and_then_the_selection(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)))
    select.press(40, 150)
    select.move_held(90, 140)
    select.key(Qt.Key.Key_Escape)
    select.release(90, 140)
    assert not select.document.can_undo
    assert select.session.selection == ("a",)
    select.key(Qt.Key.Key_Escape)
    assert select.session.selection == ()


def test_arrow_keys_nudge_as_one_step(select):
    select.open(instance("a", box_mask(20, 120, 60, 190)))
    select.session.select(("a",))
    for _ in range(3):
        select.key(Qt.Key.Key_Right)
    select.key(Qt.Key.Key_Up, SHIFT)
    assert select.get("a").geometry == box_mask(23, 110, 63, 180)
    select.document.undo()
    assert not select.document.can_undo


def test_delete_is_claimed_only_with_a_chosen_vertex(select):
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QKeyEvent
    from PySide6.QtWidgets import QApplication

    select.open(instance("p", Polygon((*TRIANGLE, (120.0, 150.0)))))
    select.session.select(("p",))

    def claimed():
        event = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)
        event.ignore()
        QApplication.sendEvent(select.view, event)
        return event.isAccepted()

    assert not claimed()
    select.click(*TRIANGLE[0])
    assert claimed()


def test_handles_are_drawn_for_the_one_selected_vector_object_only(select):
    select.open(instance("p", Polygon(TRIANGLE)), instance("q", Box(200, 130, 240, 170)))
    plain = select.grab()
    select.session.select(("p",))
    shown = select.grab()
    x, y = (int(v) for v in select.view.viewport.to_device(*TRIANGLE[0]))
    assert close_to(shown[y, x], (255, 255, 255), 3)
    x, y = (int(v) for v in select.view.viewport.to_device(200, 130))
    assert np.array_equal(shown[y - 5 : y + 5, x - 5 : x + 5], plain[y - 5 : y + 5, x - 5 : x + 5])
    assert not close_to(plain[y, x], GREEN)
