"""Every kind of shape has a row that tells the truth, and a new row is all a new kind takes."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pytest

from converters.annotation import Geometry, ImageAnnotation, Instance, Mask, PointSet, Polygon
from converters.conversion.convert import convert
from converters.files.images import write_image
from converters.formats.labelme.document import read_labelme, write_labelme
from converters.formats.registry import readable_formats, writable_formats
from converters.shapes.geometry import bounding_box, fill_rings, rasterize
from converters.shapes.kinds import ROWS, handles_of, is_region, kind_of, moved, outline, rebuilt, vertices
from tests.new_kind import Ellipse, ellipse_kind
from tests.unit.app.pictures import EVERY_GEOMETRY

__all__ = ["ellipse_kind"]

HEIGHT, WIDTH = 90, 120
EGG = Ellipse((60.0, 40.0), (90.0, 55.0))


def inside(center: tuple[float, float], rx: float, ry: float) -> np.ndarray:
    """(H, W) bool: the pixels whose centre lies in an ellipse."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return ((columns - center[0]) / rx) ** 2 + ((rows - center[1]) / ry) ** 2 <= 1


def test_every_kind_has_one_row_and_every_name_is_its_own():
    assert {row.shape for row in ROWS} == set(get_args(Geometry))
    for names in ([row.name for row in ROWS], [row.labelme for row in ROWS], [row.shape for row in ROWS]):
        assert len(set(names)) == len(ROWS)


@pytest.mark.parametrize("geometry", EVERY_GEOMETRY, ids=lambda g: type(g).__name__)
def test_a_row_makes_the_shape_again_from_its_points(geometry):
    kind = kind_of(geometry)
    assert type(geometry) is kind.shape
    if isinstance(geometry, Mask):
        assert vertices(geometry) == ()
        with pytest.raises(ValueError, match="pixels"):
            rebuilt(geometry, lambda point: point)
        return
    points = vertices(geometry)
    assert kind.made(points) == geometry
    assert kind.counts[0] <= len(points) <= kind.counts[1]
    assert (
        rebuilt(rebuilt(geometry, lambda p: (2 * p[0], 2 * p[1])), lambda p: (p[0] / 2, p[1] / 2)) == geometry
    )
    if kind.counts[0] == kind.counts[1]:
        with pytest.raises((ValueError, TypeError)):
            kind.made((*points, (1.0, 1.0)))


@pytest.mark.parametrize("geometry", EVERY_GEOMETRY, ids=lambda g: type(g).__name__)
def test_the_outline_lies_on_the_border_of_the_box(geometry):
    if isinstance(geometry, Mask):
        assert outline(geometry) == ()
        return
    around = PointSet(outline(geometry))
    assert bounding_box(around) == pytest.approx(bounding_box(geometry), abs=0.01)
    assert is_region(geometry) == (kind_of(geometry).drawn == "closed")


def test_a_new_kind_moves_and_scales(ellipse_kind):
    assert moved(EGG, 3, -2) == Ellipse((63.0, 38.0), (93.0, 53.0))
    assert rebuilt(EGG, lambda p: (p[0] / 2, p[1] * 2)) == Ellipse((30.0, 80.0), (45.0, 110.0))
    assert bounding_box(EGG) == (30.0, 25.0, 90.0, 55.0)
    assert handles_of(EGG) == (EGG.center, EGG.corner)


def test_a_new_kind_has_pixels(ellipse_kind):
    pixels = rasterize(EGG, HEIGHT, WIDTH).to_full(HEIGHT, WIDTH)
    truth = inside(EGG.center, 30, 15)
    # Drawn as labelme would: with a border, and an ellipse of PIL's arithmetic.
    assert np.count_nonzero(pixels & truth) > 0.99 * np.count_nonzero(truth)
    assert np.count_nonzero(pixels) < 1.15 * np.count_nonzero(truth)
    traced = fill_rings([outline(EGG)], HEIGHT, WIDTH).to_full(HEIGHT, WIDTH)
    assert np.count_nonzero(traced ^ truth) < 0.02 * np.count_nonzero(truth)


def test_a_new_kind_is_read_and_written_as_labelme(ellipse_kind, tmp_path):
    annotation = ImageAnnotation(
        "a.png", HEIGHT, WIDTH, (Instance("e", "egg", EGG), Instance("f", "egg", EGG))
    )
    write_labelme(tmp_path / "a.json", annotation)
    assert read_labelme(tmp_path / "a.json") == annotation
    (shape, _) = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["shapes"]
    assert (shape["shape_type"], shape["points"]) == ("ellipse", [[60.0, 40.0], [90.0, 55.0]])


@pytest.mark.parametrize("target", [each.name for each in writable_formats()])
def test_every_format_takes_a_new_kind_and_says_what_becomes_of_it(ellipse_kind, tmp_path, target):
    source = tmp_path / "source"
    source.mkdir()
    write_image(source / "a.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    write_labelme(
        source / "a.json", ImageAnnotation("a.png", HEIGHT, WIDTH, (Instance("e", "egg", EGG, group_id=1),))
    )
    report = convert(source, tmp_path / "there", target_format=target, processes=1).report
    assert (report.pictures, report.instances) == (1, 1)
    if target not in {each.name for each in readable_formats()}:
        return
    convert(tmp_path / "there", tmp_path / "back", source_format=target, target_format="labelme", processes=1)
    (file,) = (tmp_path / "back").glob("**/a.json")
    found = read_labelme(file).instances[0].geometry
    truth = rasterize(EGG, HEIGHT, WIDTH)
    pixels = rasterize(found, HEIGHT, WIDTH)
    if target == "yolo-detect":
        assert bounding_box(found) == pytest.approx(bounding_box(EGG), abs=1e-6)
    else:
        both = pixels.to_full(HEIGHT, WIDTH) & truth.to_full(HEIGHT, WIDTH)
        assert np.count_nonzero(both) > 0.9 * max(pixels.area, truth.area)
    if target in ("labelme", "coco", "xanylabeling"):
        assert found == EGG
    if target in ("cvat", "via", "yolo", "rectlabel-json"):
        assert isinstance(found, Polygon)
