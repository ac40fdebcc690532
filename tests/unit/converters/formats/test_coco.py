"""COCO instances: exact masks, honest reports, no bad annotation takes the file down."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.annotation import (
    Box,
    Circle,
    ImageAnnotation,
    Instance,
    Line,
    Mask,
    Point,
    Polygon,
    RejectedShape,
)
from converters.errors import ConverterError
from converters.formats.coco.instances import read_coco, write_coco
from converters.frozen import FrozenMap
from converters.report import Report
from converters.shapes.geometry import encode_rle, rasterize
from tests.annotation_strategies import annotations, boxes, masks, oriented_boxes, polygons

SLOW_FIXTURE = [HealthCheck.function_scoped_fixture]


def lossless(height: int, width: int):
    return st.one_of(
        masks(height, width), polygons(height, width), boxes(height, width), oriented_boxes(height, width)
    )


def without_coco_keys(annotation: ImageAnnotation) -> ImageAnnotation:
    extra = {key: value for key, value in annotation.extra.items() if key != "coco"}
    return ImageAnnotation(
        **{**{f: getattr(annotation, f) for f in annotation.__slots__}, "extra": FrozenMap(extra)}
    )


@settings(suppress_health_check=SLOW_FIXTURE)
@given(annotation=annotations(lossless))
def test_masks_polygons_and_boxes_come_back_equal(tmp_path, annotation):
    report = write_coco(tmp_path / "a.json", [annotation])
    assert not [entry for entry in report if entry.action != "changed"]
    assert report.instances == len(annotation.instances)
    [again] = read_coco(tmp_path / "a.json")
    assert without_coco_keys(again) == annotation
    write_coco(tmp_path / "b.json", [again])
    assert read_coco(tmp_path / "b.json") == [again]


@settings(suppress_health_check=SLOW_FIXTURE)
@given(annotation=annotations())
def test_whatever_does_not_fit_is_reported(tmp_path, annotation):
    report = write_coco(tmp_path / "a.json", [annotation])
    [again] = read_coco(tmp_path / "a.json")
    dropped = {entry.instance_id for entry in report if entry.action == "dropped"}
    assert {i.id for i in annotation.instances} - {i.id for i in again.instances} == dropped
    for instance in annotation.instances:
        if isinstance(instance.geometry, Circle):
            mask = rasterize(instance.geometry, annotation.height, annotation.width)
            found = rasterize(again.instance(instance.id).geometry, annotation.height, annotation.width)
            assert found == mask


def one(geometry, label="x", **changes):
    return ImageAnnotation("a.png", 40, 50, (Instance("i1", label, geometry, **changes),))


def saved(tmp_path, **changes):
    document = {
        "images": [{"id": 7, "file_name": "sub\\a.png", "height": 40, "width": 50, "license": 3}],
        "annotations": [],
        "categories": [{"id": 1, "name": "x"}, {"id": 90, "name": "toothbrush"}],
        **changes,
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(document))
    return path


def raw(**changes):
    plain = {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0}
    return {key: value for key, value in {**plain, **changes}.items() if value != "missing"}


def test_a_foreign_file(tmp_path):
    ring = np.zeros((40, 50), bool)
    ring[5:15, 5:15], ring[8:12, 8:12] = True, False
    mask = Mask.from_full(ring)
    path = saved(
        tmp_path,
        annotations=[
            raw(id=11, keypoints=[1, 2, 2], attributes={"occluded": True}),
            raw(id=12, category_id=90, segmentation=encode_rle(mask, 40, 50), iscrowd=1),
            raw(id=13, segmentation={"size": [40, 50], "counts": [3, 5, 40 * 50 - 8]}, iscrowd=1),
            raw(id=14, segmentation=[[1, 1, 5, 1, 5, 5, 1, 5], [20, 20, 30, 20, 30, 30, 20, 30]]),
            raw(id=15, segmentation=[], bbox=[1.5, 2.5, 10, 20]),
            raw(id=16, segmentation="missing", bbox=[1, 2, 3, 4], score=0.75),
        ],
    )
    report = Report()
    [annotation] = read_coco(path, report=report)
    assert not report.entries
    assert annotation.image_path == "sub/a.png"
    assert {k: v for k, v in annotation.extra["coco"].items() if k != "seedhue"} == {"id": 7, "license": 3}
    first, crowd, raw_crowd, parts, box, scored = annotation.instances
    assert first.geometry == Polygon(((1, 1), (9, 1), (9, 9)))
    assert first.attributes == {"occluded": True}
    assert first.extra == {"keypoints": [1, 2, 2]}
    assert (crowd.label, crowd.iscrowd, crowd.geometry) == ("toothbrush", True, mask)
    assert raw_crowd.geometry.area == 5
    assert isinstance(parts.geometry, Mask)
    assert parts.geometry.contains(3, 3)
    assert parts.geometry.contains(25, 25)
    assert box.geometry == Box(1.5, 2.5, 11.5, 22.5)
    assert scored.score == 0.75
    write_coco(path, [annotation], categories={"x": 1, "toothbrush": 90})
    document = json.loads(path.read_text())
    assert document["images"][0]["id"] == 7
    assert document["images"][0]["license"] == 3
    assert {c["id"]: c["name"] for c in document["categories"]} == {1: "x", 90: "toothbrush"}


@pytest.mark.parametrize(
    "bad",
    [
        raw(category_id=5),
        raw(category_id=[1]),
        raw(segmentation=[[1, 1, 9, 1]]),
        raw(segmentation=[[1, 1, 9, 1, 9]]),
        raw(segmentation=[[1, 1, 9, float("nan"), 9, 9]]),
        raw(segmentation=[[1, 1, 9, 1e200, 9, 9]]),
        raw(segmentation=[[1, 1, 9, 9, 1e6, 1e6], [1, 1, 9, 1, 9, 9]]),
        raw(segmentation=[[1, 1, "9", 1, 9, 9]]),
        raw(segmentation=[1, "a"]),
        raw(segmentation={"size": [41, 50], "counts": [41 * 50]}),
        raw(segmentation={"size": [40, 50], "counts": "xx"}),
        raw(segmentation="missing"),
        raw(segmentation="text", bbox=[1, 2, 3]),
        raw(segmentation=[], bbox=[1, 2, float("inf"), 3]),
    ],
)
def test_a_bad_annotation_is_set_aside(tmp_path, bad):
    [annotation] = read_coco(saved(tmp_path, annotations=[raw(), bad, raw(id=3)]))
    assert [i.id for i in annotation.instances] == ["1", "3"]
    [rejected] = annotation.rejected
    assert rejected.index == 1
    assert json.dumps(rejected.raw) == json.dumps(bad)
    report = write_coco(tmp_path / "b.json", [annotation])
    assert "not readable in the source" in report.entries[0].reason


def test_annotations_without_a_picture_are_reported(tmp_path):
    report = Report()
    path = saved(
        tmp_path,
        images=[{"id": 7, "file_name": "a.png", "height": 40, "width": 50}, {"id": 8}, "x"],
        annotations=[raw(), raw(image_id=99), "x", raw(image_id=[1])],
    )
    [annotation] = read_coco(path, report=report)
    assert len(annotation.instances) == 1
    assert len(report) == 5
    assert report.count("dropped") == 5


@pytest.mark.parametrize("text", ["", "[]", "{", '{"annotations": []}', '{"images": 5}'])
def test_files_that_are_no_coco_files(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConverterError):
        read_coco(tmp_path / "a.json")


def test_what_the_writer_reports(tmp_path):
    def report_of(annotation, **options):
        return [(e.action, e.label) for e in write_coco(tmp_path / "a.json", [annotation], **options)]

    assert report_of(one(Line((1, 1), (5, 5)))) == [("dropped", "x")]
    assert report_of(one(Point(1, 1))) == [("dropped", "x")]
    assert report_of(one(Circle((9, 9), (9, 12)))) == [("changed", "x")]
    assert report_of(one(Polygon(((1, 1), (5, 5))))) == [("changed", "x")]
    assert report_of(one(Polygon(((1, 1), (5, 5), (9e5, 9e6))))) == [("changed", "x")]
    assert report_of(one(Mask(-1, -1, np.ones((3, 3), bool)))) == [("changed", "x")]
    assert report_of(one(Box(1, 1, 5, 5)), categories=["y"]) == [("dropped", "x")]
    assert report_of(one(Box(1, 1, 5, 5)), categories=["y", "x"]) == []
    assert json.loads((tmp_path / "a.json").read_text())["annotations"][0]["category_id"] == 2
    rejected = ImageAnnotation("a.png", 9, 9, rejected=(RejectedShape(3, "no label", {}),))
    assert report_of(rejected) == [("dropped", None)]
    with pytest.raises(ConverterError, match="size of the picture"):
        write_coco(tmp_path / "a.json", [ImageAnnotation("a.png", 0, 0)])


def test_an_edited_segmentation_wins_over_the_remembered_shape(tmp_path):
    path = tmp_path / "a.json"
    write_coco(path, [one(Box(1, 1, 5, 5))])
    document = json.loads(path.read_text())
    document["annotations"][0]["segmentation"] = [[2, 2, 8, 2, 8, 8]]
    path.write_text(json.dumps(document))
    assert read_coco(path)[0].instances[0].geometry == Polygon(((2, 2), (8, 2), (8, 8)))


def test_a_report_can_be_kept(tmp_path):
    report = write_coco(tmp_path / "a.json", [one(Line((1, 1), (5, 5)), label="车道")])
    report.write(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["dropped"] == 1
    assert document["entries"][0]["label"] == "车道"
    report.write(tmp_path / "report.txt")
    assert "lines and points" in (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "1 dropped" in report.summary()
    assert "as it was" in Report().summary()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
annotation_keys = st.sampled_from(
    ["id", "image_id", "category_id", "segmentation", "bbox", "iscrowd", "attributes", "score", "seedhue"]
)


@settings(suppress_health_check=SLOW_FIXTURE)
@given(
    entries=st.lists(st.dictionaries(annotation_keys, json_values, max_size=3).map(lambda d: {**raw(), **d})),
    top=st.dictionaries(st.sampled_from(["images", "categories", "annotations"]), json_values, max_size=1),
)
def test_any_json_is_read_or_refused(tmp_path, entries, top):
    path = saved(tmp_path, **{"annotations": entries, **top})
    report = Report()
    try:
        found = read_coco(path, report=report)
    except ConverterError:
        return
    if not top:
        assert len(found[0].instances) + len(found[0].rejected) + len(report) == len(entries)
        write_coco(tmp_path / "again.json", found)
