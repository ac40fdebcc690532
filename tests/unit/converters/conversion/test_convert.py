"""The converter engine: what the user chose happens, what goes wrong is told, the rest goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from converters.annotation import ImageAnnotation, Instance, Mask
from converters.conversion.convert import convert, read_label_list, read_label_map
from converters.conversion.splitting import Split
from converters.errors import ConverterError
from converters.files.images import write_image
from converters.formats.coco.instances import read_coco
from converters.formats.format import safe_name
from converters.formats.labelme.document import read_labelme, write_labelme
from converters.formats.registry import FORMATS, sniff
from tests.foreign_files import SAMPLES
from tests.unit.converters.conversion.labelme_folders import dataset


def test_folders_are_mirrored_and_pictures_come_along(tmp_path):
    source = dataset(tmp_path / "in", 4)
    conversion = convert(source, tmp_path / "coco")
    assert (conversion.source_format, conversion.target_format) == ("labelme", "coco")
    found = read_coco(tmp_path / "coco" / "instances.json")
    assert [a.image_path for a in found] == [
        f"images/{p}.png" for p in ("left/p1", "left/p3", "right/p0", "right/p2")
    ]
    assert all((tmp_path / "coco" / a.image_path).is_file() for a in found)
    convert(tmp_path / "coco", tmp_path / "back")
    for number in range(4):
        name = f"{'left' if number % 2 else 'right'}/p{number}.json"
        again, before = read_labelme(tmp_path / "back" / name), read_labelme(source / name)
        assert again.instances == before.instances


def test_one_file_as_target_leaves_the_pictures(tmp_path):
    source = dataset(tmp_path / "in", 2)
    convert(source, tmp_path / "out" / "all.json", target_format="coco")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["all.json"]
    found = read_coco(tmp_path / "out" / "all.json")
    assert [a.image_path for a in found] == ["../in/left/p1.png", "../in/right/p0.png"]


def test_pictures_can_stay_where_they_are(tmp_path):
    source = dataset(tmp_path / "in", 2)
    convert(source, tmp_path / "out", target_format="xanylabeling", copy_images=False)
    assert not list((tmp_path / "out").rglob("*.png"))
    name = json.loads((tmp_path / "out" / "left" / "p1.json").read_text())["imagePath"]
    assert (tmp_path / "out" / "left" / name).resolve() == source / "left" / "p1.png"


def test_progress_and_stop(tmp_path):
    source = dataset(tmp_path / "in", 5)
    seen: list[tuple[int, int, str]] = []
    convert(source, tmp_path / "out", on_progress=lambda *step: seen.append(step))
    assert [step[:2] for step in seen] == [(n, 5) for n in range(1, 6)]
    assert seen[0][2] == "left/p1"
    calls = iter([False, False, True])
    stopped = convert(
        source,
        tmp_path / "half",
        target_format="voc",
        labels=["cat"],
        processes=1,
        should_stop=lambda: next(calls),
    )
    assert stopped.stopped
    assert stopped.report.pictures == 2
    assert "Stopped" in stopped.summary()


def test_a_broken_file_does_not_stop_the_others(tmp_path):
    source = dataset(tmp_path / "in", 3)
    (source / "left" / "cut.json").write_text('{"shapes": [')
    (source / "settings.json").write_text('{"theme": "dark"}')
    conversion = convert(source, tmp_path / "out", target_format="coco")
    assert [failure.path for failure in conversion.failures] == [source / "left" / "cut.json"]
    assert conversion.report.pictures == 3
    assert "cut.json" in conversion.summary()
    assert conversion.as_dict()["failures"][0]["problem"].startswith("the JSON text is cut off")


@pytest.mark.parametrize("target", [name for name, each in FORMATS.items() if each.write])
def test_labels_that_are_no_unicode_text_are_written_somehow(tmp_path, target):
    source = dataset(tmp_path / "in", 2, labels=("a\ud800", "人"))
    conversion = convert(source, tmp_path / "out", target_format=target)
    assert conversion.report.pictures == 2
    assert not conversion.failures


@pytest.mark.parametrize("target", ["labelme", "voc", "coco"])
def test_a_file_nested_beyond_reason_does_not_stop_the_others(tmp_path, target):
    source = dataset(tmp_path / "in", 2)
    file = source / "left" / "p1.json"
    deep = "[" * 700 + "]" * 700
    file.write_text(file.read_text().replace('"group_id": null', f'"group_id": null, "odd": {deep}'))
    for processes in (1, 2):
        conversion = convert(source, tmp_path / f"{processes}", target_format=target, processes=processes)
        assert len(conversion.failures) + conversion.report.pictures == 2
        assert all(failure.path == file or "nested" in failure.problem for failure in conversion.failures)


def test_labels_for_a_picture_of_another_size_are_told(tmp_path):
    source = dataset(tmp_path / "in", 2)
    write_image(source / "left" / "p1.png", np.zeros((9, 9, 3), np.uint8))
    conversion = convert(source, tmp_path / "out")
    assert [f.path for f in conversion.failures] == [source / "left" / "p1.json"]
    assert "30 x 20 pixels, this one has 9 x 9" in conversion.failures[0].problem


def test_missing_pictures_are_told(tmp_path):
    source = dataset(tmp_path / "in", 2)
    (source / "left" / "p1.png").unlink()
    conversion = convert(source, tmp_path / "out")
    assert [e.reason for e in conversion.report] == ["the picture was not found and is not in the target"]


def test_label_lists_and_maps(tmp_path):
    source = dataset(tmp_path / "in", 1, labels=("cat", "dog", "bird"))
    mapping = read_label_map("# animals\ndog = cat\nbird =\n")
    conversion = convert(source, tmp_path / "out", label_map=mapping)
    assert read_coco(tmp_path / "out" / "instances.json")[0].labels == ("cat",)
    assert [(e.label, e.action) for e in conversion.report] == [("bird", "dropped")]
    kept = read_label_list("__ignore__\n_background_\nbird\n\ncat\n")
    conversion = convert(source, tmp_path / "two", labels=kept, target_format="yolo")
    assert [(e.label, e.action) for e in conversion.report if e.action == "dropped"] == [("dog", "dropped")]
    assert 'names:\n  0: "bird"\n  1: "cat"' in (tmp_path / "two" / "data.yaml").read_text()
    with pytest.raises(ConverterError, match="old = new"):
        read_label_map("just a word")


@pytest.mark.parametrize("target", ["coco", "yolo", "voc", "labelme", "cvat"])
def test_a_split_goes_into_the_target(tmp_path, target):
    source = dataset(tmp_path / "in", 10)
    convert(source, tmp_path / "out", target_format=target, split=Split(0.3, seed=1))
    files = [
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    ]
    if target == "coco":
        sizes = [len(read_coco(tmp_path / "out" / f"instances_{part}.json")) for part in ("train", "val")]
    elif target == "voc":
        sizes = [
            len((tmp_path / "out" / "ImageSets" / "Main" / f"{part}.txt").read_text().splitlines())
            for part in ("train", "val")
        ]
    else:
        pictures = [name for name in files if name.endswith(".png")]
        sizes = [sum(f"{part}/" in name for name in pictures) for part in ("train", "val")]
    assert sizes == [7, 3]


def test_splits_are_seeded_and_groups_stay_together():
    names = [f"video{n // 5}/frame{n % 5}" for n in range(50)]
    split = Split(0.2, seed=3, group=r"^(video\d+)/")
    parts = split.parts(names)
    assert parts == split.parts(names)
    assert parts != Split(0.2, seed=4, group=r"^(video\d+)/").parts(names)
    groups = {name.split("/")[0]: set() for name in names}
    for name, part in zip(names, parts, strict=True):
        groups[name.split("/")[0]].add(part)
    assert all(len(found) == 1 for found in groups.values())
    assert parts.count("val") == 10
    assert sorted(set(Split(0.01).parts(["a", "b"]))) == ["train", "val"]
    assert Split(0.5).parts(["a"]) == ["train"]
    for bad in (0, 1, -1, 2):
        with pytest.raises(ConverterError):
            Split(bad)
    with pytest.raises(ConverterError):
        Split(0.5, group="(")


def test_turned_pictures_are_written_upright(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    Image.new("RGB", (20, 30), (9, 9, 9)).save(tmp_path / "in" / "a.jpg", exif=exif)
    mask = Mask(28, 18, np.ones((2, 2), bool))
    write_labelme(tmp_path / "in" / "a.json", ImageAnnotation("a.jpg", 20, 30, (Instance("1", "x", mask),)))
    convert(tmp_path / "in", tmp_path / "out", target_format="voc")
    with Image.open(tmp_path / "out" / "JPEGImages" / "a.jpg") as picture:
        assert picture.size == (30, 20)
        assert picture.getexif().get(0x0112, 1) == 1
    with Image.open(tmp_path / "out" / "SegmentationObject" / "a.png") as layers:
        assert layers.size == (30, 20)
        assert np.asarray(layers)[18:, 28:].all()


def test_embedded_pictures_come_out_as_files(tmp_path):
    source = dataset(tmp_path / "in", 1)
    file = source / "right" / "p0.json"
    write_labelme(file, read_labelme(file), embed_image=True)
    original = (source / "right" / "p0.png").read_bytes()
    (source / "right" / "p0.png").unlink()
    convert(source, tmp_path / "out")
    assert (tmp_path / "out" / "images" / "right" / "p0.png").read_bytes() == original


def test_what_cannot_be_done_is_said_before_anything_is_written(tmp_path):
    source = dataset(tmp_path / "in", 1)
    target = tmp_path / "out"
    for options, words in (
        ({"target_format": "labelbox"}, "can be read, not written"),
        ({"source_format": "json-to-dataset"}, "can be written, not read"),
        ({"target_format": "gif"}, "unknown"),
        ({"source_format": "nonsense"}, "Known: labelme"),
    ):
        with pytest.raises(ConverterError, match=words):
            convert(source, target, **options)
    with pytest.raises(ConverterError, match="no such file or folder"):
        convert(tmp_path / "none", target)
    with pytest.raises(ConverterError, match="nothing of the format"):
        convert(source, target, source_format="voc")
    file = tmp_path / "taken"
    file.write_text("x")
    with pytest.raises(ConverterError, match="needs a folder"):
        convert(source, file, target_format="yolo")


def test_unknown_sources(tmp_path):
    (tmp_path / "a.json").write_text('{"theme": "dark"}')
    (tmp_path / "b.xml").write_text("<html/>")
    (tmp_path / "c.txt").write_text("hello")
    for path in (tmp_path, *tmp_path.iterdir()):
        with pytest.raises(ConverterError, match="none of the known formats"):
            sniff(path)


def test_colliding_names_get_numbers(tmp_path):
    SAMPLES["coco"](tmp_path)
    file = tmp_path / "annotations" / "instances.json"
    document = json.loads(file.read_text())
    document["images"] = [
        {**document["images"][0], "id": n, "file_name": name}
        for n, name in enumerate(["a.png", "A.jpg", "a.bmp"])
    ]
    file.write_text(json.dumps(document))
    convert(tmp_path, tmp_path / "out", target_format="labelme")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.json")) == ["A-2.json", "a-3.json", "a.json"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.png", "a/b"),
        ("..\\..\\x.jpg", "x"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\me\\a.png", "C_/me/a"),
        ('we?ird<>:"|*.png', "we_ird______"),
        ("", "picture"),
        ("../..", "picture"),
        (".png", ".png"),
        ("人/图.png", "人/图"),
        ("a" * 500 + ".png", "a" * 180),
    ],
)
def test_foreign_names_stay_inside(name, safe):
    assert safe_name(name) == safe


def test_every_format_has_a_title_and_can_do_something():
    for name, each in FORMATS.items():
        assert each.name == name
        assert each.title
        assert each.read or each.write
        assert (each.read is None) == (each.find is None)
