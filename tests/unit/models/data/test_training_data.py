"""What training reads: folders, crops, mixtures."""

from dataclasses import replace

import numpy as np
import pytest

from converters.annotation import Box, ImageAnnotation, Instance, Mask
from converters.errors import ConverterError
from converters.files.images import write_image
from converters.formats.labelme.document import write_labelme
from models.data.augment import ColorJitter, jitter_colors
from models.data.crops import SHEET_GREY, CropSettings, WholePictures, draw_crop
from models.data.dataset import AnnotatedObject, load_dataset
from models.data.mixture import choose_datasets, mix_datasets
from models.data.sample import collate
from tests.unit.models.evaluation.coco_folders import draw_discs, write_coco_folder

STILL = ColorJitter(0, 0, 0, 0, 0, 0, 0, 0)


def test_coco_folder_keeps_masks_and_says_what_is_exhaustive(tmp_path):
    (whole,) = load_dataset(write_coco_folder(tmp_path / "whole"))
    (partial,) = load_dataset(write_coco_folder(tmp_path / "some", partial=True))
    assert [p.exhaustive for p in whole.pictures] == [True] * 3
    assert [p.exhaustive for p in partial.pictures] == [False] * 3
    image, masks = draw_discs(1)
    assert np.array_equal(whole.pictures[1].pixels(), image)
    assert [o.mask for o in whole.pictures[1].objects] == [Mask.from_full(m) for m in masks]


def test_a_folder_of_sets_is_read_without_its_validation_sets(tmp_path):
    for name in ("b_train", "a_train", "a_val"):
        write_coco_folder(tmp_path / name, pictures=1)
    assert [d.name for d in load_dataset(tmp_path)] == ["a_train", "b_train"]


def test_labelme_folder_marks_boxes_as_objects_without_a_mask(tmp_path):
    image, masks = draw_discs(0)
    write_image(tmp_path / "a.png", image)
    instances = (
        Instance("1", "disc", Mask.from_full(masks[0])),
        Instance("2", "crate", Box(60, 10, 90, 40)),
    )
    write_labelme(tmp_path / "a.json", ImageAnnotation("a.png", *image.shape[:2], instances))
    (dataset,) = load_dataset(tmp_path)
    assert dataset.categories == ("crate", "disc")
    assert [(o.category, o.has_mask) for o in dataset.pictures[0].objects] == [(1, True), (0, False)]
    assert not dataset.pictures[0].exhaustive


def test_an_empty_folder_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(ConverterError, match=r"no annotated pictures.*instances\.json"):
        load_dataset(tmp_path)
    with pytest.raises(ConverterError):
        load_dataset(tmp_path / "missing")


def test_crops_show_the_objects_where_their_masks_are(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set"))
    settings = CropSettings(size=128, long_side=(128, 300), mask_stride=1, jitter=STILL)
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, target = draw_crop(datasets, settings, rng)
        pixels = image.numpy().astype(int)
        saturation = pixels.max(axis=0) - pixels.min(axis=0)
        for mask in target.masks.numpy():
            assert np.median(saturation[mask > 0.95]) > 100
        covered = target.masks.amax(dim=0).numpy()
        assert np.median(saturation[covered < 0.05]) < 60


def test_a_whole_picture_shows_all_its_objects_and_has_sides_in_steps(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set", enlarged=2))  # 256 x 192
    settings = CropSettings(long_side=(120, 300), mask_stride=4, jitter=STILL, whole=WholePictures())
    rng = np.random.default_rng(0)
    sizes = set()
    for _ in range(12):
        image, target = draw_crop(datasets, settings, rng)
        rows, columns = image.shape[1:]
        sizes.add((rows, columns))
        assert rows % 32 == columns % 32 == 0
        assert target.masks.shape == (3, rows // 4, columns // 4)
        assert target.whole.all()
        pixels = image.numpy()[:, 2::4, 2::4].astype(int)
        saturation = pixels.max(axis=0) - pixels.min(axis=0)
        for mask in target.masks.numpy():
            assert np.median(saturation[mask > 0.95]) > 100
        assert np.median(saturation[target.masks.amax(dim=0).numpy() < 0.05]) < 60
    assert len(sizes) > 2


def test_a_sheet_shows_four_whole_pictures(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set", pictures=4, enlarged=2))
    single = CropSettings(long_side=(256, 256), mask_stride=4, jitter=STILL, whole=WholePictures())
    sheets = replace(single, whole=WholePictures(sheets=0.5))
    rng, found = np.random.default_rng(0), {3: 0, 12: 0}
    for _ in range(12):
        image, target = draw_crop(datasets, sheets, rng)
        assert image.shape[1:] == (192, 256)
        assert target.masks.shape[1:] == (48, 64)
        assert target.whole.all()
        assert target.exhaustive
        found[len(target.masks)] += 1
        pixels = image.numpy()[:, 2::4, 2::4].astype(int)
        saturation = pixels.max(axis=0) - pixels.min(axis=0)
        for mask in target.masks.numpy():
            rows, columns = (np.flatnonzero(mask.max(axis=axis) >= 0.5) for axis in (1, 0))
            assert np.median(saturation[mask > 0.95]) > 100
            if len(target.masks) == 12:  # each in its own quarter
                assert rows[0] // 24 == rows[-1] // 24
                assert columns[0] // 32 == columns[-1] // 32
    assert min(found.values()) > 0


def test_pictures_of_other_shapes_leave_a_sheet_grey(tmp_path):
    (dataset,) = load_dataset(write_coco_folder(tmp_path / "set", pictures=1))
    picture = dataset.pictures[0]
    narrow = np.ascontiguousarray(picture.pixels()[:, :40])
    write_image(tmp_path / "narrow.png", narrow)
    narrow_picture = replace(picture, path=tmp_path / "narrow.png", width=40, objects=())
    settings = CropSettings(
        long_side=(256, 256), mask_stride=4, jitter=STILL, whole=WholePictures(sheets=1.0)
    )
    image, target = draw_crop(
        [replace(dataset, pictures=(narrow_picture,))], settings, np.random.default_rng(0)
    )
    assert len(target.masks) == 0
    grey = (image == SHEET_GREY).all(dim=0).all(dim=0)  # columns
    assert int(grey.sum()) == 256 - 2 * 40


def test_what_is_tiny_in_its_picture_may_be_left_out(tmp_path):
    (dataset,) = load_dataset(write_coco_folder(tmp_path / "set", pictures=1))
    picture = dataset.pictures[0]
    areas = sorted(o.mask.area for o in picture.objects)
    between = (areas[0] + areas[1]) / 2 / (picture.height * picture.width)
    for sheets, kept in ((0.0, 2), (1.0, 8)):
        whole = WholePictures(sheets=sheets, least_share=between)
        _, target = draw_crop(
            [dataset], CropSettings(long_side=(128, 128), whole=whole), np.random.default_rng(0)
        )
        assert len(target.masks) == kept
        assert not target.exhaustive


def test_mask_stride_shrinks_only_the_masks(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set"))
    crops = [draw_crop(datasets, CropSettings(size=96), np.random.default_rng(i)) for i in range(3)]
    batch = collate(crops)
    assert batch.images.shape == (3, 3, 96, 96)
    assert all(t.masks.shape[1:] == (24, 24) for t in batch.targets)


def test_crops_are_the_same_for_the_same_random_numbers(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set"))
    a, b = (draw_crop(datasets, CropSettings(size=96), np.random.default_rng(4)) for _ in range(2))
    assert (a[0] == b[0]).all()
    assert (a[1].masks == b[1].masks).all()


def test_too_many_objects_are_thinned_and_the_rest_is_not_called_background(tmp_path):
    datasets = load_dataset(write_coco_folder(tmp_path / "set"))
    settings = CropSettings(size=128, long_side=(120, 128), max_objects=1)
    _, target = draw_crop(datasets, settings, np.random.default_rng(0))
    assert len(target.masks) == 1
    assert not target.exhaustive


def test_only_crops_that_show_a_crowd_leave_their_background_unknown(tmp_path):
    (dataset,) = load_dataset(write_coco_folder(tmp_path / "set", pictures=1))
    picture = dataset.pictures[0]
    crowd = np.zeros((picture.height, picture.width), bool)
    crowd[:, -picture.width // 4 :] = True
    crowded = replace(picture, crowds=(AnnotatedObject(Mask.from_full(crowd), 0),))
    settings = CropSettings(size=64, long_side=(400, 500), jitter=STILL)
    known = []
    for seed in range(30):
        with_crowd = replace(dataset, pictures=(crowded,))
        _, target = draw_crop([with_crowd], settings, np.random.default_rng(seed))
        _, plain = draw_crop([dataset], settings, np.random.default_rng(seed))
        assert plain.exhaustive
        assert (target.masks == plain.masks).all()
        known.append(target.exhaustive)
    assert 0 < sum(known) < len(known)


def test_jitter_keeps_shape_and_stays_a_picture():
    image, _ = draw_discs(0)
    out = jitter_colors(image, ColorJitter(), np.random.default_rng(0))
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, image)
    assert np.abs(jitter_colors(image, STILL, np.random.default_rng(0)).astype(int) - image).max() <= 3


def test_jpeg_artefacts_keep_the_colours_in_their_channels():
    image = np.full((64, 64, 3), (200, 120, 40), np.uint8)
    image[20:40, 20:40] = (30, 60, 220)
    stored = replace(STILL, jpeg_probability=1.0)
    outs = [jitter_colors(image, stored, np.random.default_rng(i)).astype(int) for i in range(8)]
    for out in outs:
        assert out[50:60, 50:60].mean(axis=(0, 1)) == pytest.approx((200, 120, 40), abs=20)
        assert out[26:34, 26:34].mean(axis=(0, 1)) == pytest.approx((30, 60, 220), abs=20)
        assert np.abs(out - image).max() > 10
    # Of various quality.
    assert len({int(np.abs(out - image).sum()) for out in outs}) > 4


def test_jitter_can_be_made_stronger():
    image, _ = draw_discs(0)

    def change(jitter):
        changed = [jitter_colors(image, jitter, np.random.default_rng(i)) for i in range(12)]
        return np.mean([np.abs(out.astype(int) - image).mean() for out in changed])

    usual = ColorJitter()
    assert usual.times(0.0) == STILL
    assert change(usual.times(2.0)) > 1.3 * change(usual)


def test_mixtures_share_categories_and_respect_shares(tmp_path):
    a, b = (load_dataset(write_coco_folder(tmp_path / n))[0] for n in ("a", "b"))
    b = replace(b, categories=("ball",))
    mixed = mix_datasets([a, b], shares={"a": 0.25, "b": 0.75}, partial=["b"])
    assert [d.categories for d in mixed] == [("ball", "disc")] * 2
    assert [d.weight for d in mixed] == [0.25, 0.75]
    assert {o.category for p in mixed[0].pictures for o in p.objects} == {1}
    assert {o.category for p in mixed[1].pictures for o in p.objects} == {0}
    assert [p.exhaustive for p in mixed[1].pictures] == [False] * 3
    assert [(d.name, d.weight > 0) for d in mix_datasets([a, b], shares={"b": 0.0})] == [
        ("a", True),
        ("b", False),
    ]
    with pytest.raises(ValueError, match="no data set called c"):
        mix_datasets([a, b], shares={"c": 1.0})
    with pytest.raises(ValueError, match="no data set called c, d; there are: a, b"):
        choose_datasets([a, b], ["d", "a", "c"])
    assert [d.name for d in choose_datasets([a, b], ["b", "b"])] == ["b"]
