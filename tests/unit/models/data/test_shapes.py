"""The generated shapes: exact masks, several categories, overlaps and holes, equal for equal seeds."""

from __future__ import annotations

import numpy as np
import pytest

from converters.shapes.geometry import fill_holes, mask_iou
from models.data.crops import CropSettings, draw_crop
from models.data.shapes import SHAPE_CATEGORIES, make_shapes


def test_every_category_and_no_shared_pixel(tmp_path):
    dataset = make_shapes(tmp_path, count=30, size=96, objects=(3, 6))
    seen = {o.category for p in dataset.pictures for o in p.objects}
    assert seen == set(range(len(SHAPE_CATEGORIES)))
    assert dataset.categories == SHAPE_CATEGORIES
    hidden = 0
    for picture in dataset.pictures:
        assert picture.exhaustive
        assert 1 <= len(picture.objects) <= 6
        stack = np.stack([o.mask.to_full(96, 96) for o in picture.objects])
        assert stack.any(axis=(1, 2)).all()
        assert stack.sum(axis=0).max() == 1
        circles = [o.mask for o in picture.objects if o.category == 0]
        hidden += sum(m.area < 0.7 * m.array.size for m in circles)  # a whole circle fills 0.785 of its box
    assert hidden > 0, "no shape overlaps another"


def test_a_lone_ring_has_a_hole_and_a_lone_rectangle_has_none(tmp_path):
    def pairs(category):
        folder = tmp_path / category
        dataset = make_shapes(folder, count=8, objects=(1, 1), categories=(category,))
        return [(p.objects[0].mask, fill_holes(p.objects[0].mask)) for p in dataset.pictures]

    assert all(0.5 < mask_iou(m, filled) < 0.9 for m, filled in pairs("ring"))
    assert all(m == filled for m, filled in pairs("rectangle"))


def test_the_mask_lies_where_the_colour_is(tmp_path):
    for picture in make_shapes(tmp_path, count=10, objects=(1, 1)).pictures:
        pixels = picture.pixels().astype(float)
        inside = picture.objects[0].mask.to_full(picture.height, picture.width)
        saturation = pixels.max(axis=2) - pixels.min(axis=2)
        assert saturation[inside].mean() > saturation[~inside].mean() + 30


def test_equal_seeds_give_equal_pictures_and_others_differ(tmp_path):
    a = make_shapes(tmp_path / "a", count=3, seed=5)
    b = make_shapes(tmp_path / "b", count=3, seed=5)
    c = make_shapes(tmp_path / "c", count=3, seed=6)
    for one, same, other in zip(a.pictures, b.pictures, c.pictures, strict=True):
        np.testing.assert_array_equal(one.pixels(), same.pixels())
        assert [o.mask for o in one.objects] == [o.mask for o in same.objects]
        assert not np.array_equal(one.pixels(), other.pixels())


def test_training_can_draw_crops_from_them(tmp_path):
    dataset = make_shapes(tmp_path, count=2)
    settings = CropSettings(size=64, long_side=(64, 96), mask_stride=2)
    image, target = draw_crop([dataset], settings, np.random.default_rng(0))
    assert image.shape == (3, 64, 64)
    assert target.masks.shape[1:] == (32, 32)
    assert target.exhaustive


def test_an_unknown_category_is_named(tmp_path):
    with pytest.raises(ValueError, match="hexagon"):
        make_shapes(tmp_path, categories=("circle", "hexagon"))
