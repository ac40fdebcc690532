"""json-to-dataset keeps labelme's rules and adds what instance training needs."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from converters.annotation import Box, ImageAnnotation, Instance, Line, Mask, Point, Polygon
from converters.conversion.convert import convert
from converters.errors import ConverterError
from converters.files.images import read_size, write_image
from converters.formats.labelme.document import write_labelme
from converters.formats.labelme.to_dataset import dataset_folder_name, json_to_dataset, write_dataset

H, W = 60, 80
STAR = ((40.5, 3.2), (50, 50), (10, 20), (70, 20), (30, 50))


def scene() -> ImageAnnotation:
    ring = np.ones((12, 12), bool)
    ring[4:8, 4:8] = False
    return ImageAnnotation(
        "photo.png",
        H,
        W,
        (
            Instance("1", "person", Polygon(STAR)),
            Instance("2", "cat", Box(30, 10, 60, 40)),
            Instance("3", "person", Mask(5, 5, ring)),
            Instance("4", "人", Point(70, 50), group_id=1),
            Instance("5", "人", Line((60, 55), (75, 40)), group_id=1),
        ),
    )


def source(folder, name="photo"):
    folder.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)
    write_image(folder / f"{name}.png", image)
    annotation = ImageAnnotation(f"{name}.png", H, W, scene().instances)
    write_labelme(folder / f"{name}.json", annotation)
    return folder / f"{name}.json", image


def test_no_link_leads_out_of_the_folder(tmp_path):
    """Neither from where the file says its picture is, nor from anywhere else below the source."""
    secret, _ = source(tmp_path / "elsewhere", "secret")
    file, _ = source(tmp_path / "project" / "labels")
    (tmp_path / "project" / "labels" / "photo.png").unlink()
    for place in ("labels", "deep/below"):
        folder = tmp_path / "project" / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "photo.png").symlink_to(secret.with_suffix(".png"))
    with pytest.raises(ConverterError, match="picture"):
        json_to_dataset(file)
    done = convert(
        tmp_path / "project",
        tmp_path / "out",
        source_format="labelme",
        target_format="json-to-dataset",
        processes=1,
    )
    assert done.failures
    assert not list((tmp_path / "out").rglob("img.png"))


def test_the_classic_files_follow_the_classic_rules(tmp_path):
    file, image = source(tmp_path)
    out = json_to_dataset(file)
    assert out == tmp_path / "photo_json"
    assert np.array_equal(np.asarray(Image.open(out / "img.png")), image)
    names = (out / "label_names.txt").read_text(encoding="utf-8").split("\n")
    assert names == ["_background_", "cat", "person", "人", ""]
    assert yaml.safe_load((out / "info.yaml").read_text(encoding="utf-8")) == {"label_names": names[:-1]}
    label = Image.open(out / "label.png")
    assert label.mode == "P"
    assert label.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    # The same picture drawn straight with PIL, in the order of the file.
    expected = np.zeros((H, W), np.uint8)

    def paint(value, draw_with):
        canvas = Image.new("L", (W, H))
        draw_with(ImageDraw.Draw(canvas))
        expected[np.asarray(canvas) != 0] = value

    paint(2, lambda d: d.polygon(STAR, outline=1, fill=1))
    paint(1, lambda d: d.rectangle([30, 10, 60, 40], outline=1, fill=1))
    expected[5:17, 5:17][scene().instances[2].geometry.array] = 2
    paint(3, lambda d: d.ellipse([65, 45, 75, 55], outline=1, fill=1))
    paint(3, lambda d: d.line([(60, 55), (75, 40)], fill=1, width=10))
    assert np.array_equal(np.asarray(label), expected)
    view = np.asarray(Image.open(out / "label_viz.png"))
    assert view.shape == (H, W, 3)
    assert not np.array_equal(view, image)


def test_instances_keep_what_classes_lose(tmp_path):
    file, _ = source(tmp_path)
    out = json_to_dataset(file)
    ids = np.asarray(Image.open(out / "instances.png"))
    assert ids.dtype in (np.uint16, np.int32)
    assert sorted(np.unique(ids)) == [0, 1, 2, 3, 4]
    with np.load(out / "masks.npz", allow_pickle=False) as layers:
        assert layers["masks"].shape == (H, W, 4)
        assert layers["masks"].dtype == bool
        assert layers["names"].tolist() == ["person1", "cat1", "person2", "人1"]
        assert layers["labels"].tolist() == ["person", "cat", "person", "人"]
        assert layers["ids"].tolist() == [1, 2, 3, 4]
        # The person under the cat is whole in its own layer, and cut in the picture of ids.
        assert layers["masks"][:, :, 0].sum() > (ids == 1).sum()
        assert (
            np.array_equal(layers["masks"][:, :, 1], ids == 2)
            or layers["masks"][:, :, 1].sum() > (ids == 2).sum()
        )
        ring = layers["masks"][:, :, 2]
        assert ring[5:17, 5:17].sum() == 144 - 16
        assert not ring[9:13, 9:13].any()


def test_without_info_and_with_a_chosen_folder(tmp_path):
    file, _ = source(tmp_path)
    out = json_to_dataset(file, tmp_path / "deep" / "out", info=False)
    assert sorted(p.name for p in out.iterdir()) == [
        "img.png", "instances.png", "label.png", "label_names.txt", "label_viz.png", "masks.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "folder"), [("a", "a_json"), ("a.b", "a_b_json"), ("x/y.z/a.b", "x/y.z/a_b_json")]
)
def test_default_names(name, folder):
    assert dataset_folder_name(name) == folder


def test_whole_folders_are_mirrored(tmp_path):
    source(tmp_path / "in" / "left", "a")
    source(tmp_path / "in" / "right", "b.c")
    conversion = convert(tmp_path / "in", tmp_path / "out", target_format="json-to-dataset")
    assert not conversion.failures
    for folder in ("left/a_json", "right/b_c_json"):
        assert (tmp_path / "out" / folder / "label.png").is_file()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_label_is_never_empty_whatever_way_the_camera_was_held(tmp_path, orientation):
    stored = Image.new("RGB", (80, 40) if orientation < 5 else (40, 80), (10, 200, 30))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif)
    square = Polygon(((50, 5), (75, 5), (75, 35), (50, 35)))
    write_labelme(tmp_path / "a.json", ImageAnnotation("a.jpg", 40, 80, (Instance("1", "x", square),)))
    out = json_to_dataset(tmp_path / "a.json")
    assert read_size(out / "img.png") == (40, 80)
    label = np.asarray(Image.open(out / "label.png"))
    assert label.shape == (40, 80)
    assert label.sum() == 26 * 31


def test_embedded_pictures_are_enough(tmp_path):
    from converters.formats.labelme.document import read_labelme

    file, image = source(tmp_path)
    write_labelme(file, read_labelme(file), embed_image=True)
    (tmp_path / "photo.png").unlink()
    out = json_to_dataset(file)
    assert np.array_equal(np.asarray(Image.open(out / "img.png")), image)


def test_too_many_labels_and_none_at_all(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    many = tuple(Instance(str(n), f"label{n}", Point(1, 1)) for n in range(255))
    with pytest.raises(ConverterError, match="holds 254"):
        write_dataset(tmp_path / "many", ImageAnnotation("a.png", 4, 4, many), image)
    write_dataset(tmp_path / "none", ImageAnnotation("a.png", 4, 4), image)
    assert (tmp_path / "none" / "label_names.txt").read_text() == "_background_\n"
    with np.load(tmp_path / "none" / "masks.npz") as layers:
        assert layers["masks"].shape == (4, 4, 0)


def test_equal_input_gives_equal_bytes(tmp_path):
    image = np.zeros((H, W, 3), np.uint8)
    for name in ("one", "two"):
        write_dataset(tmp_path / name, scene(), image)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_missing_picture_is_named(tmp_path):
    write_labelme(tmp_path / "a.json", ImageAnnotation("a.png", 4, 4))
    with pytest.raises(ConverterError, match=r"a\.png.*not found"):
        json_to_dataset(tmp_path / "a.json")
