"""There and back through every format: equal where the format can carry it, reported where it cannot."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from converters.annotation import (
    Box,
    Circle,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
)
from converters.files.images import write_image
from converters.formats.format import Picture, PictureFinder, WriteOptions
from converters.formats.registry import FORMATS
from converters.formats.xml_files import fits_xml
from converters.frozen import FrozenMap
from converters.report import Report
from converters.shapes.geometry import difference, fill_rings, rasterize
from converters.shapes.kinds import outline, vertices
from tests.annotation_strategies import annotations, boxes, geometries, masks

numbers = itertools.count()
# Every example writes files, so a failing one is not made smaller: that would take minutes.
RELAXED = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
XML = {"voc", "cvat", "rectlabel"}
WRITABLE = sorted(name for name, each in FORMATS.items() if each.write is not None and each.read is not None)
# Formats that carry group ids, attributes and all the rest beside label and shape.
COMPLETE = sorted(set(WRITABLE) - {"yolo", "yolo-detect"})


def there_and_back(tmp_path, name: str, annotation: ImageAnnotation) -> tuple[ImageAnnotation, Report]:
    """What a format makes of one annotated picture, and what it reports."""
    folder = tmp_path / f"{name}-{next(numbers)}"
    folder.mkdir()
    image_file = folder / "source" / "photo.png"
    image_file.parent.mkdir()
    write_image(image_file, np.full((annotation.height, annotation.width, 3), 200, np.uint8))
    annotation = replace(annotation, image_path="photo.png")
    target = folder / "target"
    report = Report()
    options = WriteOptions(target, tuple(sorted(annotation.labels)))
    each = FORMATS[name]
    assert each.write is not None
    assert each.find is not None
    assert each.read is not None
    fragment = each.write(Picture(annotation, "photo", image_file), options, report)
    if each.finish is not None:
        each.finish(options, [fragment], report)
    reading = Report()
    found = [
        PictureFinder(target).attach(annotation, file)[0]  # as the converter does it: tells the size
        for file in each.find(target)
        for annotation in each.read(file, target, reading)
    ]
    assert len(found) == 1
    assert not found[0].rejected
    assert not reading.entries
    return found[0], report


def same_pixels(a, b, height: int, width: int) -> bool:
    def pixels(geometry):
        if isinstance(geometry, Polygon | Box | OrientedBox):
            return fill_rings([outline(geometry)], height, width)
        return rasterize(geometry, height, width)

    return pixels(a) == pixels(b)


def close(a, b, tolerance: float) -> bool:
    if isinstance(a, Mask) or isinstance(b, Mask):
        return a == b
    if isinstance(a, Circle) and isinstance(b, Circle):
        rims = (math.dist(a.center, a.edge), math.dist(b.center, b.edge))
        return math.dist(a.center, b.center) <= tolerance and abs(rims[0] - rims[1]) <= tolerance
    ours, theirs = vertices(a), vertices(b)
    # A chain of two points is a line, a set of one is a point, wherever a format knows only one of them.
    kinds = {LineStrip: Line, PointSet: Point}
    same = kinds.get(type(a), type(a)) is kinds.get(type(b), type(b)) and len(ours) == len(theirs)
    return same and all(math.dist(p, q) <= tolerance for p, q in zip(ours, theirs, strict=True))


def check(name: str, annotation: ImageAnnotation, again: ImageAnnotation, report: Report, tolerance: float):
    """Every object came back, within the tolerance or told of in the report."""
    told = {entry.instance_id: entry.action for entry in report}
    dropped = {entry.instance_id for entry in report if entry.action == "dropped"}
    kept = [i for i in annotation.instances if i.id not in dropped]
    assert len(again.instances) == len(kept)
    assert (again.height, again.width) == (annotation.height, annotation.width)
    for before, after in zip(kept, again.instances, strict=True):
        if name not in XML or fits_xml(before.label):
            assert after.label == before.label
        else:
            assert before.id in told
        if before.id not in told:
            assert close(before.geometry, after.geometry, tolerance), (before.geometry, after.geometry)
        if name in COMPLETE:
            plain = {"label": "", "geometry": Box(0, 0, 1, 1)}
            # X-AnyLabeling's own keys and the turning direction come back as foreign keys.
            known = {
                k: v for k, v in after.extra.items() if k not in ("difficult", "kie_linking", "direction")
            }
            assert replace(after, **plain, extra=FrozenMap(known)) == replace(before, **plain)


@pytest.mark.parametrize("name", WRITABLE)
@RELAXED
@given(annotation=annotations(geometries))
def test_every_object_comes_back_or_is_reported(tmp_path, name, annotation):
    again, report = there_and_back(tmp_path, name, annotation)
    check(name, annotation, again, report, 0.02)
    assert report.pictures == 1
    assert report.instances == len(again.instances)


@pytest.mark.parametrize("name", ["labelme", "coco", "cvat", "rectlabel", "masks"])
@RELAXED
@given(annotation=annotations(masks))
def test_masks_come_back_pixel_for_pixel_though_they_overlap(tmp_path, name, annotation):
    again, report = there_and_back(tmp_path, name, annotation)
    assert [i.geometry for i in again.instances] == [i.geometry for i in annotation.instances]
    assert all("label" in entry.reason for entry in report if entry.instance_id is not None)


def without_overlap(annotation: ImageAnnotation) -> ImageAnnotation:
    kept: list[Instance] = []
    for instance in annotation.instances:
        free = instance.geometry
        for other in kept:
            free = difference(free, other.geometry)
        if not free.is_empty:
            kept.append(replace(instance, geometry=free))
    return annotation.with_instances(tuple(kept))


@pytest.mark.parametrize("name", ["coco-panoptic", "voc"])
@RELAXED
@given(annotation=annotations(masks).map(without_overlap))
def test_masks_side_by_side_come_back_where_a_pixel_has_one_owner(tmp_path, name, annotation):
    again, report = there_and_back(tmp_path, name, annotation)
    assert [i.geometry for i in again.instances] == [i.geometry for i in annotation.instances]
    assert all("label" in entry.reason for entry in report if entry.instance_id is not None)


@pytest.mark.parametrize("name", ["yolo", "via", "xanylabeling", "rectlabel-json"])
@RELAXED
@given(annotation=annotations(masks))
def test_outlines_of_masks_enclose_the_very_same_pixels(tmp_path, name, annotation):
    again, report = there_and_back(tmp_path, name, annotation)
    assert len(again.instances) == len(annotation.instances)
    for before, after in zip(annotation.instances, again.instances, strict=True):
        # Ten decimals of the picture's size: the outline may miss a pixel's corner, not its centre.
        assert same_pixels(before.geometry, after.geometry, annotation.height, annotation.width)
    assert {e.instance_id for e in report if "mask becomes" in e.reason} == {
        i.id for i in annotation.instances
    }


@RELAXED
@given(annotation=annotations(boxes))
def test_boxes_survive_yolo_to_a_hundred_thousandth_of_a_pixel(tmp_path, annotation):
    again, _ = there_and_back(tmp_path, "yolo-detect", annotation)
    for before, after in zip(annotation.instances, again.instances, strict=True):
        assert close(before.geometry, after.geometry, 1e-5)


@pytest.mark.parametrize("name", ["voc", "coco", "cvat", "via", "rectlabel", "labelme", "xanylabeling"])
@RELAXED
@given(annotation=annotations(boxes))
def test_boxes_survive_everywhere_else_to_rounding(tmp_path, name, annotation):
    again, _ = there_and_back(tmp_path, name, annotation)
    for before, after in zip(annotation.instances, again.instances, strict=True):
        assert close(before.geometry, after.geometry, 1e-9)
