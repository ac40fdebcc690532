"""labelme JSON: all comes back, whatever labelme ever wrote is read, nothing it refuses is written."""

from __future__ import annotations

import base64
import errno
import io
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from converters.annotation import (
    Box,
    ImageAnnotation,
    Instance,
    Line,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    RejectedShape,
)
from converters.errors import ConverterError
from converters.files.images import encode_image
from converters.formats.labelme.document import find_image, read_labelme, write_labelme
from converters.formats.reading import require_size
from converters.frozen import FrozenMap
from tests.annotation_strategies import annotations
from tests.labelme_rules import check_labelme

# A 4 x 3 patch, 0/1 in mode L, as labelme 7.9.1 writes it: a border of 0 around two pixels.
PATCH = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], np.uint8)


def png64(array: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


# What labelme 7.9.1 writes for a mask, a locked polygon with a foreign key and image flags.
GOLDEN = {
    "version": "7.9.1",
    "flags": {"blurry": False},
    "shapes": [
        {
            "label": "cat",
            "points": [[5.0, 6.0], [8.0, 8.0]],
            "group_id": 1,
            "description": "d",
            "shape_type": "mask",
            "flags": {"occluded": True},
            "mask": png64(PATCH),
        },
        {
            "score": 0.9,
            "label": "dog",
            "points": [[0.5, 1], [9, 1], [5, 7.25]],
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
            "locked": True,
        },
    ],
    "imagePath": "a.png",
    "imageData": None,
    "imageHeight": 80,
    "imageWidth": 100,
    "myTopKey": 1,
}


def written(tmp_path, document, name="a.json"):
    path = tmp_path / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def shape(**changes):
    plain = {"label": "x", "points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon"}
    return {key: value for key, value in {**plain, **changes}.items() if value != "missing"}


def document(*shapes, **changes):
    plain = {"version": "5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.png", "imageData": None}
    return {**plain, "imageHeight": 20, "imageWidth": 30, **changes}


def test_labelme_s_own_file_is_read_and_comes_back(tmp_path):
    annotation = read_labelme(written(tmp_path, GOLDEN))
    cat, dog = annotation.instances
    assert (annotation.image_path, annotation.height, annotation.width) == ("a.png", 80, 100)
    assert annotation.flags == {"blurry": False}
    assert annotation.extra == {"myTopKey": 1}
    assert cat.geometry == Mask(6, 7, np.ones((1, 2), bool))
    assert (cat.group_id, cat.description, cat.flags) == (1, "d", {"occluded": True})
    assert dog.geometry == Polygon(((0.5, 1), (9, 1), (5, 7.25)))
    assert dog.locked
    assert dog.score == 0.9
    copy = tmp_path / "copy.json"
    write_labelme(copy, annotation)
    assert read_labelme(copy) == annotation
    again = check_labelme(copy)
    for ours, theirs in zip(again["shapes"], GOLDEN["shapes"], strict=True):
        assert {k: v for k, v in theirs.items() if k not in ("points", "mask")}.items() <= ours.items()
    assert again["shapes"][0]["points"] == [[6.0, 7.0], [7.0, 7.0]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotation=annotations())
def test_everything_comes_back_and_labelme_would_take_it(tmp_path, annotation):
    path = tmp_path / "a.json"
    write_labelme(path, annotation)
    assert read_labelme(path) == annotation
    document = check_labelme(path)
    assert path.read_bytes() == json.dumps(document, ensure_ascii=False, indent=2).encode()


def test_ids_of_foreign_shapes_are_stable_and_unique(tmp_path):
    path = written(tmp_path, document(shape(), shape(), shape(label="y")))
    first, second = read_labelme(path), read_labelme(path)
    assert [i.id for i in first.instances] == [i.id for i in second.instances]
    assert len({i.id for i in first.instances}) == 3
    copied = shape(seedhue={"id": "abc"})
    twice = read_labelme(written(tmp_path, document(copied, copied)))
    assert len({i.id for i in twice.instances}) == 2


@pytest.mark.parametrize(
    "old",
    [
        # 3.3: no shape_type, per-shape colours; 3.x: top-level colours, no size; 4.0: group ids.
        {
            "shapes": [
                {"label": "x", "points": [[0, 0], [4, 0], [4, 4]], "line_color": None, "fill_color": None}
            ],
            "lineColor": [0, 255, 0, 128],
            "fillColor": [255, 0, 0, 128],
            "imagePath": "a.png",
            "imageData": None,
        },
        {
            "version": "3.16.7",
            "flags": {},
            "shapes": [shape(line_color=[1, 2, 3, 4])],
            "imagePath": "a.png",
            "imageData": None,
            "imageHeight": 20,
            "imageWidth": 30,
        },
        {"version": "4.5.6", "flags": None, "shapes": [shape(group_id=None, flags={})], "imagePath": "a.png"},
        {
            "version": "5.2.0.post4 | ISAT to LabelMe",
            "shapes": [shape(group_id=1, flags=None)],
            "imagePath": "a.png",
        },
    ],
)
def test_old_and_foreign_versions_are_read_and_keep_their_keys(tmp_path, old):
    annotation = read_labelme(written(tmp_path, old))
    assert annotation.instances[0].geometry == Polygon(((0, 0), (4, 0), (4, 4)))
    assert not annotation.rejected
    write_labelme(tmp_path / "new.json", annotation)
    new = check_labelme(tmp_path / "new.json")
    for key in ("lineColor", "fillColor"):
        assert new.get(key) == old.get(key)
    for key in ("line_color", "fill_color"):
        assert new["shapes"][0].get(key) == old["shapes"][0].get(key)


@pytest.mark.parametrize(
    ("raw", "geometry"),
    [
        (shape(shape_type="rectangle", points=[[9, 8], [1, 2]]), Box(9, 8, 1, 2)),
        (shape(shape_type="rectangle", points=[[1, 2], [9, 2], [9, 8], [1, 8]]), Box(1, 2, 9, 8)),
        (shape(shape_type="rectangle", points=[[1, 8], [1, 2], [9, 2], [9, 8]]), Box(1, 8, 9, 2)),
        (
            shape(shape_type="rotation", points=[[5, 0], [9, 4], [5, 8], [1, 4]]),
            OrientedBox(((5, 0), (9, 4), (5, 8), (1, 4))),
        ),
        (
            shape(shape_type="quadrilateral", points=[[5, 0], [9, 4], [5, 9], [1, 4]]),
            Polygon(((5, 0), (9, 4), (5, 9), (1, 4))),
        ),
        (shape(shape_type=None), Polygon(((0, 0), (4, 0), (4, 4)))),
        (shape(points=[[1, 1], [2, 2]]), Polygon(((1, 1), (2, 2)))),
        (shape(shape_type="points"), PointSet(((0, 0), (4, 0), (4, 4)))),
        (shape(shape_type="line", points=[[0, 0], [4, 4]]), Line((0, 0), (4, 4))),
        (shape(shape_type="point", points=[[3, 4]]), Point(3, 4)),
        (shape(shape_type="mask", points=[[5, 6], [8, 8]], mask=png64(PATCH * 255)), Mask(5, 6, PATCH > 0)),
        # Whole corners cut the patch to their extent; fractional ones are rounded and do not.
        (shape(shape_type="mask", points=[[5, 6], [6, 7]], mask=png64(PATCH)), Mask(5, 6, PATCH[:2, :2] > 0)),
        (shape(shape_type="mask", points=[[4.6, 6.4], [6.2, 7]], mask=png64(PATCH)), Mask(5, 6, PATCH > 0)),
    ],
)
def test_shapes_of_labelme_and_its_relatives(tmp_path, raw, geometry):
    annotation = read_labelme(written(tmp_path, document(raw)))
    assert not annotation.rejected
    assert annotation.instances[0].geometry == geometry
    write_labelme(tmp_path / "b.json", annotation)
    check_labelme(tmp_path / "b.json")
    assert read_labelme(tmp_path / "b.json") == annotation


def test_keys_of_the_wrong_type_are_kept_as_attributes(tmp_path):
    odd = shape(
        group_id="left", flags={"a": True, "b": "yes"}, description=5, score="high", locked="no", label=7
    )
    annotation = read_labelme(written(tmp_path, document(odd, flags={"sunny": True, "n": 3})))
    instance = annotation.instances[0]
    assert instance.label == "7"
    assert instance.flags == {"a": True}
    expected = {"group_id": "left", "b": "yes", "description": 5, "score": "high", "locked": "no"}
    assert instance.attributes == expected
    assert annotation.flags == {"sunny": True}
    write_labelme(tmp_path / "b.json", annotation)
    check_labelme(tmp_path / "b.json")
    assert read_labelme(tmp_path / "b.json") == annotation
    assert read_labelme(written(tmp_path, document(shape(group_id="12")))).instances[0].group_id == 12


BAD_SHAPES = [
    "no shape",
    shape(label="missing"),
    shape(label=["a"]),
    shape(points=[]),
    shape(points="missing"),
    shape(points=[[0, 0], [1]]),
    shape(points=[[0, 0], [1, True], [2, 2]]),
    shape(points=[[0, 0], [1, float("nan")], [2, 2]]),
    shape(points=[[0, 0], [1, float("inf")], [2, 2]]),
    shape(points=[[0, 0], [1, 1e300], [2, 2]]),
    shape(points=[[0, 0], [1, "2"], [2, 2]]),
    shape(shape_type="cuboid"),
    shape(shape_type=["polygon"]),
    shape(shape_type="circle"),
    shape(shape_type="rectangle"),
    shape(shape_type="oriented_rectangle"),
    shape(shape_type="mask"),
    shape(shape_type="mask", points=[[0, 0], [1, 1]]),
    shape(shape_type="mask", points=[[0, 0], [1, 1]], mask="@@@"),
    shape(shape_type="mask", points=[[0, 0], [1, 1]], mask=base64.b64encode(b"no png").decode()),
    shape(shape_type="mask", points=[[0, 0], [1, 1]], mask=png64(np.zeros((2000, 2000), np.uint8))),
]


@pytest.mark.parametrize("bad", BAD_SHAPES)
def test_one_bad_shape_is_set_aside_and_comes_back_out(tmp_path, bad):
    path = written(tmp_path, document(shape(label="before"), bad, shape(label="after")))
    annotation = read_labelme(path)
    assert [i.label for i in annotation.instances] == ["before", "after"]
    [rejected] = annotation.rejected
    assert rejected.index == 1
    assert rejected.reason
    write_labelme(path, annotation)
    check_labelme(path)
    again = read_labelme(path)
    assert [i.label for i in again.instances] == ["before", "after"]
    assert json.dumps(again.rejected[0].raw) == json.dumps(bad)
    assert again.rejected[0].reason == rejected.reason


@pytest.mark.parametrize(
    "text", ["", "{", '{"shapes": [{"label": "a", "poi', "[1, 2]", '{"images": []}', '{"shapes": {}}', "null"]
)
def test_files_that_are_no_labelme_files(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConverterError) as caught:
        read_labelme(path)
    assert caught.value.path == path
    assert path.read_text() == text


def picture_bytes(height=20, width=30, suffix=".png"):
    return encode_image(np.full((height, width, 3), 90, np.uint8), suffix)


def test_embedded_pictures_stay_embedded(tmp_path):
    data = picture_bytes()
    path = written(tmp_path, document(shape(), imageData=base64.b64encode(data).decode()))
    annotation = read_labelme(path)
    assert annotation.image_data == data
    write_labelme(path, annotation)
    check_labelme(path)
    assert read_labelme(path) == annotation
    write_labelme(path, annotation, embed_image=False)
    assert json.loads(path.read_text())["imageData"] is None


def test_a_picture_can_be_embedded_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 30), (9, 9, 9)).save(tmp_path / "a.jpg", exif=exif)
    write_labelme(tmp_path / "a.json", ImageAnnotation("a.jpg", 20, 30), embed_image=True)
    check_labelme(tmp_path / "a.json")
    plain = tmp_path / "b.png"
    plain.write_bytes(picture_bytes())
    write_labelme(tmp_path / "b.json", ImageAnnotation("b.png", 20, 30), embed_image=True)
    assert read_labelme(tmp_path / "b.json").image_data == plain.read_bytes()


def test_an_embedded_picture_of_another_size_is_refused(tmp_path):
    data = base64.b64encode(picture_bytes(10, 10)).decode()
    path = written(tmp_path, document(shape(), imageData=data))
    with pytest.raises(ConverterError, match=r"30 x 20 pixels, this one has 10 x 10"):
        read_labelme(path)


@pytest.mark.parametrize("data", ["@@", 7, base64.b64encode(b"no picture").decode()])
def test_a_damaged_embedded_picture_does_not_stop_the_labels(tmp_path, data):
    path = written(tmp_path, document(shape(), imageData=data))
    annotation = read_labelme(path)
    assert len(annotation.instances) == 1
    write_labelme(path, annotation)
    assert check_labelme(path)["unreadable_imageData"] == data


def test_labels_for_a_picture_of_another_size():
    annotation = ImageAnnotation("a.png", 20, 30)
    assert require_size(annotation, 20, 30, path="a.json") is annotation
    with pytest.raises(ConverterError, match="of 30 x 20 pixels"):
        require_size(annotation, 30, 20, path="a.json")
    assert require_size(ImageAnnotation("a.png", 0, 0), 20, 30, path="a.json") == annotation


def test_a_missing_size_comes_from_the_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(picture_bytes())
    path = written(tmp_path, {"shapes": [shape()], "imagePath": "a.png", "imageData": None})
    annotation = read_labelme(path)
    assert (annotation.height, annotation.width) == (20, 30)
    (tmp_path / "a.png").unlink()
    unknown = read_labelme(path)
    assert (unknown.height, unknown.width) == (0, 0)
    write_labelme(path, unknown)
    assert check_labelme(path)["imageHeight"] is None


@pytest.mark.parametrize(
    ("image_path", "place"),
    [
        ("a.png", "labels/a.png"),
        ("../images/a.png", "images/a.png"),
        ("..\\images\\a.png", "images/a.png"),
        ("../a.png", "a.png"),
        ("C:\\Users\\me\\a.png", "labels/a.png"),
        ("/home/me/photos/a.png", "images/a.png"),
        ("gone/a.png", "labels/a.png"),
        ("other.png", "labels/x.jpg"),
        ("", "labels/x.PNG"),
        ("other.png", "JPEGImages/x.jpeg"),
    ],
)
def test_pictures_are_found_where_they_are_or_went(tmp_path, image_path, place):
    for folder in ("labels", "images", "JPEGImages"):
        (tmp_path / folder).mkdir()
    picture = tmp_path / place
    picture.write_bytes(picture_bytes())
    found = find_image(tmp_path / "labels" / "x.json", ImageAnnotation(image_path, 20, 30))
    assert found == picture


@pytest.mark.parametrize(
    "image_path", ["../../secret.png", "../../../etc/passwd", "link/secret.png", "\0", "a" * 9000]
)
def test_pictures_outside_are_not_touched(tmp_path, image_path):
    project = tmp_path / "deep" / "project" / "labels"
    project.mkdir(parents=True)
    (tmp_path / "deep" / "secret.png").write_bytes(picture_bytes())
    (project / "link").symlink_to(tmp_path / "deep")
    with pytest.raises(ConverterError, match=r"not to be found.*Put the picture beside"):
        find_image(project / "x.json", ImageAnnotation(image_path, 20, 30))


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = written(tmp_path, GOLDEN)
    before = path.read_bytes()
    annotation = read_labelme(path)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConverterError, match="disk is full"):
        write_labelme(path, annotation)
    assert path.read_bytes() == before


def test_what_json_cannot_hold_is_refused_or_written_as_text(tmp_path):
    path = tmp_path / "a.json"
    bad = ImageAnnotation("a.png", 9, 9, (Instance("1", "x", Polygon(((0, 0), (float("nan"), 1), (2, 2)))),))
    with pytest.raises(ConverterError, match=r"shapes\[0\]"):
        write_labelme(path, bad)
    assert not path.exists()
    odd = ImageAnnotation(
        "a.png", 9, 9, (Instance("1", "half \ud800", Point(1, 1)),), extra=FrozenMap({"n": float("inf")})
    )
    write_labelme(path, odd)
    assert check_labelme(path)["n"] == "inf"
    assert read_labelme(path).instances[0].label == "half \ud800"


def test_empty_masks_survive(tmp_path):
    empty = Mask(3, 4, np.zeros((2, 2), bool))
    annotation = ImageAnnotation(
        "a.png", 9, 9, (Instance("1", "x", empty),), rejected=(RejectedShape(4, "r", {}),)
    )
    write_labelme(tmp_path / "a.json", annotation)
    check_labelme(tmp_path / "a.json")
    assert read_labelme(tmp_path / "a.json") == annotation


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
shape_keys = st.sampled_from(
    [
        "label",
        "points",
        "group_id",
        "flags",
        "shape_type",
        "mask",
        "description",
        "locked",
        "score",
        "seedhue",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(
        st.dictionaries(shape_keys, json_values, max_size=4).map(lambda d: {**shape(), **d}) | json_values
    ),
    top=st.dictionaries(
        st.sampled_from(
            ["flags", "imagePath", "imageData", "imageHeight", "imageWidth", "seedhue", "version"]
        ),
        json_values,
    ),
)
def test_any_json_is_read_or_refused_and_can_be_written_again(tmp_path, shapes, top):
    path = written(tmp_path, {**document(*shapes), **top})
    try:
        annotation = read_labelme(path)
    except ConverterError:
        return
    assert len(annotation.instances) + len(annotation.rejected) >= len(shapes)
    write_labelme(path, annotation)
    check_labelme(path)
