from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QObject, QPointF, Qt

from app.editing.superpixels import compute_superpixels
from converters.annotation import Mask, Provenance, Seed
from converters.shapes import geometry
from tests.gui.canvas_scene import (
    GREEN,
    RED_SQUARE,
    box_mask,
    close_to,
    instance,
    picture,
    triangle,
)

RIGHT = Qt.MouseButton.RightButton
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
SIZE = 16.0
IN_RED = (70, 75)


@pytest.fixture
def superpixels(scene):
    """The canvas with the tool at work on superpixels of 16 pixels."""
    scene.session.set_option("superpixel_size", SIZE)
    return scene


def start(scene, *instances, image=None):
    scene.open(*instances, image=image)
    scene.use("superpixel")
    scene.settle()
    return scene.view.superpixels.current


def mask_at(found, *points):
    return found.mask_of([found.label_at(*point) for point in points])


class BusyListener(QObject):
    """What the layer tells about its work."""

    def __init__(self, layer):
        super().__init__()
        self.texts = []
        layer.busy_changed.connect(self._take)

    def _take(self, text):
        self.texts.append(text)


def test_superpixels_come_from_the_background_and_show_as_a_net(superpixels):
    superpixels.open()
    busy = BusyListener(superpixels.view.superpixels)
    before = superpixels.grab()
    superpixels.use("superpixel")
    assert superpixels.view.superpixels.current is None
    assert superpixels.view.cursor().shape() == Qt.CursorShape.BusyCursor
    assert busy.texts == ["Computing superpixels…"]
    superpixels.settle()
    found = superpixels.view.superpixels.current
    assert np.array_equal(found.labels, compute_superpixels(picture(), SIZE).labels)
    assert busy.texts == ["Computing superpixels…", None]
    assert superpixels.view.cursor().shape() == Qt.CursorShape.CrossCursor
    changed = (superpixels.grab() != before).any(axis=2)
    assert 0.02 < changed.mean() < 0.5
    superpixels.use("select")
    assert np.array_equal(superpixels.grab(), before)


def test_the_net_runs_along_the_borders_and_nowhere_else(superpixels):
    found = start(superpixels)
    superpixels.view.zoom_by(2.0)
    superpixels.settle()
    with_net, view = superpixels.grab(), superpixels.view
    superpixels.use("select")
    plain = superpixels.grab()
    height, width = plain.shape[:2]
    columns = [int(view.viewport.to_image(x + 0.5, 0)[0]) for x in range(width)]
    rows = [int(view.viewport.to_image(0, y + 0.5)[1]) for y in range(height)]
    labels = found.labels[np.ix_(rows, columns)]  # the picture is larger than the window
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    touched = cv2.dilate(border.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert 0.02 < border.mean() < 0.2
    assert np.array_equal((with_net != plain).any(axis=2), touched)
    assert (with_net[border].astype(int).sum(axis=1) > plain[border].astype(int).sum(axis=1)).all()


def test_a_net_too_narrow_for_the_screen_is_not_drawn(superpixels):
    superpixels.open()
    superpixels.use("seed")
    superpixels.view.zoom_by(0.1)
    superpixels.settle()
    before = superpixels.grab()
    superpixels.use("superpixel")
    superpixels.settle()
    assert superpixels.view.superpixels.current is not None
    assert np.array_equal(superpixels.grab(), before)


def test_the_superpixel_under_the_pointer_lights_up(superpixels):
    found = start(superpixels)
    superpixels.move(*IN_RED)
    hovered = mask_at(found, IN_RED)
    preview = superpixels.view.preview
    assert Mask(int(preview.region[0]), int(preview.region[1]), preview.array) == hovered
    assert not close_to(superpixels.color_at(*IN_RED), (200, 40, 40), 20)
    superpixels.move(200, 100)
    assert not hovered.contains(preview.region[0], preview.region[1])
    superpixels.tools["superpixel"].pointer_leave()
    assert preview.array is None


def test_a_click_makes_an_object_of_one_superpixel(superpixels):
    found = start(superpixels)
    superpixels.click(*IN_RED)
    made = superpixels.only()
    assert made.geometry == mask_at(found, IN_RED)
    assert made.label == "object"
    assert superpixels.session.selection == (made.id,)
    x0, y0, x1, y1 = RED_SQUARE
    assert geometry.difference(made.geometry, box_mask(x0 - 2, y0 - 2, x1 + 2, y1 + 2)).is_empty


def test_a_drag_adds_every_superpixel_on_its_way_as_one_step(superpixels):
    found = start(superpixels)
    points = [(50, 50), (90, 50), (90, 100)]
    superpixels.drag(*points)
    exact = [superpixels.view.view_to_image(QPointF(superpixels.at(*p))).toTuple() for p in points]
    way = [
        (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
        for a, b in pairwise(exact)
        for t in np.linspace(0, 1, 200)
    ]
    made = superpixels.only()
    passed = mask_at(found, *way)
    assert geometry.difference(passed, made.geometry).is_empty
    assert made.geometry.area <= 1.3 * passed.area  # the way is a pixel wide: it may touch one more
    assert superpixels.document.undo_title == "Paint object"
    superpixels.document.undo()
    assert superpixels.instances == ()
    assert not superpixels.document.can_undo


def test_painting_on_the_selected_object_keeps_it_one(superpixels):
    before = instance(
        "a", box_mask(40, 40, 60, 60), provenance=Provenance("seeds", (Seed(50, 50),), 0.5, 0, "m")
    )
    found = start(superpixels, before)
    superpixels.session.select(("a",))
    superpixels.click(90, 100)
    made = superpixels.only()
    assert made.geometry == geometry.union(before.geometry, mask_at(found, (90, 100)))
    assert made.provenance.edited
    superpixels.document.undo()
    assert superpixels.only() == before


@pytest.mark.parametrize(("button", "modifiers"), [(RIGHT, None), (Qt.MouseButton.LeftButton, ALT)])
def test_the_right_button_and_alt_take_superpixels_away(superpixels, button, modifiers):
    before = instance("a", box_mask(*RED_SQUARE))
    found = start(superpixels, before)
    superpixels.session.select(("a",))
    superpixels.click(*IN_RED, button, modifiers or Qt.KeyboardModifier.NoModifier)
    taken = mask_at(found, IN_RED)
    assert superpixels.get("a").geometry == geometry.difference(before.geometry, taken)
    assert superpixels.document.undo_title == "Erase from thing"


def test_erasing_takes_the_object_under_the_pointer_and_deletes_what_is_left_empty(superpixels):
    start(superpixels, instance("a", box_mask(68, 73, 72, 77)))
    superpixels.click(200, 150, RIGHT)
    assert not superpixels.document.can_undo
    superpixels.click(*IN_RED, RIGHT)
    assert superpixels.instances == ()
    assert superpixels.document.undo_title == "Erase thing"


def test_a_stroke_shows_while_it_is_painted(superpixels):
    found = start(superpixels)
    superpixels.press(*IN_RED)
    assert superpixels.view.preview.array is None
    assert superpixels.instances == ()
    x, y = middle_of(found, IN_RED)
    assert close_to(superpixels.color_at(x, y), superpixels.tinted((200, 40, 40), "object"))
    superpixels.release(*IN_RED)


def middle_of(found, point):
    """A point well inside the superpixel at a point."""
    mask = mask_at(found, point)
    rows, columns = np.nonzero(mask.array)
    return mask.x0 + int(np.median(columns)) + 0.5, mask.y0 + int(np.median(rows)) + 0.5


def test_escape_during_a_stroke_leaves_no_trace(superpixels):
    start(superpixels, instance("a", box_mask(40, 40, 60, 60)))
    superpixels.session.select(("a",))
    superpixels.move(250, 150)
    before = superpixels.grab()
    superpixels.press(100, 150)
    superpixels.move_held(140, 150)
    superpixels.key(Qt.Key.Key_Escape)
    superpixels.release(140, 150)
    superpixels.move(250, 150)
    assert np.array_equal(superpixels.grab(), before)
    assert not superpixels.document.can_undo
    superpixels.key(Qt.Key.Key_Escape)
    assert superpixels.session.selection == ()


def test_locked_and_vector_objects_are_left_alone(superpixels):
    start(
        superpixels,
        instance("locked", box_mask(20, 120, 80, 180), locked=True),
        instance("p", triangle((100, 120), (140, 120), (120, 180))),
    )
    for name, text in (("locked", "locked"), ("p", "vector shape")):
        superpixels.session.select((name,))
        superpixels.drag((120, 140), (130, 140))
        assert text in superpixels.messages[-1]
    assert not superpixels.document.can_undo


def test_painting_before_the_superpixels_are_there_tells_to_wait(superpixels):
    superpixels.open()
    superpixels.use("superpixel")
    superpixels.press(*IN_RED)
    superpixels.release(*IN_RED)
    assert "still being computed" in superpixels.messages[-1]
    superpixels.settle()
    assert superpixels.instances == ()


def test_the_size_follows_keys_and_wheel(superpixels):
    coarse = start(superpixels)
    superpixels.key(Qt.Key.Key_BracketRight)
    assert superpixels.session.options.superpixel_size == 18
    superpixels.key(Qt.Key.Key_BracketLeft)
    superpixels.wheel(-1, modifiers=ALT)
    assert superpixels.session.options.superpixel_size == 14
    assert superpixels.view.superpixels.current is coarse  # no flicker while the new ones are computed
    superpixels.settle()
    finer = superpixels.view.superpixels.current
    assert finer.size == 14
    assert finer.count > coarse.count
    for _ in range(30):
        superpixels.wheel(-1, modifiers=ALT)
    assert superpixels.session.options.superpixel_size == 6
    superpixels.session.set_option("superpixel_size", SIZE)
    superpixels.settle()
    assert superpixels.view.superpixels.current is coarse  # kept: not computed again


def test_shift_click_draws_a_straight_line_from_the_last_stroke(superpixels):
    found = start(superpixels)
    superpixels.click(50, 150)
    superpixels.click(150, 150, modifiers=SHIFT)
    assert geometry.difference(mask_at(found, (100, 150)), superpixels.only().geometry).is_empty


def test_another_picture_brings_its_own_superpixels(superpixels):
    start(superpixels)
    other = picture()[:120, :150].copy()
    superpixels.open(image=other)
    assert superpixels.view.superpixels.current.region == (0, 0, 150, 120)
    superpixels.session.open_document(None, None)
    assert superpixels.view.superpixels.current is None
    superpixels.move(50, 50)
    superpixels.settle()


def large_picture():
    image = np.full((2000, 2600, 3), GREEN, np.uint8)
    image[900:1100, 1200:1400] = (200, 40, 40)
    return image


def test_a_close_look_is_divided_by_itself_and_the_whole_is_kept(superpixels):
    whole = start(superpixels, image=large_picture())
    assert whole.region == (0, 0, 2600, 2000)
    assert whole.scale < 1
    superpixels.view.center_on((1150, 850, 1450, 1150))
    superpixels.settle()
    close = superpixels.view.superpixels.current
    assert close.scale == 1
    assert close.covers(superpixels.view.visible_region())
    superpixels.view.pan_by(40, 0)
    superpixels.settle()
    assert superpixels.view.superpixels.current is close
    superpixels.view.pan_by(2000, 0)
    superpixels.settle()
    assert superpixels.view.superpixels.current.region != close.region
    superpixels.view.fit()
    superpixels.settle()
    assert superpixels.view.superpixels.current is whole


def test_superpixels_far_outside_the_divided_part_cannot_be_painted(superpixels):
    start(superpixels, image=large_picture())
    superpixels.view.center_on((1150, 850, 1450, 1150))
    superpixels.settle()
    superpixels.view.fit()  # the whole picture's have been computed before
    superpixels.settle()
    superpixels.click(10, 10)
    assert superpixels.only().geometry.box[:2] == (0, 0)


def test_closing_while_superpixels_are_computed_joins_the_thread(superpixels):
    superpixels.open(image=large_picture())
    superpixels.use("superpixel")
    superpixels.view.close()
