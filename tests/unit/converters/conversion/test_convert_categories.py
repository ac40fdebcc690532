"""Which categories and numbers a converted COCO file has, and what else it says beside its objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from converters.conversion.convert import convert
from converters.conversion.splitting import Split
from converters.formats.registry import sniff
from tests.unit.converters.conversion.labelme_folders import dataset

if TYPE_CHECKING:
    from pathlib import Path


def foreign_coco(path: Path, categories: dict[str, int]) -> Path:
    """A COCO file with one object of each category in one picture."""
    objects = [
        {"id": n, "image_id": 1, "category_id": category, "bbox": [n, n, 4, 5]}
        for n, category in enumerate(categories.values(), start=1)
    ]
    named = [{"id": number, "name": name} for name, number in categories.items()]
    image = {"id": 1, "file_name": f"{path.stem}.png", "height": 20, "width": 30}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": [image], "annotations": objects, "categories": named}))
    return path


HEADER = {
    "info": {"description": "mine", "year": 2017},
    "licenses": [{"id": 3, "name": "CC0"}],
    "extra": [1],
    "categories": [
        {"id": 9, "name": "zebra", "supercategory": "animal"},
        {"id": 4, "name": "never"},
        {"id": 2, "name": "bear", "supercategory": "animal", "keypoints": ["nose"]},
        {"id": 77, "name": "renamed", "supercategory": "thing"},
    ],
}


def rich_coco(path: Path) -> Path:
    """Three pictures with an object each, and a header that says more than they use."""
    images = [
        {"id": 10 * n, "file_name": f"{n}.png", "height": 20, "width": 30, "license": 3} for n in (3, 1, 2)
    ]
    objects = [
        {"id": 100 - image["id"], "image_id": image["id"], "category_id": category, "bbox": [1, 1, 4, 5]}
        for image, category in zip(images, (9, 9, 2), strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**HEADER, "images": images, "annotations": objects}))
    return path


@pytest.mark.parametrize("way", ["coco", "labelme"])
def test_what_a_coco_file_says_beside_its_objects_is_kept(tmp_path, way):
    source = rich_coco(tmp_path / "in" / "a.json")
    if way == "labelme":
        convert(source, tmp_path / "middle", target_format="labelme")
        source = tmp_path / "middle"
    convert(source, tmp_path / "out.json", target_format="coco")
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert {key: document[key] for key in ("info", "licenses", "extra")} == {
        key: HEADER[key] for key in ("info", "licenses", "extra")
    }
    kept = {entry["id"]: entry for entry in document["categories"]}
    assert list(kept) == [2, 4, 9, 77]
    assert all(kept[entry["id"]] == {"supercategory": "", **entry} for entry in HEADER["categories"])
    by_id = {image["id"]: image for image in document["images"]}
    assert {n: (image["file_name"].rpartition("/")[2], image["license"]) for n, image in by_id.items()} == {
        30: ("3.png", 3),
        10: ("1.png", 3),
        20: ("2.png", 3),
    }
    assert {entry["id"]: entry["image_id"] for entry in document["annotations"]} == {70: 30, 90: 10, 80: 20}


def test_unused_categories_follow_the_class_mapping_and_the_list(tmp_path):
    source = rich_coco(tmp_path / "in" / "a.json")
    target = tmp_path / "out.json"
    convert(source, target, target_format="coco", label_map={"renamed": "new", "never": ""})
    assert category_ids(target) == {"bear": 2, "zebra": 9, "new": 10}
    convert(source, target, target_format="coco", labels=["zebra"])
    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["categories"] == [{"id": 1, "name": "zebra", "supercategory": "animal"}]


def test_every_part_of_a_split_has_all_categories(tmp_path):
    source = rich_coco(tmp_path / "in" / "a.json")
    convert(source, tmp_path / "out", target_format="coco", split=Split(0.4), copy_images=False)
    for part in ("train", "val"):
        assert len(category_ids(tmp_path / "out" / f"instances_{part}.json")) == 4


def test_headers_that_differ_are_told(tmp_path):
    rich_coco(tmp_path / "in" / "a.json")
    other = json.loads(rich_coco(tmp_path / "in" / "b.json").read_text())
    (tmp_path / "in" / "b.json").write_text(json.dumps({**other, "info": {"description": "theirs"}}))
    conversion = convert(tmp_path / "in", tmp_path / "out.json", source_format="coco", target_format="coco")
    assert "the sources' entries under info differ" in [entry.reason for entry in conversion.report]
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert document["licenses"] == HEADER["licenses"]
    assert len(document["categories"]) == 4


def test_class_numbers_follow_the_source_where_it_has_some(tmp_path):
    convert(rich_coco(tmp_path / "in" / "a.json"), tmp_path / "panoptic", target_format="coco-panoptic")
    assert category_ids(tmp_path / "panoptic" / "panoptic.json") == {
        "bear": 2,
        "never": 4,
        "zebra": 9,
        "renamed": 77,
    }
    convert(tmp_path / "panoptic", tmp_path / "coco.json", target_format="coco")
    assert category_ids(tmp_path / "coco.json") == {"bear": 2, "never": 4, "zebra": 9, "renamed": 77}
    dataset(tmp_path / "yolo-in", 2)
    convert(tmp_path / "yolo-in", tmp_path / "yolo", target_format="yolo", labels=["zebra", "dog", "cat"])
    convert(tmp_path / "yolo", tmp_path / "again", target_format="yolo")
    assert (tmp_path / "again" / "data.yaml").read_text() == (tmp_path / "yolo" / "data.yaml").read_text()
    convert(tmp_path / "yolo", tmp_path / "all.json", target_format="coco")
    assert sorted(category_ids(tmp_path / "all.json")) == ["cat", "dog", "zebra"]


def test_large_coco_files_are_recognised_by_their_ends(tmp_path):
    document = json.loads(rich_coco(tmp_path / "a.json").read_text())
    document["images"] += [
        {"id": n, "file_name": f"{n}.png", "height": 9, "width": 9} for n in range(1000, 21_000)
    ]
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert (tmp_path / "a.json").stat().st_size > 1_000_000
    assert sniff(tmp_path / "a.json").name == "coco"
    labelme = {"shapes": [], "imagePath": "a.png", "note": [{"category_id": "x" * 600_000}]}
    (tmp_path / "a.json").write_text(json.dumps(labelme))
    assert sniff(tmp_path / "a.json").name == "labelme"


def category_ids(path: Path) -> dict[str, int]:
    document = json.loads(path.read_text(encoding="utf-8"))
    listed = [each for entry in document["annotations"] for each in entry.get("segments_info", [entry])]
    used = {entry["category_id"] for entry in listed}
    assert used <= {entry["id"] for entry in document["categories"]}
    return {entry["name"]: entry["id"] for entry in document["categories"]}


def test_category_ids_of_a_coco_source_are_kept(tmp_path):
    source = foreign_coco(tmp_path / "in" / "a.json", {"person": 1, "zebra": 24, "bear": 23, "none": 0})
    target = tmp_path / "out.json"
    convert(source, target, target_format="coco")
    assert category_ids(target) == {"none": 0, "person": 1, "bear": 23, "zebra": 24}
    convert(source, target, target_format="coco", label_map={"person": "human"})
    assert category_ids(target) == {"none": 0, "human": 25, "bear": 23, "zebra": 24}
    convert(source, target, target_format="coco", labels=["zebra", "bear"])
    assert category_ids(target) == {"zebra": 1, "bear": 2}


@pytest.mark.parametrize("other", [{"person": 2}, {"bear": 1}], ids=["two ids", "two names"])
def test_contradicting_coco_sources_are_numbered_anew(tmp_path, other):
    foreign_coco(tmp_path / "in" / "a.json", {"person": 1, "zebra": 24})
    foreign_coco(tmp_path / "in" / "b.json", other)
    convert(tmp_path / "in", tmp_path / "out.json", source_format="coco", target_format="coco")
    names = sorted({"person", "zebra", *other})
    assert category_ids(tmp_path / "out.json") == {name: n for n, name in enumerate(names, start=1)}
