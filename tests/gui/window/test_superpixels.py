"""Superpixels in the whole window: the tool, its size, and snapping objects to them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.editing.superpixels import compute_superpixels
from converters.annotation import Box, Instance, Line, Mask
from tests.gui.window.conftest import Driver

SIZE = 12.0
DISC = (80, 60)
"""The middle of the coloured disc in `photo0.png`; its radius is 30."""


def disc_mask(radius, x=80, y=60):
    full = np.zeros((120, 160), np.uint8)
    cv2.circle(full, (x, y), radius, 1, -1)
    return Mask.from_full(full)


@pytest.fixture
def window(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.session.set_option("superpixel_size", SIZE)
    return driver


def the_superpixels(driver):
    return compute_superpixels(driver.session.image.array, SIZE)


def snap(driver):
    """Gives the command and waits until its work is done."""
    driver.trigger("snap_to_superpixels")
    driver.wait(lambda: not driver.window.snapping.is_busy)


def geometry_of(driver, name):
    return driver.document.annotation.instance(name).geometry


def test_snapping_moves_a_rough_mask_to_the_object_s_border_as_one_step(window):
    rough = disc_mask(28, 82, 58)
    window.document.add(Instance("rough", "disc", rough), Instance("other", "disc", disc_mask(4, 20, 20)))
    window.session.select(("rough",))
    window.trigger("snap_to_superpixels")
    assert window.window.status.busy.text() == "Snapping to superpixels…"
    assert geometry_of(window, "rough") is rough
    window.wait(lambda: window.document.undo_title == "Snap to superpixels")
    assert geometry_of(window, "rough") == the_superpixels(window).snapped(rough)
    assert geometry_of(window, "other") == disc_mask(4, 20, 20)
    assert window.document.annotation.instance("rough").provenance.edited
    assert window.window.status.busy.text() != "Snapping to superpixels…"
    truth = disc_mask(30).to_full(120, 160)
    before, after = rough.to_full(120, 160), geometry_of(window, "rough").to_full(120, 160)
    assert np.count_nonzero(after ^ truth) < 0.7 * np.count_nonzero(before ^ truth)
    window.trigger("undo")
    assert geometry_of(window, "rough") == rough


def test_every_selected_object_that_is_free_is_snapped(window):
    window.document.add(
        Instance("box", "disc", Box(50, 30, 110, 90)),
        Instance("mask", "disc", disc_mask(25)),
        Instance("line", "disc", Line((10, 10), (60, 60))),
        Instance("locked", "disc", disc_mask(20), locked=True),
    )
    before = window.document.annotation
    window.session.select(("box", "mask", "line", "locked"))
    snap(window)
    found = the_superpixels(window)
    assert geometry_of(window, "box") == found.snapped(Mask(50, 30, np.ones((60, 60), bool)))
    assert geometry_of(window, "mask") == found.snapped(disc_mask(25))
    for name in ("line", "locked"):
        assert geometry_of(window, name) == before.instance(name).geometry
    window.trigger("undo")
    assert window.document.annotation == before


def test_what_cannot_be_snapped_is_told(window):
    window.document.add(
        Instance("locked", "disc", disc_mask(20), locked=True),
        Instance("line", "disc", Line((10, 10), (60, 60))),
        Instance("speck", "disc", disc_mask(1, 20, 20)),
        Instance("done", "disc", the_superpixels(window).snapped(disc_mask(25))),
    )
    message = window.window.status.currentMessage
    steps = window.document.revision
    for name, text in (
        ("locked", "Locked objects stay as they are: 1"),
        ("line", "Nothing changes."),
        ("speck", "Too small for superpixels of this size: 1"),
        ("done", "Nothing changes."),
    ):
        window.session.select((name,))
        snap(window)
        assert message() == text
    assert window.document.revision == steps


def test_an_object_that_changed_meanwhile_is_left_alone(window):
    window.document.add(Instance("a", "disc", disc_mask(25)))
    window.session.select(("a",))
    window.trigger("snap_to_superpixels")
    window.document.remove(("a",))
    window.wait(lambda: not window.window.snapping.is_busy)
    assert window.document.annotation.instances == ()
    assert window.titles() == []


def test_another_picture_meanwhile_is_left_alone(window, folder):
    window.document.add(Instance("a", "disc", disc_mask(25)))
    window.session.select(("a",))
    window.trigger("snap_to_superpixels")
    window.trigger("next_picture")
    window.wait_for_picture(folder / "photo1.png")
    window.wait(lambda: not window.window.snapping.is_busy)
    assert window.document.annotation.instances == ()
    assert not window.document.can_undo


def test_the_key_chooses_the_tool_and_the_slider_its_size(window):
    panel = window.window.docks.panels["properties"].superpixels
    assert not panel.isVisible()
    QTest.keyClick(window.window.canvas, Qt.Key.Key_X)
    assert window.session.tool == "superpixel"
    assert panel.isVisible()
    assert panel.width_slider.value() == SIZE
    assert "superpixels" in window.window.status.hint.text()
    window.wait(lambda: window.window.canvas.superpixels.current is not None)
    panel.width_slider.slider.setValue(panel.width_slider.slider.value() + 8)
    assert window.session.options.superpixel_size == SIZE + 8
    assert window.services.settings.superpixel_size == SIZE + 8
    QTest.keyClick(window.window.canvas, Qt.Key.Key_BracketRight)
    assert window.session.options.superpixel_size == 23
    assert window.session.options.brush_radius == 12
    assert panel.width_slider.value() == 23
    layer = window.window.canvas.superpixels
    window.wait(lambda: layer.current is not None and layer.current.size == 23)


def test_painted_superpixels_are_the_ones_that_show(window):
    QTest.keyClick(window.window.canvas, Qt.Key.Key_X)
    layer = window.window.canvas.superpixels
    window.wait(lambda: layer.current is not None)
    QTest.mouseClick(
        window.window.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, window.at(*DISC)
    )
    (made,) = window.document.annotation.instances
    assert made.geometry == layer.current.mask_of([layer.current.label_at(*DISC)])
    assert made.label == window.session.options.label


def test_snapping_uses_the_superpixels_that_show(window):
    QTest.keyClick(window.window.canvas, Qt.Key.Key_X)
    layer = window.window.canvas.superpixels
    window.wait(lambda: layer.current is not None)
    shown = layer.current
    window.document.add(Instance("a", "disc", disc_mask(27)))
    window.session.select(("a",))
    snap(window)
    window.wait(lambda: window.document.undo_title == "Snap to superpixels")
    assert geometry_of(window, "a") == shown.snapped(disc_mask(27))
    assert layer.current is shown


def test_the_command_needs_a_selection_and_stands_in_the_object_menu(window):
    action = window.window.actions_by_id["snap_to_superpixels"]
    assert not action.isEnabled()
    assert action in window.window.menus["object"].actions()
    assert action in window.window.object_menu.actions()
    window.document.add(Instance("a", "disc", disc_mask(27)))
    window.session.select(("a",))
    assert action.isEnabled()


def test_closing_while_snapping_joins_the_thread(qtbot, qapp, engine, folder):
    driver = Driver(qtbot, qapp, engine).show()
    driver.open(folder, current=folder / "photo0.png")
    driver.document.add(Instance("a", "disc", disc_mask(27)))
    driver.session.select(("a",))
    driver.trigger("snap_to_superpixels")
    assert driver.window.close()
    driver.end()
