from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from converters.annotation import Box, Polygon
from tests.gui.canvas_scene import GREEN, HEIGHT, WIDTH, close_to

CORNERS = ((110, 110), (160, 112), (150, 170))


@pytest.fixture
def polygon(scene):
    scene.open()
    scene.use("polygon")
    return scene


def near(points, expected, tolerance=0.6):
    return len(points) == len(expected) and np.allclose(points, expected, atol=tolerance)


def draw(scene, corners=CORNERS):
    for corner in corners:
        scene.click(*corner)


@pytest.mark.parametrize("close", ["first vertex", "enter", "double click"])
def test_a_polygon_closes_in_three_ways(polygon, close):
    draw(polygon)
    if close == "first vertex":
        polygon.click(CORNERS[0][0] + 1, CORNERS[0][1] + 1)
    elif close == "enter":
        polygon.key(Qt.Key.Key_Enter)
    else:
        polygon.double_click(*CORNERS[-1])
    made = polygon.only()
    assert isinstance(made.geometry, Polygon)
    assert near(made.geometry.points, CORNERS)
    assert polygon.session.selection == (made.id,)
    assert close_to(polygon.color_at(140, 130), polygon.tinted(GREEN, "object", selected=True))
    polygon.document.undo()
    assert polygon.instances == ()


def test_backspace_takes_vertices_back(polygon):
    draw(polygon)
    polygon.key(Qt.Key.Key_Backspace)
    polygon.click(120, 180)
    polygon.key(Qt.Key.Key_Return)
    assert near(polygon.only().geometry.points, (*CORNERS[:2], (120, 180)))


def test_two_vertices_are_no_polygon(polygon):
    draw(polygon, CORNERS[:2])
    polygon.key(Qt.Key.Key_Return)
    assert polygon.instances == ()
    assert polygon.messages == ["A polygon needs three vertices."]
    polygon.click(*CORNERS[2])
    polygon.key(Qt.Key.Key_Return)
    assert len(polygon.instances) == 1


def test_escape_drops_it(polygon):
    before = polygon.grab()
    draw(polygon)
    polygon.key(Qt.Key.Key_Escape)
    assert np.array_equal(polygon.grab(), before)
    polygon.key(Qt.Key.Key_Return)
    assert polygon.instances == ()


def test_freehand_ends_where_it_began(polygon):
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = [(150 + 30 * np.cos(a), 150 + 30 * np.sin(a)) for a in angles]
    polygon.drag(*circle)
    points = polygon.only().geometry.points
    assert len(points) > 15
    assert np.allclose(np.hypot(*(np.array(points) - 150).T), 30, atol=1.5)


def test_vertices_stay_in_the_picture(polygon):
    polygon.view.zoom_by(0.7)
    draw(polygon, ((-20, -20), (WIDTH + 20, -20), (WIDTH + 20, HEIGHT + 20)))
    polygon.key(Qt.Key.Key_Return)
    assert polygon.only().geometry.points == ((0, 0), (WIDTH, 0), (WIDTH, HEIGHT))


def test_another_tool_takes_a_half_drawn_polygon_away(polygon):
    draw(polygon)
    polygon.use("select")
    polygon.use("polygon")
    assert polygon.tools["polygon"].points == ()


def test_a_drag_makes_a_box_as_one_step(scene):
    scene.open()
    scene.use("box")
    scene.press(160, 170)
    scene.move_held(110, 120)
    assert scene.instances == ()
    assert not close_to(scene.color_at(130, 150), GREEN, 5)
    scene.release(110, 120)
    made = scene.only().geometry
    assert isinstance(made, Box)
    assert near([(made.x0, made.y0), (made.x1, made.y1)], [(110, 120), (160, 170)])
    assert scene.session.selection == (scene.only().id,)
    scene.document.undo()
    assert scene.instances == ()


def test_a_click_is_no_box_and_escape_drops_one(scene):
    scene.open()
    scene.use("box")
    scene.click(120, 120)
    scene.press(110, 110)
    scene.move_held(150, 150)
    scene.key(Qt.Key.Key_Escape)
    scene.release(150, 150)
    assert scene.instances == ()


def test_shift_keeps_a_box_square_and_it_stays_in_the_picture(scene):
    scene.open()
    scene.use("box")
    scene.drag((110, 110), (150, 130), modifiers=Qt.KeyboardModifier.ShiftModifier)
    square = scene.only().geometry
    assert square.x1 - square.x0 == pytest.approx(square.y1 - square.y0)
    scene.view.zoom_by(0.7)
    scene.drag((200, 150), (WIDTH + 30, HEIGHT + 30))
    box = scene.instances[-1].geometry
    assert (box.x1, box.y1) == (WIDTH, HEIGHT)
