"""Shapes to pixels and back: exact where the docstrings say exact."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from converters.annotation import Box, Circle, Line, LineStrip, Mask, OrientedBox, Point, PointSet, Polygon
from converters.errors import ConverterError
from converters.shapes.geometry import (
    bounding_box,
    decode_rle,
    difference,
    encode_rle,
    fill_holes,
    fill_rings,
    intersection,
    join_rings,
    largest_part,
    mask_iou,
    mask_to_rings,
    rasterize,
    union,
    xor,
)
from converters.shapes.rle import run_lengths
from tests.annotation_strategies import geometries, masks, polygons

H, W = 40, 50


def outer_rings(mask: Mask, tolerance: float = 0.0) -> list[Polygon]:
    """The outline of every part, without its holes."""
    return [outer for outer, _ in mask_to_rings(mask, tolerance)]


def mask_of(text: str) -> Mask:
    rows = text.split()
    return Mask(0, 0, np.array([[c == "#" for c in row] for row in rows]))


def all_rings(mask: Mask):
    return [ring for outer, holes in mask_to_rings(mask) for ring in (outer, *holes)]


@given(masks(H, W))
def test_traced_rings_fill_back_to_the_same_mask(mask):
    rings = all_rings(mask)
    assert fill_rings([ring.points for ring in rings], H, W) == mask
    assert rasterize(join_rings(rings), H, W, rule="centers") == mask


@given(masks(H, W))
def test_one_outer_ring_for_each_part(mask):
    parts = cv2.connectedComponents(mask.array.astype(np.uint8), connectivity=4)[0] - 1
    assert len(outer_rings(mask)) == parts
    assert fill_rings([p.points for p in outer_rings(fill_holes(mask))], H, W) == fill_holes(mask)


def test_rings_are_told_apart_from_holes():
    [(outer, [hole])] = mask_to_rings(mask_of("##### #...# #.#.# #...# #####".replace("#.#.#", "#...#")))
    assert outer.points == ((0, 0), (5, 0), (5, 5), (0, 5))
    assert set(hole.points) == {(1, 1), (4, 1), (4, 4), (1, 4)}
    island = mask_to_rings(mask_of("##### #...# #.#.# #...# #####"))
    assert [len(holes) for _, holes in island] == [1, 0]


def test_pixels_that_touch_at_a_corner_are_two_parts():
    assert len(outer_rings(mask_of("#. .#"))) == 2
    assert len(outer_rings(mask_of(".# #."))) == 2


def test_tolerance_moves_the_border_by_no_more():
    yy, xx = np.mgrid[:200, :200]
    disc = Mask.from_full((yy - 100) ** 2 + (xx - 100) ** 2 < 80**2)
    exact, rough = outer_rings(disc)[0], outer_rings(disc, tolerance=1.5)[0]
    assert len(rough.points) < len(exact.points) / 5
    assert mask_iou(fill_rings([rough.points], 200, 200), disc) > 0.97
    assert outer_rings(mask_of("#"), tolerance=9.0)[0].points == ((0, 0), (1, 0), (1, 1), (0, 1))


def drawn(paint) -> np.ndarray:
    canvas = Image.new("L", (W, H))
    paint(ImageDraw.Draw(canvas))
    return np.asarray(canvas) != 0


far_points = st.lists(st.tuples(st.floats(-60, 110), st.floats(-60, 100)), min_size=2, max_size=8)


@given(far_points)
def test_polygons_and_lines_are_drawn_pixel_for_pixel_as_pil_draws_the_whole_picture(points):
    polygon = rasterize(Polygon(tuple(points)), H, W)
    assert np.array_equal(polygon.to_full(H, W), drawn(lambda d: d.polygon(points, outline=1, fill=1)))
    strip = rasterize(LineStrip(tuple(points)), H, W)
    assert np.array_equal(strip.to_full(H, W), drawn(lambda d: d.line(points, fill=1, width=10)))
    (x, y), r = points[0], math.dist(points[0], points[1])
    circle = rasterize(Circle(points[0], points[1]), H, W)
    expected = drawn(lambda d: d.ellipse([x - r, y - r, x + r, y + r], outline=1, fill=1))
    assert np.array_equal(circle.to_full(H, W), expected)


def test_small_shapes_follow_labelme():
    assert rasterize(Box(10, 10, 2, 3), H, W).box == (2, 3, 11, 11)
    assert rasterize(Box(2, 3, 10, 10), H, W, rule="centers").box == (2, 3, 10, 10)
    assert rasterize(Polygon(((3.7, 4.2),)), H, W).box == (3, 4, 4, 5)
    assert rasterize(Point(20, 20), H, W) == rasterize(Circle((20, 20), (25, 20)), H, W)
    two = PointSet(((10.0, 10.0), (30.0, 30.0)))
    assert rasterize(two, H, W) == union(rasterize(Point(10, 10), H, W), rasterize(Point(30, 30), H, W))
    assert rasterize(Line((5, 20), (30, 20)), H, W).array.shape[0] in (10, 11)
    diamond = OrientedBox(((10, 5), (15, 10), (10, 15), (5, 10)))
    assert rasterize(diamond, H, W).contains(10, 10)


@given(geometries(H, W))
def test_every_shape_stays_in_the_picture(geometry):
    mask = rasterize(geometry, H, W)
    assert mask.clipped(H, W) == mask


def test_outside_and_absurd_shapes():
    assert rasterize(Polygon(((-9, -9), (-5, -9), (-5, -5))), H, W).is_empty
    assert rasterize(Polygon(((900, 9), (950, 9), (950, 50))), H, W).is_empty
    assert rasterize(Box(-1e9, -1e9, 1e9, 1e9), H, W).area == H * W
    assert rasterize(Box(-1e9, -1e9, 1e9, 1e9), H, W, rule="centers").area == H * W
    with pytest.raises(ValueError, match="finite"):
        rasterize(Polygon(((0, 0), (math.nan, 1), (5, 5))), H, W)
    with pytest.raises(ValueError, match="finite"):
        rasterize(Circle((0, 0), (math.inf, 1)), H, W)


def test_bounding_boxes():
    assert bounding_box(Mask(5, 6, np.pad(np.ones((2, 3), bool), 1))) == (6, 7, 9, 9)
    assert bounding_box(Circle((10, 10), (13, 14))) == (5, 5, 15, 15)
    assert bounding_box(Box(9, 8, 1, 2)) == (1, 2, 9, 8)
    assert bounding_box(Point(3, 4)) == (3, 4, 3, 4)
    assert bounding_box(Line((9, 1), (2, 5))) == (2, 1, 9, 5)


@given(masks(H, W), masks(H, W))
def test_arithmetic_is_that_of_sets(a, b):
    left, right = a.to_full(H, W), b.to_full(H, W)
    assert union(a, b) == Mask.from_full(left | right)
    assert intersection(a, b) == Mask.from_full(left & right)
    assert difference(a, b) == Mask.from_full(left & ~right)
    assert xor(a, b) == Mask.from_full(left ^ right)
    assert mask_iou(a, b) == pytest.approx((left & right).sum() / (left | right).sum())


def test_empty_masks_in_arithmetic():
    empty, one = Mask(0, 0, np.zeros((0, 0), bool)), mask_of("#")
    assert union(empty, one) == one == union(one, empty)
    assert intersection(empty, one).is_empty
    assert mask_iou(empty, empty) == 1.0
    assert mask_iou(empty, one) == 0.0
    assert largest_part(empty).is_empty
    assert fill_holes(empty).is_empty
    assert mask_to_rings(empty) == []


def test_largest_part_and_holes():
    assert largest_part(mask_of("##..#. ##..#. .....#")) == mask_of("##.. ##..")
    assert largest_part(mask_of("#..#. ....#")) == mask_of("...#. ....#")
    assert fill_holes(mask_of("### #.# ###")).area == 9
    assert fill_holes(mask_of("### #.# #.#")).area == 7
    # A background that reaches out only through a corner is shut in.
    assert fill_holes(mask_of("##. #.# ###")).area == 8


@given(masks(H, W, max_side=20))
def test_run_length_codes_are_those_of_pycocotools(mask):
    full = np.asfortranarray(mask.to_full(H, W).astype(np.uint8))
    code = encode_rle(mask, H, W)
    assert code["counts"].encode() == coco_mask.encode(full)["counts"]
    assert decode_rle(code) == mask
    assert decode_rle({"size": [H, W], "counts": run_lengths(mask, H, W)}) == mask
    assert decode_rle({"size": [H, W], "counts": code["counts"].encode()}) == mask


def test_full_and_empty_codes():
    for mask in (Mask(0, 0, np.ones((H, W), bool)), Mask(0, 0, np.zeros((3, 3), bool))):
        assert decode_rle(encode_rle(mask, H, W)) == mask
    assert decode_rle({"size": [2, 2], "counts": [0, 0, 0, 4]}).area == 4
    assert decode_rle({"size": [2, 2], "counts": [1, 0, 0, 2, 1]}).area == 2


@given(polygons(H, W))
def test_masks_of_polygons_survive_the_code(polygon):
    mask = rasterize(polygon, H, W)
    assert decode_rle(encode_rle(mask, H, W)) == mask


@pytest.mark.parametrize(
    "code",
    [
        None,
        {},
        {"size": [4, 4]},
        {"size": [4, 4], "counts": 7},
        {"size": [4], "counts": [16]},
        {"size": [-4, -4], "counts": [16]},
        {"size": [True, 4], "counts": [4]},
        {"size": [4, 4], "counts": [15]},
        {"size": [4, 4], "counts": [-1, 17]},
        {"size": [4, 4], "counts": [1.5, 14.5]},
        {"size": [4, 4], "counts": "\x01\x02"},
        {"size": [4, 4], "counts": "o" * 40},
        {"size": [4, 4], "counts": "人"},
        {"size": [10**6, 10**6], "counts": [10**12]},
        {"size": [4, 4], "counts": [10**30]},
    ],
)
def test_bad_codes_are_refused(code):
    with pytest.raises(ConverterError):
        decode_rle(code)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_no_text_breaks_the_decoder(text):
    try:
        decode_rle({"size": [16, 16], "counts": text})
    except ConverterError:
        return
