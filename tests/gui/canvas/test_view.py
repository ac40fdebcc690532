from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication

from app.pixels.viewport import Viewport
from converters.annotation import Line, LineStrip, Point, PointSet
from tests.gui.canvas_scene import (
    BLUE,
    GREEN,
    HEIGHT,
    RED,
    WIDTH,
    RepaintWatch,
    box_mask,
    close_to,
    instance,
    repaint,
    ring_mask,
    to_array,
    triangle,
)

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
CONTROL = Qt.KeyboardModifier.ControlModifier


def test_a_mask_is_tinted_its_hole_and_the_rest_are_not(scene):
    scene.open(instance("ring", ring_mask(40, 40, 160, 160, hole=30), "ring"))
    shown = scene.grab()
    assert close_to(scene.color_at(120, 50, shown), scene.tinted(GREEN, "ring"))
    assert close_to(scene.color_at(55, 60, shown), scene.tinted(RED, "ring"))
    assert close_to(scene.color_at(90, 90, shown), RED)
    assert close_to(scene.color_at(110, 120, shown), GREEN)
    assert close_to(scene.color_at(225, 50, shown), BLUE)


def test_the_whole_picture_shows_at_first_and_stays_fitted(scene):
    scene.open()
    assert scene.view.visible_region() == (0, 0, WIDTH, HEIGHT)
    scene.view.resize(900, 500)
    QApplication.processEvents()
    assert scene.view.visible_region() == (0, 0, WIDTH, HEIGHT)
    assert scene.view.zoom == pytest.approx(scene.view.viewport.fit_scale())


def test_nothing_open_shows_nothing(scene):
    shown = scene.grab()
    assert (shown == shown[0, 0]).all()
    scene.click(10, 10)
    scene.wheel(1)
    scene.open(instance("a", box_mask(0, 0, 50, 50)))
    scene.session.open_document(None, None)
    assert (scene.grab() == shown).all()


def test_control_wheel_zooms_to_the_cursor(scene, qtbot):
    scene.open()
    view = scene.view
    under = scene.at(225, 55)
    before = view.view_to_image(QPointF(under))
    with qtbot.waitSignal(view.zoom_changed):
        scene.wheel(4, 225, 55, CONTROL)
    after = view.view_to_image(QPointF(under))
    assert view.zoom > 2 * view.viewport.fit_scale()
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()), abs=0.3)


def test_middle_drag_and_space_drag_pan(scene):
    scene.open()
    scene.view.actual_size()
    scene.view.zoom_by(4)
    start = scene.view.viewport
    scene.drag((150, 100), (140, 95), button=MIDDLE)
    moved = scene.view.viewport
    assert moved.offset_x < start.offset_x
    assert moved.offset_y < start.offset_y
    scene.key(Qt.Key.Key_Space)  # pressed and released: no panning afterwards
    assert not scene.view._space_held


def test_space_pans_instead_of_using_the_tool(scene, qtbot):
    document = scene.open()
    scene.use("box")
    scene.view.zoom_by(3)
    start = scene.view.viewport
    qtbot.keyPress(scene.view, Qt.Key.Key_Space)
    scene.drag((150, 100), (120, 90))
    qtbot.keyRelease(scene.view, Qt.Key.Key_Space)
    assert scene.view.viewport != start
    assert document.annotation.instances == ()


def test_actual_size_and_center_on(scene):
    scene.open()
    scene.view.actual_size()
    assert scene.view.zoom == 1.0
    scene.view.center_on((180, 20, 270, 90))
    x0, y0, x1, y1 = scene.view.visible_region()
    assert x0 <= 180
    assert y0 <= 20
    assert x1 >= 270
    assert y1 >= 90
    assert scene.view.zoom > 2


def test_far_zoomed_in_pixels_are_squares_with_a_faint_grid(scene):
    image = np.random.default_rng(0).integers(40, 210, (40, 40, 3), dtype=np.uint8)
    scene.open(image=image)
    scene.view._set_viewport(scene.view.viewport.centered(8.0, 20, 20))
    shown = scene.grab()
    x, y = (int(v) for v in scene.view.viewport.to_device(20, 20))
    assert (shown[y + 1 : y + 7, x + 1 : x + 7] == image[20, 20]).all()
    assert (shown[y, x] == image[20, 20]).all()
    scene.view._set_viewport(scene.view.viewport.centered(20.0, 20, 20))
    shown = scene.grab()
    x, y = (int(v) for v in scene.view.viewport.to_device(20, 20))
    assert (shown[y + 2 : y + 18, x + 2 : x + 18] == image[20, 20]).all()
    assert (shown[y, x] != image[20, 20]).any()
    assert np.abs(shown[y, x + 5].astype(int) - image[20, 20]).max() < 60


def test_the_cursor_is_told_in_picture_pixels(scene):
    scene.open()
    told = []
    scene.view.cursor_moved.connect(told.append)
    scene.move(150, 100)
    scene.move(-20, -5)
    assert told[0] == pytest.approx((150, 100), abs=0.6)
    assert told[-1] is None


def test_hidden_objects_go_and_come_back(scene):
    scene.open(
        instance("low", box_mask(20, 120, 120, 190), "low"),
        instance("high", box_mask(20, 120, 120, 190), "high"),
    )
    shown = scene.grab()
    scene.session.set_hidden({"high"})
    assert close_to(scene.color_at(60, 150), scene.tinted(GREEN, "low"))
    assert scene.view.annotations.pick(60, 150) == "low"
    scene.session.set_hidden({"high", "low"})
    assert close_to(scene.color_at(60, 150), GREEN)
    scene.session.set_hidden(())
    assert np.array_equal(scene.grab(), shown)


def test_the_selection_is_outlined_and_stronger(scene):
    scene.open(instance("a", box_mask(20, 120, 120, 190)))
    before = scene.grab()
    scene.session.select(("a",))
    shown = scene.grab()
    assert close_to(scene.color_at(60, 150, shown), scene.tinted(GREEN, selected=True))
    row, column = (int(v) for v in reversed(scene.view.viewport.to_device(60, 120)))
    assert (shown[row - 3 : row + 3, column].min(axis=1) > 180).any()  # a white line
    scene.session.select(())
    assert np.array_equal(scene.grab(), before)


@pytest.mark.parametrize(
    ("geometry", "on"),
    [
        (Point(60, 150), (60, 150)),
        (PointSet(((60, 150), (80, 170))), (80, 170)),
        (Line((20, 130), (100, 190)), (60, 160)),
        (LineStrip(((20, 130), (60, 160), (100, 130))), (60, 160)),
    ],
)
def test_lines_and_points_are_drawn(scene, geometry, on):
    scene.open(instance("thin", geometry, "thin"))
    color = scene.session.color_of("thin").getRgb()[:3]
    assert close_to(scene.color_at(*on), color, 40)
    scene.session.set_hidden({"thin"})
    assert close_to(scene.color_at(*on), GREEN)


def test_opacity_and_label_colours_follow(scene):
    scene.open(instance("a", box_mask(20, 120, 120, 190)))
    scene.session.set_option("overlay_opacity", 0.8)
    assert close_to(scene.color_at(60, 150), scene.tinted(GREEN, opacity=0.8))
    scene.session.set_label_color("thing", "#ffffff")
    assert close_to(scene.color_at(60, 150), scene.tinted(GREEN, opacity=0.8))
    assert scene.session.color_of("thing").name() == "#ffffff"


def test_a_new_label_brings_its_colour(scene):
    document = scene.open(instance("a", box_mask(20, 120, 120, 190)))
    document.relabel(["a"], "other")
    assert close_to(scene.color_at(60, 150), scene.tinted(GREEN, "other"))
    document.undo()
    assert close_to(scene.color_at(60, 150), scene.tinted(GREEN, "thing"))


def test_edits_undo_and_reorder_repaint_only_what_changed_and_that_fully(scene):
    """What is on the screen after partial repaints equals what a full repaint gives."""
    random = np.random.default_rng(2)
    document = scene.open(
        *(instance(f"i{k}", box_mask(k * 20, 30, k * 20 + 50, 90), f"l{k}") for k in range(8))
    )
    scene.view._set_viewport(scene.view.viewport.zoomed(1.7, (320.0, 240.0)))
    QApplication.processEvents()
    screen = scene.view.grab().toImage()
    watch = RepaintWatch(scene.view)
    area = scene.view.width() * scene.view.height()

    def edit(step):
        name = f"i{int(random.integers(0, 8))}"
        known = document.annotation.instance(name)
        if step % 5 == 0:
            document.undo()
        elif step % 5 == 1:
            document.move([name], int(random.integers(0, 8)))
        elif step % 5 == 2:
            scene.session.select((name,) if known else ())
        elif known is not None and step % 5 == 3:
            x, y = (int(v) for v in random.integers(0, 150, 2))
            document.replace(replace(known, geometry=ring_mask(x, y, x + 60, y + 40, hole=9)))
        elif known is not None:
            document.remove([name])

    for step in range(40):
        watch.region = watch.region.subtracted(watch.region)
        edit(step)
        QApplication.processEvents()
        partly = watch.region
        repaint(scene.view, screen, partly)
        scene.view.annotations.overlay.invalidate()
        whole = to_array(scene.view.grab().toImage())
        # Qt interpolates the photo in fixed point from the start of each span: the last bit may differ.
        assert np.abs(to_array(screen).astype(int) - whole).max() <= 1, step
    watch.region = watch.region.subtracted(watch.region)
    document.add(instance("tiny", box_mask(150, 100, 154, 104)))
    QApplication.processEvents()
    painted = sum(rect.width() * rect.height() for rect in watch.region)
    assert 0 < painted < area / 50
    watch.stop()


def test_polygons_are_filled_and_the_selected_one_is_outlined(scene):
    scene.open(instance("p", triangle((20, 120), (120, 120), (70, 195)), "poly"))
    assert close_to(scene.color_at(70, 140), scene.tinted(GREEN, "poly"))
    scene.session.select(("p",))
    row, column = (int(v) for v in reversed(scene.view.viewport.to_device(70, 120)))
    assert (scene.grab()[row - 3 : row + 4, column].min(axis=1) > 200).any()


def test_with_many_polygons_the_label_image_outlines_them(scene):
    """Lines are smoother, but only a few of them fit into a frame."""
    ring = [
        (60 + 40 * np.cos(a), 150 + 40 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 300, endpoint=False)
    ]
    document = scene.open(instance("p", triangle(*ring), "poly"))
    color = scene.session.color_of("poly").getRgb()[:3]

    def outline():
        row, column = (int(v) for v in reversed(scene.view.viewport.to_device(60, 110.5)))
        return scene.grab()[row - 3 : row + 4, column]

    assert scene.view.annotations.vector_outlined == {"p"}
    assert any(close_to(pixel, color, 30) for pixel in outline())
    document.add(*(instance(f"more{k}", triangle(*ring), "more") for k in range(8)), title="more")
    assert scene.view.annotations.vector_outlined == frozenset()
    color = scene.session.color_of("more").getRgb()[:3]
    assert any(close_to(pixel, color, 60) for pixel in outline())
    document.undo()
    assert scene.view.annotations.vector_outlined == {"p"}


def test_a_busy_note_shows_and_goes(scene):
    scene.open()
    before = scene.grab()
    scene.view.set_busy("Reading the picture…")
    assert (scene.grab()[-45:, :200] != before[-45:, :200]).any()
    scene.view.set_busy(None)
    assert np.array_equal(scene.grab(), before)


def test_opening_another_picture_forgets_the_first(scene):
    scene.open(instance("a", box_mask(0, 0, 100, 100)))
    scene.session.select(("a",))
    scene.session.set_hidden({"a"})
    scene.open(image=np.full((64, 80, 3), 77, np.uint8))
    assert scene.session.selection == ()
    assert scene.session.hidden == frozenset()
    assert scene.view.visible_region() == (0, 0, 80, 64)
    assert close_to(scene.color_at(40, 32), (77, 77, 77))
    assert scene.view.annotations.pick(40, 32) is None


def test_labels_drawn_by_the_loader_are_used(scene):
    from app.document.document import Document
    from app.pixels.base_image import prepare_image
    from app.pixels.label_image import draw_labels
    from converters.annotation import ImageAnnotation

    image = np.full((64, 80, 3), 77, np.uint8)
    annotation = ImageAnnotation("a.png", 64, 80, (instance("a", box_mask(0, 0, 40, 40)),))
    labels = draw_labels(annotation)
    scene.session.open_document(Document(annotation), prepare_image(image), labels)
    assert scene.view.annotations.labels is labels
    assert close_to(scene.color_at(20, 20), scene.tinted((77, 77, 77)))


def test_a_huge_picture_far_zoomed_in_is_drawn_where_it_should(scene):
    """Beyond 32767 device pixels the raster painter's own coordinates would overflow."""
    image = np.zeros((100, 4000, 3), np.uint8)
    image[:, 3900:] = (200, 100, 50)
    scene.open(image=image)
    scene.view._set_viewport(scene.view.viewport.centered(60.0, 3900, 50))
    shown = scene.grab()
    middle = scene.view.viewport.width // 2
    assert close_to(shown[270, middle + 30], (200, 100, 50))
    assert close_to(shown[270, middle - 30], (0, 0, 0))
    assert isinstance(scene.view.viewport, Viewport)
