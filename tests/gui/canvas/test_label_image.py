from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from app.pixels.label_image import LabelImage, draw_labels
from converters.annotation import (
    Box,
    Circle,
    ImageAnnotation,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
)
from tests.gui.canvas_scene import box_mask, instance, ring_mask, triangle

STATM = Path("/proc/self/statm")


def annotation(*instances, size=(40, 60)):
    return ImageAnnotation("a.png", *size, tuple(instances))


def test_later_instances_lie_on_top_and_holes_let_through():
    labels = draw_labels(
        annotation(
            instance("low", box_mask(0, 0, 30, 30)),
            instance("ring", ring_mask(10, 10, 40, 40, hole=8)),
        )
    )
    assert labels.pick(5, 5) == "low"
    assert labels.pick(12.9, 12.9) == "ring"
    assert labels.pick(20, 20) == "low"
    assert labels.pick(31, 31) is None
    assert labels.pick(50, 5) is None


@pytest.mark.parametrize("point", [(-1, 5), (5, -0.1), (60, 5), (5, 40)])
def test_beside_the_picture_there_is_nothing(point):
    labels = draw_labels(annotation(instance("all", box_mask(0, 0, 60, 40))))
    assert labels.pick(*point) is None


@pytest.mark.parametrize(
    "geometry",
    [
        triangle((5, 5), (35, 5), (20, 35)),
        Box(30, 30, 10, 10),
        OrientedBox(((20, 5), (35, 20), (20, 35), (5, 20))),
        Circle((20, 20), (30, 20)),
    ],
)
def test_vector_regions_can_be_picked(geometry):
    labels = draw_labels(annotation(instance("it", geometry)))
    assert labels.pick(20, 20) == "it"
    assert labels.pick(55, 38) is None


@pytest.mark.parametrize(
    "geometry",
    [
        Point(20, 20),
        Line((0, 20), (40, 20)),
        LineStrip(((0, 20), (40, 20))),
        PointSet(((20, 20),)),
        Box(0, 0, math.nan, 20),
        Polygon(()),
    ],
)
def test_what_has_no_pixels_has_none(geometry):
    assert not draw_labels(annotation(instance("it", geometry))).array.any()


def test_what_hangs_over_the_edge_is_cut():
    labels = draw_labels(annotation(instance("it", box_mask(-10, -10, 5, 5))))
    assert np.count_nonzero(labels.array) == 25


def test_redrawing_any_box_gives_the_whole_picture_again():
    random = np.random.default_rng(3)
    instances = []
    for number in range(30):
        x, y = (int(v) for v in random.integers(-5, 50, 2))
        instances.append(instance(f"i{number}", Mask(x, y, random.random((15, 15)) > 0.4)))
    whole = draw_labels(annotation(*instances))
    labels = draw_labels(annotation(*instances))
    for _ in range(40):
        x0, x1 = sorted(int(v) for v in random.integers(-5, 70, 2))
        y0, y1 = sorted(int(v) for v in random.integers(-5, 50, 2))
        labels.write(box_mask(x0, y0, x1 + 1, y1 + 1), 7)
        labels.redraw(instances, (x0, y0, x1 + 1, y1 + 1))
        assert np.array_equal(labels.array, whole.array)


def test_hidden_instances_make_way_for_what_lies_below():
    instances = [instance("low", box_mask(0, 0, 20, 20)), instance("high", box_mask(0, 0, 20, 20))]
    labels = draw_labels(annotation(*instances))
    labels.redraw(instances, (0, 0, 20, 20), frozenset({"high"}))
    assert labels.pick(5, 5) == "low"


def test_slots_are_kept_and_used_again():
    labels = LabelImage(10, 10)
    first, second = labels.slot_of("a"), labels.slot_of("b")
    assert (labels.slot_of("a"), first, second) == (first, 1, 2)
    labels.release("a")
    assert labels.owner_of(first) is None
    assert labels.slot_of("c") == first
    assert labels.slot_of("d") == 3


def test_writing_over_one_object_spares_the_others():
    instances = [instance("a", box_mask(0, 0, 10, 10)), instance("b", box_mask(10, 0, 20, 10))]
    labels = draw_labels(annotation(*instances))
    labels.write(box_mask(5, 0, 15, 10), 0, only_over=labels.slot_of("a"))
    assert labels.pick(7, 5) is None
    assert labels.pick(12, 5) == "b"


def test_edits_between_redraws_are_followed():
    random = np.random.default_rng(5)
    instances = [instance(f"i{n}", box_mask(3 * n, n, 3 * n + 12, n + 15)) for n in range(12)]
    labels = draw_labels(annotation(*instances))
    for number in range(30):
        place = int(random.integers(0, len(instances)))
        match number % 3:
            case 0:
                instances = [*instances[:place], *instances[place + 1 :]]
            case 1:
                x, y = (int(v) for v in random.integers(0, 40, 2))
                added = instance(f"n{number}", box_mask(x, y, x + 9, y + 9))
                instances = [*instances[:place], added, *instances[place:]]
            case 2:
                instances = [*instances[place:], *instances[:place]]
        labels.redraw(instances, (0, 0, labels.width, labels.height))
        whole = draw_labels(annotation(*instances))
        shown = [[labels.pick(x, y) for x in range(0, 60, 3)] for y in range(0, 40, 3)]
        assert shown == [[whole.pick(x, y) for x in range(0, 60, 3)] for y in range(0, 40, 3)]


@pytest.mark.skipif(not STATM.exists(), reason="the system does not tell what is in memory")
def test_a_large_picture_without_objects_takes_no_memory():
    """Nor does one with a small object: only what was drawn is in memory, of 160 megabytes."""

    def in_memory():
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = in_memory()
    labels = draw_labels(annotation(instance("a", triangle((10, 10), (50, 10), (30, 50))), size=(5000, 8000)))
    assert labels.array.nbytes == 160_000_000
    assert in_memory() - before < 40_000_000
    assert labels.owner_of(labels.array.max()) == "a"
