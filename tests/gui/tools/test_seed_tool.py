from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.editing.limits import TAU
from app.editing.region_answers import RegionRequest, answer, answer_whole, enter_level
from converters.annotation import Mask, Seed
from tests.gui.canvas_scene import (
    BLUE_SQUARE,
    GREEN,
    HEIGHT,
    RED,
    RED_SQUARE,
    RED_TWIN,
    WIDTH,
    RepaintWatch,
    box_mask,
    close_to,
    picture,
    repaint,
    to_array,
)
from tests.gui.color_encoding import ColorEncoding

RIGHT = Qt.MouseButton.RightButton
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def both_red():
    full = np.zeros((HEIGHT, WIDTH), bool)
    for x0, y0, x1, y1 in (RED_SQUARE, RED_TWIN):
        full[y0:y1, x0:x1] = True
    return Mask.from_full(full)


def ramp():
    """A picture whose similarity falls steadily from left to right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, WIDTH).astype(np.uint8)
    return image


@pytest.fixture
def seeds(scene):
    scene.open()
    scene.use("seed")
    return scene


def test_hovering_shows_what_a_click_would_take(seeds):
    seeds.move(60, 60)
    seeds.settle()
    assert not close_to(seeds.color_at(70, 80), RED, 8)
    assert not close_to(seeds.color_at(230, 150), RED, 8)
    assert close_to(seeds.color_at(150, 150), GREEN)
    assert seeds.instances == ()
    seeds.move(-10, -10)
    seeds.settle()
    assert close_to(seeds.color_at(70, 80), RED)


def test_a_click_and_enter_make_one_undoable_object(seeds):
    seeds.click(60, 60)
    seeds.settle()
    (seed,) = seeds.session.seed_state.seeds
    assert (round(seed.x), round(seed.y), seed.positive) == (60, 60, True)
    assert seeds.session.seed_state.tau == 0.5
    assert seeds.session.seed_state.level == 1
    assert seeds.session.seed_state.level_scores == (0.6, 0.9, 0.3)
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    made = seeds.only()
    assert made.geometry == both_red()
    assert made.label == "object"
    origin = made.provenance
    assert (origin.kind, origin.tau, origin.level, origin.model) == ("seeds", 0.5, 1, "color-1")
    assert len(origin.seeds) == 1
    assert seeds.session.selection == (made.id,)
    assert seeds.session.seed_state.seeds == ()
    assert seeds.document.undo_title == "Add object"
    seeds.document.undo()
    assert seeds.instances == ()


def test_only_what_a_click_changes_is_painted_anew_and_that_fully(seeds):
    """What is on the screen after partial repaints equals what a full repaint gives."""
    steps = [
        lambda: seeds.click(60, 60),
        lambda: seeds.click(250, 150),
        lambda: seeds.click(12, 188, RIGHT),
        lambda: seeds.key(Qt.Key.Key_Backspace),
        lambda: seeds.key(Qt.Key.Key_Return),
        lambda: seeds.session.select(()),
        lambda: seeds.session.select((seeds.only().id,)),
        lambda: seeds.key(Qt.Key.Key_Escape),
        lambda: seeds.click(150, 150),
        lambda: seeds.key(Qt.Key.Key_Escape),
    ]
    screen = seeds.view.grab().toImage()
    watch = RepaintWatch(seeds.view)
    for number, step in enumerate(steps):
        watch.region = watch.region.subtracted(watch.region)
        step()
        seeds.settle()
        seeds.move(-10, -10)
        seeds.settle()
        repaint(seeds.view, screen, watch.region)
        whole = to_array(seeds.view.grab().toImage())
        assert np.abs(to_array(screen).astype(int) - whole).max() <= 1, number
    watch.stop()


def test_the_mark_of_a_click_costs_no_repaint_of_the_whole_canvas(seeds):
    seeds.session.set_encoding(None)
    seeds.move(60, 60)
    seeds.settle()
    watch = RepaintWatch(seeds.view)
    seeds.press(60, 60)
    QApplication.processEvents()
    box = watch.region.boundingRect()
    watch.stop()
    assert box.contains(seeds.at(60, 60))
    assert box.width() * box.height() < 40 * 40
    seeds.release(60, 60)


@pytest.mark.parametrize(("button", "modifiers"), [(RIGHT, 0), (Qt.MouseButton.LeftButton, ALT)])
def test_a_negative_seed_takes_its_colour_away(seeds, button, modifiers):
    seeds.session.set_option("tau", 0.05)
    seeds.session.set_option("level", 2)
    seeds.click(60, 60)
    seeds.click(150, 150, button, Qt.KeyboardModifier(modifiers))
    seeds.click(225, 55, button, Qt.KeyboardModifier(modifiers))
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert seeds.only().geometry == both_red()
    assert [seed.positive for seed in seeds.only().provenance.seeds] == [True, False, False]


def test_the_first_seed_must_be_positive(seeds):
    seeds.click(60, 60, RIGHT)
    seeds.settle()
    assert seeds.session.seed_state.seeds == ()
    assert seeds.messages == ["Click inside the object first."]


def test_clicks_beside_the_picture_mean_nothing(seeds):
    seeds.view.zoom_by(0.5)
    seeds.click(-20, -20)
    seeds.settle()
    assert seeds.session.seed_state.seeds == ()


def test_escape_drops_everything(seeds):
    before = seeds.grab()
    seeds.session.set_option("tau", 0.3)
    seeds.click(60, 60)
    seeds.settle()
    seeds.move(-10, -10)
    seeds.key(Qt.Key.Key_Escape)
    seeds.settle()
    assert np.array_equal(seeds.grab(), before)
    assert seeds.session.options.tau is None
    assert seeds.instances == ()


def test_backspace_takes_the_last_seed_back(seeds):
    seeds.click(60, 60)
    seeds.click(225, 55)
    seeds.key(Qt.Key.Key_Backspace)
    seeds.settle()
    assert len(seeds.session.seed_state.seeds) == 1
    seeds.key(Qt.Key.Key_Backspace)
    assert seeds.session.seed_state.seeds == ()


def test_the_wheel_zooms_until_there_is_a_seed_then_turns_tau(seeds):
    zoom = seeds.view.zoom
    seeds.wheel(1)
    assert seeds.view.zoom > zoom
    seeds.view.fit()
    seeds.click(60, 60)
    seeds.settle()
    seeds.wheel(1)
    assert seeds.session.options.tau == pytest.approx(0.48)
    seeds.wheel(-2)
    assert seeds.session.options.tau == pytest.approx(0.52)
    seeds.wheel(1, modifiers=SHIFT)
    assert seeds.session.options.tau == pytest.approx(0.516)
    assert seeds.view.zoom == zoom
    seeds.wheel(1, modifiers=CONTROL)
    assert seeds.view.zoom > zoom
    seeds.settle()
    assert seeds.session.seed_state.tau == pytest.approx(0.516)


def test_scrolling_spreads_the_region_and_goes_on_through_the_levels(scene):
    """Over the ends of the levels the region only ever grows."""
    scene.open(image=ramp())
    scene.use("seed")
    scene.session.set_option("level", 0)
    scene.session.set_option("tau", 0.5)
    scene.click(10, 100)
    scene.settle()
    areas, levels = [], []
    for _ in range(70):
        scene.wheel(1)
        scene.settle()
        areas.append(int(scene.view.preview.array.sum()))
        levels.append(scene.session.seed_state.level)
    assert levels[0] == 0
    assert levels[-1] == 2
    assert sorted(levels) == levels
    assert all(later >= 0.97 * earlier for earlier, later in pairwise(areas))
    scene.wheel(1, modifiers=ALT)  # there is no level beyond the last
    scene.settle()
    assert scene.session.seed_state.level == 2
    scene.wheel(-1, modifiers=ALT)
    scene.settle()
    assert scene.session.seed_state.level == 1


def test_shrinking_past_the_end_goes_down_a_level(scene):
    scene.open(image=ramp())
    scene.use("seed")
    scene.session.set_option("level", 1)
    scene.session.set_option("tau", 0.98)
    scene.click(10, 100)
    scene.settle()
    scene.wheel(-1)
    scene.settle()
    assert scene.session.seed_state.level == 0
    assert scene.session.seed_state.tau in TAU


def test_a_sliders_tau_is_live(seeds):
    seeds.session.set_option("level", 2)
    seeds.click(60, 60)
    seeds.settle()
    before = seeds.view.preview.array.sum()
    seeds.session.set_option("tau", 0.02)
    seeds.settle()
    assert seeds.view.preview.array.sum() > before


def test_only_what_shows_is_computed_for_the_screen(scene):
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[:1500] = (200, 40, 40)
    scene.open(image=image)
    scene.use("seed")
    encoding = scene.session.encoding
    scene.move(2000, 700)
    scene.settle()
    (region, (rows, columns)) = encoding.asked[-1]
    assert region == (0, 0, 4000, 3000)
    assert rows * columns <= scene.view.viewport.width * scene.view.viewport.height
    scene.view._set_viewport(scene.view.viewport.centered(4.0, 2000, 700))
    scene.move(2001, 700)
    scene.settle()
    (region, size) = encoding.asked[-1]
    assert region == scene.view.visible_region()
    assert size == (region[3] - region[1], region[2] - region[0])


def test_a_commit_while_zoomed_in_takes_the_whole_object(seeds):
    seeds.view._set_viewport(seeds.view.viewport.centered(12.0, 60, 60))
    seeds.click(60, 60)
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert seeds.only().geometry == both_red()


def test_seeds_wait_for_the_encoding(scene):
    scene.open(encoded=False)
    scene.use("seed")
    scene.click(60, 60)
    assert scene.messages == ["The picture is still being read; the region follows."]
    zoom = scene.view.zoom
    scene.wheel(1)
    assert scene.view.zoom > zoom
    scene.view.fit()
    scene.session.set_encoding(ColorEncoding(picture()))
    scene.settle()
    scene.key(Qt.Key.Key_Return)
    scene.settle()
    assert scene.only().geometry == both_red()


def test_an_empty_region_is_not_kept(scene):
    scene.open(image=np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    scene.use("seed")

    class Nothing(ColorEncoding):
        def mask(self, seeds, tau=None, level=None, region=None, size=None):
            return np.zeros_like(super().mask(seeds, tau, level, region, size))

    scene.session.set_encoding(Nothing(picture()))
    scene.click(60, 60)
    scene.key(Qt.Key.Key_Return)
    scene.settle()
    assert scene.instances == ()
    assert scene.messages == ["The region is empty: lower τ or click elsewhere."]


def test_many_commits_in_a_hurry_all_arrive_in_order(seeds):
    for label, x, y in (("red", 60, 60), ("blue", 225, 55), ("green", 150, 150)):
        seeds.session.set_option("label", label)
        seeds.click(x, y)
        seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert [i.label for i in seeds.instances] == ["red", "blue", "green"]
    assert seeds.instances[1].geometry == box_mask(*BLUE_SQUARE)


def test_a_failing_model_is_told_and_the_tool_goes_on(seeds):
    class Broken(ColorEncoding):
        def mask(self, *args, **kwargs):
            raise RuntimeError("out of memory")

    working = seeds.session.encoding
    seeds.session.set_encoding(Broken(picture()))
    seeds.click(60, 60)
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert {failure.title for failure in seeds.failures} == {"Something unexpected went wrong: out of memory"}
    seeds.failures.clear()
    seeds.session.set_encoding(working)
    seeds.click(60, 60)
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert len(seeds.instances) == 1


def test_the_sharp_part_is_asked_when_it_is_what_shows(seeds):
    part = ColorEncoding(picture(), (30, 30, 130, 120))
    seeds.session.set_detail(part)
    seeds.view._set_viewport(seeds.view.viewport.centered(12.0, 70, 70))
    seeds.click(70, 70)
    seeds.settle()
    assert part.asked
    seeds.key(Qt.Key.Key_Escape)
    asked = len(part.asked)
    seeds.view.fit()
    seeds.click(70, 70)
    seeds.settle()
    assert len(part.asked) == asked


def test_an_object_that_the_sharp_part_cuts_is_completed(seeds):
    x0, _, _, y1 = RED_SQUARE
    part = ColorEncoding(picture(), (x0 - 10, y1 - 60, x0 + 40, y1 + 10))
    seeds.session.set_detail(part)
    seeds.view._set_viewport(seeds.view.viewport.centered(14.0, x0 + 15, y1 - 25))
    seeds.click(x0 + 15, y1 - 20)
    seeds.settle()
    assert part.asked
    seeds.key(Qt.Key.Key_Return)
    seeds.settle()
    assert seeds.only().geometry == box_mask(*RED_SQUARE)  # complete, and without its twin elsewhere


def test_every_pixel_of_the_sharp_part_stays_as_it_was_found():
    image = picture()
    blurred = image.copy()
    blurred[60:70, 50:60] = GREEN  # what the whole picture's encoding does not see is not taken away
    sharp, whole = ColorEncoding(image, (45, 30, 130, 130)), ColorEncoding(blurred)
    x0, y0, x1, y1 = sharp.region
    request = RegionRequest((Seed(90.5, 90.5),), 0.5, 1, sharp.region, (y1 - y0, x1 - x0))
    cut, complete = answer(sharp, request), answer_whole(sharp, whole, request)
    assert cut.is_cut
    assert not complete.is_cut
    assert np.array_equal(complete.mask().window(sharp.region), cut.array)
    assert complete.mask() == box_mask(*RED_SQUARE)


def test_an_object_inside_the_sharp_part_asks_nobody_else():
    sharp, whole = ColorEncoding(picture(), (30, 30, 130, 120)), ColorEncoding(picture())
    request = RegionRequest((Seed(70.5, 70.5),), 0.5, 1, sharp.region, (90, 100))
    assert answer_whole(sharp, whole, request).mask() == box_mask(*RED_SQUARE)
    assert whole.asked == []


def test_growing_answers_with_the_numbers_that_made_it():
    encoding = ColorEncoding(picture())
    whole = RegionRequest((Seed(60, 60),), None, None, (0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH))
    result = answer(encoding, whole)
    assert (result.tau, result.suggested_tau, result.level) == (0.5, 0.5, 1)
    assert result.is_whole
    assert result.mask() == both_red()
    assert answer(encoding, replace(whole, level=9)).level == 1
    coarse = answer(encoding, replace(whole, size=(HEIGHT // 4, WIDTH // 4)))
    assert coarse.array.shape == (HEIGHT // 4, WIDTH // 4)
    assert not coarse.is_whole


def test_entering_a_level_keeps_the_area():
    encoding = ColorEncoding(ramp())
    result = answer(encoding, RegionRequest((Seed(10, 10),), 0.3, 0, (0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH)))
    tau = enter_level(result, 1)
    entered = answer(encoding, replace(result.request, tau=tau, level=1))
    assert entered.array.sum() == pytest.approx(result.array.sum(), rel=0.05)
