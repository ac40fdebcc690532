"""Tuning a kept object: its seeds, τ and level stay adjustable, and all of one tuning is one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.editing.region_answers import RegionRequest, answer
from converters.annotation import Provenance, Seed
from tests.gui.canvas_scene import (
    BLUE_SQUARE,
    GREEN,
    HEIGHT,
    WIDTH,
    box_mask,
    close_to,
    instance,
    picture,
)
from tests.gui.color_encoding import ColorEncoding

RIGHT = Qt.MouseButton.RightButton
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def kept(scene):
    """A green object grown from one seed, and another one by hand."""
    result = answer(
        ColorEncoding(picture()),
        RegionRequest((Seed(60.5, 60.5),), 0.5, 1, (0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH)),
    )
    scene.open(
        instance(
            "grown",
            result.mask(),
            provenance=Provenance("seeds", (Seed(60.5, 60.5),), tau=0.5, level=1, model="color-1"),
        ),
        instance("hand", box_mask(150, 150, 170, 170)),
    )
    scene.use("seed")
    return scene


def test_shift_click_selects_and_scrolling_tunes_in_one_step(kept):
    kept.click(60, 60, modifiers=SHIFT)
    kept.settle()
    assert kept.session.selection == ("grown",)
    assert kept.session.seed_state.instance_id == "grown"
    assert kept.session.options.tau == 0.5
    before = kept.document.annotation
    for _ in range(20):
        kept.wheel(1, 60, 60)
        kept.settle()
    tuned = kept.get("grown")
    assert tuned.provenance.tau == pytest.approx(0.1)
    assert tuned.geometry.area > before.instance("grown").geometry.area
    assert kept.document.undo_title == "Tune thing"
    kept.document.undo()
    assert kept.document.annotation == before
    assert not kept.document.can_undo


def test_selecting_alone_changes_nothing(kept):
    shown = kept.grab()
    kept.session.select(("grown",))
    kept.settle()
    kept.key(Qt.Key.Key_Return)
    kept.settle()
    assert not kept.document.is_modified
    assert kept.session.selection == ()
    assert np.array_equal(kept.grab(), shown)


def test_a_negative_seed_can_be_added_later(kept):
    kept.session.select(("grown",))
    kept.settle()
    kept.click(225, 150, RIGHT)
    kept.settle()
    assert [seed.positive for seed in kept.get("grown").provenance.seeds] == [True, False]
    kept.click(225, 55, modifiers=CONTROL)
    kept.settle()
    assert [seed.positive for seed in kept.get("grown").provenance.seeds] == [True, False, True]
    assert kept.get("grown").geometry.contains(225, 55)


def test_a_plain_click_begins_a_new_object(kept):
    kept.session.select(("grown",))
    kept.settle()
    kept.click(225, 55)
    kept.settle()
    assert kept.session.seed_state.instance_id is None
    kept.key(Qt.Key.Key_Return)
    kept.settle()
    assert len(kept.instances) == 3
    assert kept.instances[-1].geometry == box_mask(*BLUE_SQUARE)


def test_undo_while_tuning_goes_back_and_stays_in_step(kept):
    kept.session.select(("grown",))
    kept.settle()
    kept.session.set_option("tau", 0.2)
    kept.settle()
    assert kept.get("grown").provenance.tau == 0.2
    kept.document.undo()
    kept.settle()
    assert kept.get("grown").provenance.tau == 0.5
    assert kept.session.options.tau == 0.5
    assert kept.session.seed_state.instance_id == "grown"


@pytest.mark.parametrize("fact", [{"locked": True}, {"provenance": Provenance("hand")}])
def test_locked_and_hand_made_objects_are_not_tuned(kept, fact):
    kept.document.edit(
        "x",
        kept.document.annotation.with_instances((replace(kept.get("grown"), **fact), kept.get("hand"))),
    )
    kept.session.select(("grown",))
    kept.settle()
    assert kept.session.seed_state.instance_id is None
    kept.wheel(1)
    assert kept.session.options.tau is None


def test_hand_corrections_are_protected(kept):
    origin = replace(kept.get("grown").provenance, edited=True)
    kept.document.replace(replace(kept.get("grown"), provenance=origin))
    kept.session.select(("grown",))
    kept.settle()
    assert kept.session.seed_state.instance_id is None
    assert "corrected by hand" in kept.messages[-1]


def test_the_old_shape_is_not_shown_under_the_new_one(kept):
    kept.session.select(("grown",))
    kept.settle()
    kept.session.set_option("tau", 0.9999)
    kept.settle()
    kept.session.set_option("level", 2)
    kept.session.set_option("tau", 0.05)
    kept.settle()
    kept.move(-9, -9)
    assert close_to(kept.color_at(150, 100), kept.tinted(GREEN, selected=True), 3)


def test_deleting_the_object_being_tuned_ends_it(kept):
    kept.session.select(("grown",))
    kept.settle()
    kept.document.remove(["grown"])
    kept.settle()
    assert kept.session.seed_state.seeds == ()
    kept.wheel(1)
