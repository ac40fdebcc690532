"""A kind of shape that is only a row in the table is shown, picked, pulled and listed on a real canvas."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor

from app.panels.object_model import describe_instance
from app.panels.object_thumbnails import object_thumbnail
from tests.gui.canvas_scene import GREEN, close_to, instance, to_array
from tests.new_kind import Ellipse, ellipse_kind

__all__ = ["ellipse_kind"]

EGG = Ellipse((140.0, 150.0), (190.0, 175.0))


def test_it_is_filled_and_outlined(ellipse_kind, scene):
    scene.open(instance("e", EGG))
    shown = scene.grab()
    assert close_to(scene.color_at(140, 150, shown), scene.tinted(GREEN), 3)
    assert close_to(scene.color_at(140, 180, shown), GREEN, 3)
    assert close_to(scene.color_at(185, 171, shown), GREEN, 3)  # a corner of the box around it
    color = scene.session.color_of("thing").getRgb()[:3]
    rim = [scene.color_at(190 + step / 4, 150, shown) for step in range(-4, 5)]
    assert any(close_to(pixel, color, 40) for pixel in rim)


def test_it_is_picked_moved_and_pulled_by_its_handles(ellipse_kind, scene):
    scene.open(instance("e", EGG))
    scene.use("select")
    scene.click(185, 171)
    assert scene.session.selection == ()
    scene.click(160, 155)
    assert scene.session.selection == ("e",)
    scene.drag((160, 155), (165, 150), (170, 145))
    there = scene.get("e").geometry
    assert there.center == pytest.approx((150, 140), abs=0.6)
    assert there.corner == pytest.approx((200, 165), abs=0.6)
    scene.drag((200, 165), (205, 170), (210, 180))
    assert scene.get("e").geometry.corner == pytest.approx((210, 180), abs=0.6)
    assert scene.document.undo()
    assert scene.document.undo()
    assert scene.get("e").geometry == EGG


def test_it_is_listed_with_its_name_and_a_small_picture(ellipse_kind, scene):
    scene.open(instance("e", EGG))
    assert describe_instance(scene.only()) == "ellipse"
    small = object_thumbnail(scene.session.image, EGG, QColor("#ff0000"), size=QSize(80, 60))
    pixels = to_array(small.toImage()).astype(int)
    assert (pixels[:, :, 0] - pixels[:, :, 1]).max() > 150  # its red rim
    assert close_to(pixels[30, 40], GREEN, 6)
