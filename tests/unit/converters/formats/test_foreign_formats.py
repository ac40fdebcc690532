"""Files of other programs: what each reader makes of a small sample, and that the format is recognised."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

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
from converters.conversion.convert import convert
from converters.errors import ConverterError
from converters.formats.label_studio import decode_brush
from converters.formats.labelme.document import read_labelme
from converters.formats.rectlabel import read_rectlabel
from converters.formats.registry import FORMATS, readable_formats, sniff
from converters.report import Report
from converters.shapes.geometry import fill_rings, mask_iou
from tests.foreign_files import HEIGHT, SAMPLES, WIDTH, brush_code, picture, ring

TRIANGLE = Polygon(((1, 2), (9, 2), (9, 9)))
BOX = Box(1, 2, 9, 9)
RING = Mask.from_full(ring())


def read(tmp_path, name: str) -> tuple[ImageAnnotation, Report]:
    SAMPLES[name](tmp_path)
    return read_from(tmp_path, name)


def read_from(root, name: str) -> tuple[ImageAnnotation, Report]:
    each, report = FORMATS[name], Report()
    assert each.find is not None
    assert each.read is not None
    found = [a for file in each.find(root) for a in each.read(file, root, report)]
    return max(found, key=lambda annotation: len(annotation.instances)), report


def geometries(annotation: ImageAnnotation):
    return [instance.geometry for instance in annotation.instances]


def test_there_is_a_sample_of_every_readable_format():
    # Both kinds of YOLO are read alike, and so are both of RectLabel's.
    assert {each.name for each in readable_formats()} - {"yolo-detect"} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_formats_are_recognised(tmp_path, name):
    sample = SAMPLES[name](tmp_path)
    expected = "rectlabel" if name == "rectlabel-json" else name
    assert sniff(tmp_path).name == expected
    assert sniff(sample).name == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_becomes_labelme_files(tmp_path, name):
    (tmp_path / "in").mkdir()
    SAMPLES[name](tmp_path / "in")
    conversion = convert(tmp_path / "in", tmp_path / "out", target_format="labelme", source_format=name)
    assert not conversion.failures
    written = sorted((tmp_path / "out").rglob("*.json"))
    assert written
    for file in written:
        annotation = read_labelme(file)
        assert (annotation.height, annotation.width) == (HEIGHT, WIDTH)
        assert (file.parent / annotation.image_path).is_file()


def test_panoptic(tmp_path):
    annotation, _ = read(tmp_path, "coco-panoptic")
    assert geometries(annotation) == [RING]
    assert annotation.instances[0].label == "cat"


def test_voc(tmp_path):
    annotation, _ = read(tmp_path, "voc")
    assert geometries(annotation) == [Box(1, 2, 9, 10)]
    assert annotation.instances[0].attributes == {"truncated": True, "pose": "Left"}


def test_yolo(tmp_path):
    annotation, _ = read(tmp_path, "yolo")
    box, polygon, scored = annotation.instances
    assert box.geometry == Box(24, 12, 36, 28)
    assert (box.label, polygon.label) == ("cat", "dog")
    assert polygon.geometry == Polygon(((6, 4), (30, 4), (30, 20)))
    assert scored.score == 0.875


def test_yolo_needs_its_picture(tmp_path):
    sample = SAMPLES["yolo"](tmp_path)
    (tmp_path / "images" / "train" / "a.png").unlink()
    conversion = convert(tmp_path, tmp_path / "out", target_format="labelme")
    assert len(conversion.failures) == 1
    assert conversion.failures[0].path == sample


def test_xanylabeling(tmp_path):
    annotation, _ = read(tmp_path, "xanylabeling")
    box, turned = annotation.instances
    assert box.geometry == BOX
    assert box.attributes == {"tail": "long"}
    assert box.score == 0.5
    assert turned.geometry == OrientedBox(((5, 0), (9, 4), (5, 8), (1, 4)))
    assert turned.extra["direction"] == 0.785


def test_cvat(tmp_path):
    annotation, _ = read(tmp_path, "cvat")
    box, turned, polygon, line, point, sun, egg, mask = annotation.instances
    assert (box.geometry, box.attributes) == (BOX, {"tail": "long", "occluded": True})
    corners = {(round(x, 6), round(y, 6)) for x, y in turned.geometry.points}
    assert corners == {(7, -3), (7, 7), (3, 7), (3, -3)}
    assert (polygon.geometry, polygon.group_id) == (TRIANGLE, 4)
    assert line.geometry == LineStrip(TRIANGLE.points)
    assert point.geometry == Point(1.5, 2.5)
    assert sun.geometry == Circle((20, 20), (25, 20))
    ideal = fill_rings([egg.geometry.points], HEIGHT, WIDTH).area
    assert ideal == pytest.approx(math.pi * 8 * 4, rel=0.03)
    assert mask.geometry == Mask(10, 20, np.array([[1, 1, 1], [0, 1, 0], [1, 1, 1]], bool))
    assert annotation.flags == {"sunny": True}
    assert [r.raw["tag"] for r in annotation.rejected] == ["cuboid"]


def test_via(tmp_path):
    annotation, _ = read(tmp_path, "via")
    labels = [instance.label for instance in annotation.instances]
    assert labels == ["cat", "dog", "sun", "egg", "road", "eye"]
    box, polygon, circle, _, line, point = annotation.instances
    assert box.geometry == BOX
    assert (polygon.geometry, polygon.attributes) == (TRIANGLE, {"fur": "white"})
    assert circle.geometry == Circle((20, 20), (25, 20))
    assert line.geometry == LineStrip(TRIANGLE.points)
    assert point.geometry == Point(3, 4)
    assert annotation.extra == {"via_file_attributes": {"weather": "rain"}}
    assert [r.index for r in annotation.rejected] == [6, 7]


def test_labelbox(tmp_path):
    annotation, report = read(tmp_path, "labelbox")
    box, polygon, line, point = annotation.instances
    assert (box.geometry, box.attributes, box.id) == (BOX, {"tail": "long"}, "f1")
    assert polygon.geometry == TRIANGLE
    assert line.geometry == Line((1, 2), (9, 2))
    assert point.geometry == Point(3, 4)
    assert "server" in annotation.rejected[0].reason
    assert [e.reason for e in report] == [
        "the line cannot be read: this is not valid JSON (Expecting value)."
    ]


def test_label_studio(tmp_path):
    annotation, _ = read(tmp_path, "label-studio")
    box, polygon, brush, sun, eye, turned = annotation.instances
    assert annotation.image_path == "a.png"
    assert box.geometry == Box(6, 8, 36, 28)
    assert polygon.geometry == Polygon(((6, 4), (30, 4), (30, 20)))
    assert brush.geometry == RING
    assert sun.geometry == Circle((30, 20), (36, 20))
    assert eye.geometry == Point(30, 20)
    corners = {(round(x, 6), round(y, 6)) for x, y in turned.geometry.points}
    assert corners == {(0, 0), (0, 30), (-20, 30), (-20, 0)}
    assert annotation.extra["label_studio_results"][0]["type"] == "choices"


def test_brush_codes_that_lie():
    good = brush_code(ring())
    assert np.array_equal(decode_brush(good, HEIGHT, WIDTH), ring())
    for bad in (good[:-5], good[:3], [], None, [300], "x", [255] * 40):
        with pytest.raises(ConverterError):
            decode_brush(bad, HEIGHT, WIDTH)
    with pytest.raises(ConverterError, match="another size"):
        decode_brush(good, HEIGHT, WIDTH + 1)
    with pytest.raises(ConverterError, match="67,108,864"):
        decode_brush(good, 1 << 15, 1 << 15)


def test_isat_cuts_holes(tmp_path):
    annotation, _ = read(tmp_path, "isat")
    whole, dog = annotation.instances
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[5:15, 5:15], expected[8:12, 8:12] = True, False
    assert whole.geometry == Mask.from_full(expected)
    assert (whole.label, whole.group_id, whole.description) == ("ring", 1, "hello")
    assert isinstance(dog.geometry, Polygon)


def test_rectlabel(tmp_path):
    annotation, _ = read(tmp_path, "rectlabel")
    polygon, box, line, leaf, pixels = annotation.instances
    assert polygon.geometry == TRIANGLE
    assert box.geometry == BOX
    assert line.geometry == Line((1, 2), (9, 2))
    straight = fill_rings([leaf.geometry.points], HEIGHT, WIDTH)
    assert mask_iou(straight, fill_rings([TRIANGLE.points], HEIGHT, WIDTH)) > 0.99
    assert pixels.geometry == RING


def test_rectlabel_json(tmp_path):
    annotation, _ = read(tmp_path, "rectlabel-json")
    assert geometries(annotation) == [BOX, TRIANGLE]


def test_rectlabel_key_points_that_are_not_set_are_none(tmp_path):
    picture(tmp_path / "a.png")
    triples = [3, 4, 2, 0, 0, 0, 5, 6, 1]
    tags = "".join(
        f"<x{n}>{x}</x{n}><y{n}>{y}</y{n}><v{n}>{v}</v{n}>"
        for n, (x, y, v) in enumerate(zip(*[iter(triples)] * 3, strict=True), start=1)
    )
    head = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    (tmp_path / "a.xml").write_text(
        f"<annotation><filename>a.png</filename>{head}<object><name>dog</name><rating>5</rating>"
        f"<part><name>head</name></part><keypoints>{tags}</keypoints></object></annotation>"
    )
    objects = [
        {"label": "dog", "keypoints": triples},
        {"label": "leaf", "cubic_bezier": [v for x, y in TRIANGLE.points for v in (x, y) * 3]},
    ]
    document = {"filename": "a.png", "image_w_h": [WIDTH, HEIGHT], "objects": objects}
    (tmp_path / "a.json").write_text(json.dumps(document))
    dog = read_rectlabel(tmp_path / "a.xml").instances[0]
    assert dog.geometry == PointSet(((3, 4), (5, 6)))
    assert dog.attributes == {"visibility": [2, 1], "rating": "5"}
    assert dog.extra["voc"][0]["tag"] == "part"
    same, leaf = read_rectlabel(tmp_path / "a.json").instances
    assert same.geometry == dog.geometry
    assert (
        mask_iou(
            fill_rings([leaf.geometry.points], HEIGHT, WIDTH), fill_rings([TRIANGLE.points], HEIGHT, WIDTH)
        )
        > 0.99
    )


def test_a_rectlabel_outline_of_many_points_is_read_at_once(tmp_path):
    tags = "".join(f"<x{n}>{n % 50}</x{n}><y{n}>{n % 30}</y{n}>" for n in range(1, 50_001))
    (tmp_path / "a.xml").write_text(
        f"<annotation><filename>a.png</filename><object><name>x</name><polygon>{tags}</polygon></object></annotation>"
    )
    assert len(read_rectlabel(tmp_path / "a.xml").instances[0].geometry.points) == 50_000


def test_panoptic_annotations_without_a_picture_of_their_own_are_reported(tmp_path):
    file = SAMPLES["coco-panoptic"](tmp_path)
    document = json.loads(file.read_text())
    document["annotations"] += [document["annotations"][0], {"image_id": 999, "segments_info": []}, 5]
    file.write_text(json.dumps({**document, "categories": document["categories"]}))
    _, report = read_from(tmp_path, "coco-panoptic")
    assert len(report) == 3
    file.write_text(json.dumps({**document, "categories": 5}))
    assert not read_from(tmp_path, "coco-panoptic")[0].instances


def test_mit_labelme(tmp_path):
    annotation, report = read(tmp_path, "labelme-xml")
    car, wheel, mask = annotation.instances
    assert car.geometry == Polygon(((1, 2), (9, 2), (9, 9), (1, 9)))
    assert car.attributes == {"occluded": True, "attributes": "red"}
    assert wheel.geometry == BOX
    assert car.group_id == wheel.group_id == 0
    assert mask.geometry == RING
    assert [e.reason for e in report] == ["deleted in LabelMe"]


def test_mask_folders(tmp_path):
    annotation, _ = read(tmp_path, "masks")
    first, second = annotation.instances
    assert (first.label, first.geometry) == ("ring", RING)
    assert (second.label, second.geometry.area) == ("square", 25)


def test_one_mask_file_per_object(tmp_path):
    from PIL import Image

    from tests.foreign_files import picture

    picture(tmp_path / "street 1.jpg")
    for name, row in (("street 1_car_1", 3), ("street 1_car_2", 9), ("street 1_red bus", 20)):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[row : row + 3, 4:9] = 255
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    each = FORMATS["masks"]
    assert each.read is not None
    [annotation] = each.read(tmp_path, tmp_path, Report())
    assert annotation.image_path == "street 1.jpg"
    assert sorted(i.label for i in annotation.instances) == ["car", "car", "red bus"]


@pytest.mark.parametrize("name", ["voc", "cvat", "rectlabel", "labelme-xml"])
def test_xml_bombs_are_not_opened(tmp_path, name):
    file = SAMPLES[name](tmp_path)
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    body = file.read_text(encoding="utf-8").removeprefix('<?xml version="1.0" encoding="utf-8"?>')
    file.write_text(bomb + body.replace("cat", "&b;").replace("car", "&b;"), encoding="utf-8")
    each = FORMATS[name]
    assert each.read is not None
    with pytest.raises(ConverterError, match="entities"):
        each.read(file, tmp_path, Report())


@pytest.mark.parametrize("name", ["coco", "via", "cvat"])
def test_names_that_lead_out_write_nothing_outside(tmp_path, name):
    project = tmp_path / "deep" / "project"
    project.mkdir(parents=True)
    file = SAMPLES[name](project)
    for hostile in ("../../../escaped.png", "/etc/escaped.png", "C:\\escaped.png"):
        file.write_text(
            SAMPLES[name](project)
            .read_text()
            .replace("a.png", hostile.replace("\\", "\\\\" if name != "cvat" else "\\")),
            encoding="utf-8",
        )
        target = tmp_path / "deep" / "target"
        convert(file, target, source_format=name, target_format="labelme")
        assert not list(tmp_path.glob("escaped*"))
        assert list(target.glob("**/escaped.json")) or list(target.glob("**/*escaped.json"))
        file.unlink()


@pytest.mark.parametrize("name", ["masks", "yolo"])
@pytest.mark.parametrize("above", ["masks", "labels", "images"])
def test_folders_above_the_source_mean_nothing(tmp_path, name, above):
    root = tmp_path / above / "project"
    SAMPLES[name](root)
    annotation, _ = read_from(root, name)
    assert annotation.instances
    assert annotation.height in (0, HEIGHT)
