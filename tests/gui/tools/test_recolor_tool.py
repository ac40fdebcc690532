from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from converters.annotation import Point, RecolorOperation
from converters.frozen import FrozenMap
from tests.gui.canvas_scene import RED, RED_SQUARE, box_mask, close_to, instance

RIGHT, ALT = Qt.MouseButton.RightButton, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def recolor(scene):
    scene.open(instance("a", box_mask(*RED_SQUARE)), instance("dot", Point(150, 150)))
    scene.use("recolor")
    scene.session.set_option("color", "#2040e0")
    return scene


def is_blue(color):
    red, _, blue = color
    return blue > red + 60


def test_a_click_recolours_and_undo_gives_back(recolor):
    recolor.click(60, 60)
    assert recolor.get("a").recolor == RecolorOperation("#2040e0")
    assert recolor.document.undo_title == "Recolour thing"
    recolor.settle()
    assert is_blue(recolor.color_at(70, 75))
    recolor.view.show_original = True
    assert close_to(recolor.color_at(70, 75), RED)
    recolor.view.show_original = False
    recolor.document.undo()
    recolor.settle()
    assert close_to(recolor.color_at(70, 75), RED)


def test_the_colour_is_not_veiled_by_the_overlay(recolor):
    """Neither while choosing nor afterwards: the chosen colour must be seen as it is."""
    assert close_to(recolor.color_at(70, 75), RED)
    recolor.click(60, 60)
    recolor.settle()
    shown = recolor.color_at(70, 75)
    recolor.use("select")
    recolor.session.select(())
    assert close_to(recolor.color_at(70, 75), shown)
    recolor.document.undo()
    recolor.settle()
    assert close_to(recolor.color_at(70, 75), recolor.tinted(RED))


def test_resting_on_an_object_shows_it_in_the_colour(recolor):
    recolor.move(60, 60)
    QTest.qWait(250)
    recolor.settle()
    assert is_blue(recolor.color_at(70, 75))
    assert recolor.get("a").recolor is None
    recolor.move(140, 60)
    recolor.settle()
    assert close_to(recolor.color_at(70, 75), RED)


def test_sliders_act_live_on_the_selected_object_in_one_step(recolor):
    recolor.click(60, 60)
    recolor.session.set_option("color", "#20c040")
    recolor.session.set_option("recolor_settings", FrozenMap({}))
    recolor.session.set_option("color", "#e0e020")
    assert recolor.get("a").recolor.color == "#e0e020"
    recolor.document.undo()
    assert recolor.get("a").recolor.color == "#2040e0"


def test_alt_click_picks_the_colour_up(recolor):
    recolor.click(60, 60, modifiers=ALT)
    recolor.qtbot.waitUntil(lambda: recolor.session.options.color != "#2040e0")
    red, green, blue = bytes.fromhex(recolor.session.options.color[1:])
    assert red > 150
    assert max(green, blue) < 90
    assert recolor.get("a").recolor is None
    recolor.document.replace(instance("a", box_mask(*RED_SQUARE), recolor=RecolorOperation("#102030")))
    recolor.click(60, 60, modifiers=ALT)
    assert recolor.session.options.color == "#102030"


def test_right_click_gives_the_original_back(recolor):
    recolor.click(60, 60)
    recolor.settle()
    recolor.click(60, 60, RIGHT)
    assert recolor.get("a").recolor is None
    recolor.click(60, 60, RIGHT)
    recolor.document.undo()
    assert recolor.get("a").recolor is not None


@pytest.mark.parametrize("at", [(150, 60), (150, 150)])
def test_where_there_is_no_region_the_user_is_told(recolor, at):
    recolor.click(*at)
    assert "no object here" in recolor.messages[-1]
    assert not recolor.document.is_modified
