from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.annotation import RecolorOperation
from tests.gui.canvas_scene import BLUE, RED, RED_SQUARE, box_mask, close_to, instance

TO_BLUE = RecolorOperation("#2040e0")


def test_a_recoloured_object_shows_its_new_colour_and_the_original_on_demand(scene):
    document = scene.open(instance("a", box_mask(*RED_SQUARE)))
    scene.session.set_option("overlay_opacity", 0.0)
    assert close_to(scene.color_at(70, 75), RED)
    document.replace(replace(scene.only(), recolor=TO_BLUE))
    scene.settle()
    red, _, blue = scene.color_at(70, 75)
    assert blue > red + 60
    assert close_to(scene.color_at(230, 150), RED)
    assert close_to(scene.color_at(225, 50), BLUE)
    scene.view.show_original = True
    assert close_to(scene.color_at(70, 75), RED)
    scene.view.show_original = False
    document.undo()
    scene.settle()
    assert close_to(scene.color_at(70, 75), RED)
    assert scene.view.recolored.mips is None


def test_the_halved_copies_are_recoloured_too(scene):
    image = np.full((1400, 1800, 3), (180, 40, 40), np.uint8)
    document = scene.open(instance("a", box_mask(300, 300, 1100, 1101)), image=image)
    document.replace(replace(scene.only(), recolor=TO_BLUE))
    scene.settle()
    mips = scene.view.recolored.mips
    assert len(mips) == 3
    for level, mip in enumerate(mips):
        blue, _, red = mip[700 >> level, 700 >> level, :3].astype(int)
        assert blue > red + 60
        assert tuple(mip[100 >> level, 100 >> level, :3]) == (40, 40, 180)


def test_overlapping_objects_keep_each_other_when_one_is_given_back(scene):
    low = instance("low", box_mask(40, 40, 100, 110), recolor=TO_BLUE)
    high = instance("high", box_mask(70, 40, 100, 110), recolor=RecolorOperation("#20c040"))
    document = scene.open(low, high)
    scene.settle()
    _, green, blue = scene.color_at(85, 75)
    assert green > blue
    document.replace(replace(high, recolor=None))
    scene.settle()
    red, green, blue = scene.color_at(85, 75)
    assert blue > green
    assert blue > red


def test_a_trial_shows_without_changing_the_document(scene):
    document = scene.open(instance("a", box_mask(*RED_SQUARE)))
    scene.session.set_option("overlay_opacity", 0.0)
    scene.view.recolored.try_color("a", TO_BLUE)
    scene.settle()
    red, _, blue = scene.color_at(70, 75)
    assert blue > red
    assert not document.is_modified
    scene.view.recolored.try_color(None, None)
    scene.settle()
    assert close_to(scene.color_at(70, 75), RED)


def test_dragging_a_colour_ends_at_the_last_one(scene):
    document = scene.open(instance("a", box_mask(*RED_SQUARE)))
    scene.session.set_option("overlay_opacity", 0.0)
    for color in ("#ffffff", "#00ff00", "#808080", "#2040e0"):
        document.replace(replace(scene.only(), recolor=RecolorOperation(color)), merge_key="drag")
    scene.settle()
    red, _, blue = scene.color_at(70, 75)
    assert blue > red + 60


def test_a_recoloured_object_outside_the_picture_or_empty_is_left_alone(scene):
    scene.open(instance("far", box_mask(-50, -50, -10, -10), recolor=TO_BLUE))
    scene.settle()
    assert scene.view.recolored.mips is None


def test_a_setting_out_of_range_is_told(scene):
    document = scene.open(instance("a", box_mask(*RED_SQUARE)))
    document.replace(replace(scene.only(), recolor=RecolorOperation("no colour")))
    scene.qtbot.waitUntil(lambda: scene.failures != [])
    assert "no colour" in scene.failures.pop().title
    document.undo()
