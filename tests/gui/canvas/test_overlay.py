from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from app.canvas.overlay import OUTLINE_OPACITY, Overlay, border_of, premultiplied
from app.pixels.label_image import draw_labels
from app.pixels.viewport import Viewport
from converters.annotation import ImageAnnotation, Mask
from tests.gui.canvas_scene import box_mask, instance, to_array

SIZE = 120, 160
COLORS = [QColor(255, 0, 0), QColor(0, 255, 0), QColor(0, 0, 255), QColor(255, 255, 0)]


def scattered(count=25, seed=0):
    random = np.random.default_rng(seed)
    return [
        instance(
            f"i{k}",
            Mask(int(random.integers(0, 150)), int(random.integers(0, 110)), random.random((20, 24)) > 0.2),
        )
        for k in range(count)
    ]


def overlay_of(instances, outline_width=1):
    labels = draw_labels(ImageAnnotation("a", *SIZE, tuple(instances)))
    overlay = Overlay()
    overlay.outline_width = outline_width
    for number, each in enumerate(instances):
        overlay.set_color(labels.slot_of(each.id), COLORS[number % len(COLORS)], 0.5)
    overlay.set_labels(labels)
    return overlay


def painted(overlay, viewport):
    screen = QImage(viewport.width, viewport.height, QImage.Format.Format_RGB32)
    screen.fill(QColor(100, 100, 100))
    painter = QPainter(screen)
    overlay.paint(painter, viewport)
    painter.end()
    return to_array(screen)


def viewport(scale=1.0, width=200, height=150):
    return Viewport(SIZE[1], SIZE[0], width, height).centered(scale, SIZE[1] / 2, SIZE[0] / 2)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5, 9.0])
def test_fill_and_outline_have_the_label_colour_and_the_rest_is_clear(qapp, scale):
    view = viewport(scale, 1600, 1300)
    shown = painted(overlay_of([instance("a", box_mask(60, 40, 110, 90))]), view)

    def at(x, y):
        column, row = (int(v) for v in view.to_device(x, y))
        return tuple(int(v) for v in shown[row, column])

    assert at(85, 65) == pytest.approx((178, 50, 50), abs=2)
    assert at(20, 20) == (100, 100, 100)
    left = int(np.ceil(view.to_device(60, 65)[0]))
    assert shown[int(view.to_device(60, 65)[1]), left][0] > 195
    assert shown[int(view.to_device(60, 65)[1]), left - 3].tolist() == [100, 100, 100]


@pytest.mark.parametrize("outline_width", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.37, 1.0, 2.6, 7.0])
def test_a_dirty_box_gives_the_pixels_of_a_full_repaint(qapp, scale, outline_width):
    instances = scattered()
    overlay, view = overlay_of(instances, outline_width), viewport(scale)
    painted(overlay, view)
    random = np.random.default_rng(5)
    for _ in range(12):
        x, y = int(random.integers(0, 150)), int(random.integers(0, 110))
        overlay.labels.write(box_mask(x, y, x + 9, y + 7), int(random.integers(0, 5)))
        overlay.invalidate((x, y, x + 9, y + 7))
        partly = painted(overlay, view)
        overlay.invalidate()
        assert np.array_equal(partly, painted(overlay, view))


@pytest.mark.parametrize("scale", [0.37, 1.0, 2.6, 7.0])
def test_panning_gives_the_pixels_of_a_full_repaint(qapp, scale):
    overlay, view = overlay_of(scattered(), 2), viewport(scale)
    painted(overlay, view)
    random = np.random.default_rng(6)
    for _ in range(15):
        view = view.panned(*(int(v) for v in random.integers(-60, 60, 2)))
        moved = painted(overlay, view)
        overlay.invalidate()
        assert np.array_equal(moved, painted(overlay, view))


def test_a_pan_past_the_window_repaints_all(qapp):
    overlay, view = overlay_of(scattered()), viewport(20.0)
    painted(overlay, view)
    view = view.panned(500, 0)
    moved = painted(overlay, view)
    overlay.invalidate()
    assert np.array_equal(moved, painted(overlay, view))


def test_without_labels_nothing_is_painted(qapp):
    assert (painted(Overlay(), viewport()) == 100).all()


def test_borders_lie_inside_regions():
    slots = np.zeros((9, 9), np.int32)
    slots[2:7, 2:7] = 1
    slots[4, 4] = 2
    border = border_of(slots, 1)
    assert not border[slots == 0].any()
    assert border[2, 2:7].all()
    assert border[4, 4]
    assert not border_of(np.ones((5, 5), np.int32), 2).any()


def test_new_colours_for_many_look_as_if_they_had_been_there_from_the_start(qapp):
    instances, view = scattered(), viewport(0.8)
    changed, fresh = overlay_of(instances), overlay_of(instances)
    painted(changed, view)
    slots = [changed.labels.slot_of(each.id) for each in instances]
    table = [premultiplied(QColor(10, 20, 200), opacity) for opacity in (0.4, OUTLINE_OPACITY)]
    for overlay in (changed, fresh):
        overlay.set_colors(slots, [table[0]] * len(slots), [table[1]] * len(slots))
    changed.invalidate_colors()
    assert np.array_equal(painted(changed, view), painted(fresh, view))
