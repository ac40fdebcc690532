"""Cut-outs: which objects, how they look, what comes along, where they land."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from converters.annotation import Mask
from converters.files.images import write_image
from models.data.augment import ColorJitter
from models.data.copy_paste import LARGEST_ENLARGEMENT, CutoutLibrary, paste, paste_coverage
from models.data.crops import CropSettings, draw_crop
from models.data.dataset import AnnotatedObject, AnnotatedPicture, Dataset
from models.data.object_cutouts import Cutout, cut_object
from models.data.placement import draw_place, draw_place_beside

STILL = ColorJitter(0, 0, 0, 0, 0, 0, 0, 0)
GREY, RED, GREEN, BLUE = (120, 120, 120), (210, 30, 30), (20, 180, 40), (20, 60, 220)
PERSON, SHIRT, BALL = 0, 1, 2
CATEGORIES = ("person", "shirt", "ball")


def rectangle(x0, y0, x1, y1, category=PERSON, *, has_mask=True):
    return AnnotatedObject(Mask(x0, y0, np.ones((y1 - y0, x1 - x0), bool)), category, has_mask)


def picture(path, objects, colors, *, height=120, width=160):
    """A grey picture with rectangles, painted in order."""
    image = np.full((height, width, 3), GREY, np.uint8)
    for item, color in zip(objects, colors, strict=True):
        x0, y0, x1, y1 = item.mask.box
        image[max(0, y0) : y1, max(0, x0) : x1] = color
    write_image(path, image)
    return AnnotatedPicture(path, height, width, tuple(objects), exhaustive=True)


def dataset(*pictures, name="set"):
    return Dataset(name, pictures, CATEGORIES)


def person(tmp_path):
    objects = (rectangle(40, 20, 90, 100), rectangle(46, 36, 84, 74, SHIRT))
    return picture(tmp_path / "person.png", objects, (RED, GREEN))


def background(tmp_path):
    """A large picture with one small object in its corner, to be pasted onto."""
    objects = (rectangle(2, 2, 30, 30, BALL),)
    return picture(tmp_path / "background.png", objects, (BLUE,), height=240, width=240)


def write_cutout(folder):
    rgba = np.zeros((40, 50, 4), np.uint8)
    rgba[10:30, 5:45] = (10, 200, 30, 255)
    rgba[10:30, 5] = (10, 200, 30, 128)
    Image.fromarray(rgba, "RGBA").save(folder / "cut.png")


def test_pasting_blends_by_alpha_and_may_hang_over():
    image = np.full((20, 30, 3), 100, np.uint8)
    cutout = np.zeros((4, 4, 4), np.uint8)
    cutout[:, :, :3], cutout[:, :2, 3], cutout[:, 2:, 3] = 200, 255, 51
    before = image.copy()
    paste(image, cutout, 28, -1)
    assert (image[:3, 28:] == 200).all()
    image[:3, 28:] = 100
    assert np.array_equal(image, before)
    paste(image, cutout, 3, 3)
    assert image[4, 5, 0] == 120
    paste(image, cutout, 40, 3)
    paste(image, cutout, -9, 3)
    assert np.count_nonzero(image != before) == 16 * 3


@pytest.mark.parametrize("place", [(3, 2), (-5, 7), (20, 25), (-40, 0)])
@pytest.mark.parametrize("stride", [1, 4])
def test_coverage_is_the_mean_alpha_of_each_cell(place, stride):
    alpha = np.random.default_rng(0).integers(0, 256, (13, 18)).astype(np.uint8)
    white = np.zeros((*alpha.shape, 4), np.uint8)
    white[:, :, :3], white[:, :, 3] = 255, alpha
    picture = np.zeros((32, 32, 3), np.uint8)
    paste(picture, white, *place)
    blocks = picture[:, :, 0].reshape(32 // stride, stride, 32 // stride, stride)
    expected = blocks.mean(axis=(1, 3), dtype=np.float64) / 255
    assert paste_coverage(alpha, *place, size=32, stride=stride) == pytest.approx(expected, abs=1e-5)


def test_crops_with_cutouts_have_an_object_for_each(tmp_path):
    write_cutout(tmp_path)
    settings = CropSettings(
        size=128, mask_stride=1, cutout_probability=1.0, cutout_category=SHIRT, jitter=STILL
    )
    library = CutoutLibrary.from_folder(tmp_path)
    sets = [dataset(background(tmp_path))]
    for seed in range(8):
        image, target = draw_crop(sets, settings, np.random.default_rng(seed), cutouts=library)
        top = target.masks[-1].numpy() > 0.99
        assert np.median(image.numpy()[:, top], axis=1) == pytest.approx([10, 200, 30], abs=12)
        assert target.categories[-1] == SHIRT
        # A pasted object takes its pixels away from those below.
        assert (target.masks[:-1].numpy()[:, top] < 0.02).all()


def test_only_large_whole_objects_with_a_mask_are_cut_out(tmp_path):
    fits = rectangle(20, 20, 60, 60, BALL)
    beside_the_border = rectangle(0, 70, 40, 110, BALL)
    objects = (
        fits,
        beside_the_border,
        rectangle(120, 80, 160, 120),  # in the corner
        rectangle(70, 20, 101, 53),  # 1023 pixels
        rectangle(70, 60, 110, 100, has_mask=False),
    )
    shown = picture(tmp_path / "a.png", objects, (RED,) * 5)
    (sources,) = CutoutLibrary().with_objects_of([dataset(shown)]).sources
    assert [source.objects for source in sources] == [(fits, beside_the_border)]
    useless = replace(shown, objects=objects[2:])
    with pytest.raises(ValueError, match="no object of bad is large and whole enough"):
        CutoutLibrary().with_objects_of([dataset(shown), dataset(useless, name="bad")])


def test_a_cut_out_object_has_a_soft_border_half_a_pixel_inside(tmp_path):
    shown = person(tmp_path)
    cutout = cut_object(shown, shown.objects[0], np.random.default_rng(0))
    assert cutout.rgba.shape == (84, 54, 4)
    assert cutout.category == PERSON
    alpha = cutout.rgba[40, :, 3].astype(float) / 255
    assert alpha[6:-6] == pytest.approx(1.0)
    assert alpha.sum() == pytest.approx(50 - 2 * 0.5, abs=0.1)
    assert alpha[0] < 0.08
    assert 0.05 < alpha[2] < 0.95
    assert tuple(cutout.rgba[10, 10, :3]) == RED


def test_objects_inside_come_along(tmp_path):
    shown = person(tmp_path)
    beside = rectangle(86, 50, 130, 80, BALL)
    boxed = rectangle(50, 78, 80, 95, BALL, has_mask=False)
    shown = replace(shown, objects=(*shown.objects, beside, boxed))
    cutout = cut_object(shown, shown.objects[0], np.random.default_rng(0))
    (shirt,) = cutout.nested
    assert shirt.category == SHIRT
    assert (shirt.coverage > 0).sum() == 38 * 38
    # They stay on their pixels whatever happens to the cut-out.
    for changed in (cutout.mirrored(), cutout.resized(130), cutout.resized(40), cutout.turned(25.0)):
        (shirt,) = changed.nested
        colors = changed.rgba[:, :, :3].astype(int)
        greenish = (colors[:, :, 1] > colors[:, :, 0]) & (changed.rgba[:, :, 3] > 128)
        assert ((shirt.coverage > 128) != greenish).sum() < 0.12 * greenish.sum()
    # Nobody wears a person.
    assert cut_object(shown, shown.objects[1], np.random.default_rng(0)).nested == ()


def test_turning_does_not_darken_the_border(tmp_path):
    rgba = np.full((40, 60, 4), 255, np.uint8)
    turned = Cutout(rgba).turned(20.0).rgba
    assert (turned[:, :, 3] == 0).any()
    assert turned[turned[:, :, 3] > 0][:, :3].min() == 255


def test_objects_are_enlarged_only_so_far(tmp_path):
    shown = replace(person(tmp_path), objects=(rectangle(40, 20, 90, 100),))
    library = CutoutLibrary().with_objects_of([dataset(shown)])
    rng = np.random.default_rng(0)
    for _ in range(8):
        large, small = library.draw(500, rng), library.draw(60, rng)
        # A rectangle's area tells its scale, however it is turned; of 80 pixels with margins it is 84.
        for cutout, scale in ((large, LARGEST_ENLARGEMENT), (small, 60 / 84)):
            area = cutout.rgba[:, :, 3].sum() / 255
            assert area**0.5 == pytest.approx(scale * (49 * 79) ** 0.5, rel=0.03)


def test_files_and_data_sets_have_their_shares(tmp_path):
    write_cutout(tmp_path)
    a = dataset(*(replace(person(tmp_path), objects=(rectangle(40, 20, 90, 100, BALL),)) for _ in range(9)))
    b = dataset(person(tmp_path))
    library = CutoutLibrary((tmp_path / "cut.png",)).with_objects_of([a, b])
    rng = np.random.default_rng(0)
    drawn = [library.draw(20, rng).category for _ in range(600)]
    assert drawn.count(None) / 600 == pytest.approx(0.35, abs=0.06)
    # The set of nine pictures gives no more than that of one.
    assert drawn.count(BALL) / 600 == pytest.approx(0.65 / 2, abs=0.06)
    people = [c for c in drawn if c in (PERSON, SHIRT)]
    # By the root of the area: 63 to 38.
    assert people.count(PERSON) / len(people) == pytest.approx(63 / 101, abs=0.1)


def test_pasted_objects_bring_their_category_and_what_lies_inside(tmp_path):
    library = CutoutLibrary().with_objects_of([dataset(person(tmp_path))])
    sets = [dataset(background(tmp_path))]
    settings = CropSettings(
        size=160,
        long_side=(160, 240),
        mask_stride=1,
        cutout_probability=1.0,
        cutout_category=BALL,
        jitter=STILL,
    )
    shirts = 0
    for seed in range(20):
        image, target = draw_crop(sets, settings, np.random.default_rng(seed), cutouts=library)
        pixels = image.numpy().astype(int)
        blue, red = pixels[2] - pixels[0] > 100, pixels[0] - pixels[1] > 100
        green = pixels[1] - pixels[0] > 100
        for mask, category in zip(target.masks.numpy() > 0.95, target.categories.tolist(), strict=True):
            right = {BALL: blue, PERSON: pixels[2] < 60, SHIRT: green}[category]
            # Later ones hide the earlier ones, and their shirts. Borders are blends of two colours.
            core = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            assert right[core].all()
            shirts += category == SHIRT
        covered = target.masks.amax(dim=0).numpy()
        assert (covered[red | green | blue] > 0.4).mean() > 0.97
    assert shirts > 10


def test_a_cutout_beside_its_copy_touches_it():
    rng = np.random.default_rng(0)
    disc = np.hypot(*np.mgrid[-30:31, -30:31]) < 28
    rgba = np.where(disc[:, :, None], 255, 0).astype(np.uint8).repeat(4, axis=2)
    first, second = Cutout(rgba), Cutout(rgba).resized(50)
    hidden = []
    for _ in range(60):
        place = draw_place(first, 160, rng)
        beside = draw_place_beside(first, place, second, 160, rng)
        planes = [
            np.pad(c.rgba[:, :, 3], 200)[200 - t : 360 - t, 200 - x : 360 - x]
            for c, (x, t) in ((first, place), (second, beside))
        ]
        middles = [np.add(p, c.long_side / 2) for p, c in ((place, first), (beside, second))]
        distance = np.hypot(*(middles[0] - middles[1]))
        assert distance < 28 + 23 + 4
        assert (middles[1] > -1).all()
        assert (middles[1] < 161).all()
        hidden.append(float((planes[0].astype(bool) & planes[1].astype(bool)).sum()) / disc.sum())
    assert np.median(hidden) < 0.6


def test_some_cutouts_are_pasted_three_times(tmp_path):
    sets = [dataset(background(tmp_path))]
    objects = (rectangle(40, 20, 90, 100),)
    library = CutoutLibrary().with_objects_of([dataset(picture(tmp_path / "a.png", objects, (RED,)))])
    settings = CropSettings(size=160, long_side=(160, 240), cutout_probability=1.0, jitter=STILL)
    pasted = []
    for seed in range(60):
        _, target = draw_crop(sets, settings, np.random.default_rng(seed), cutouts=library)
        pasted.append(target.categories.tolist().count(PERSON))
    # Without copies there would be three at the most.
    assert max(pasted) > 3
    assert 2.2 < np.mean(pasted) < 3.4


def test_quarter_turns_take_the_masks_with_them(tmp_path):
    sets = [dataset(background(tmp_path))]
    settings = CropSettings(
        size=96, long_side=(96, 96), mask_stride=1, jitter=STILL, quarter_turn_probability=1.0
    )
    corners = set()
    for seed in range(24):
        image, target = draw_crop(sets, settings, np.random.default_rng(seed))
        pixels = image.numpy().astype(int)
        blue = pixels[2] - pixels[0] > 100
        assert (blue == (target.masks[0].numpy() > 0.5)).mean() > 0.98
        rows, columns = np.nonzero(blue)
        corners.add((rows.mean() > 48, columns.mean() > 48))
    assert len(corners) == 4
    upright = replace(settings, quarter_turn_probability=0.0)
    for seed in range(12):
        image, _ = draw_crop(sets, upright, np.random.default_rng(seed))
        assert np.nonzero(image[2].int() - image[0].int() > 100)[:, 0].float().mean() < 48


def test_the_pictures_themselves_stay_as_they_are(tmp_path):
    shown = person(tmp_path)
    before = shown.pixels().copy()
    library = CutoutLibrary().with_objects_of([dataset(shown)])
    settings = CropSettings(size=160, long_side=(160, 160), cutout_probability=1.0)
    for seed in range(6):
        draw_crop([dataset(shown)], settings, np.random.default_rng(seed), cutouts=library)
    assert np.array_equal(shown.pixels(), before)
