"""What the engine promises about pixels it must not touch, odd masks, opacity, batches and stopping."""

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.process.stopping import Stopped
from app.recolor.engine import (
    apply_operations,
    apply_patch,
    prepare,
    recolor,
    sample_color,
)
from converters.annotation import Mask, RecolorOperation
from converters.frozen import FrozenMap

BLUE = RecolorOperation("#2459b8")


def photo(height=120, width=160, seed=0):
    """A random smooth picture with noise."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 8)
    codes = 128 + 60 * smooth / smooth.std() + 3 * noise
    return np.clip(codes, 0, 255).astype(np.uint8)


def with_object(member, color=(190, 40, 30), seed=0):
    """A photo with an object of that colour where `member` is True."""
    picture = photo(*member.shape, seed=seed)
    shade = 0.6 + 0.4 * np.linspace(0, 1, member.shape[1])[None, :, None]
    body = np.array(color) * shade + np.random.default_rng(seed).normal(0, 2, (*member.shape, 1))
    return np.where(member[..., None], np.clip(body, 0, 255), picture).astype(np.uint8)


def disc(height, width, x, y, radius):
    rows, columns = np.mgrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def changed(before, after):
    return (before != after).any(axis=2)


def distance_to(member):
    return cv2.distanceTransform((~member).astype(np.uint8), cv2.DIST_L2, 5)


@pytest.mark.parametrize("quality", ["preview", "final"])
def test_nothing_changes_beyond_the_band(quality):
    member = disc(120, 160, 70, 60, 30)
    picture = with_object(member)
    original = picture.copy()
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)], quality=quality)
    assert np.array_equal(picture, original)
    touched = changed(picture, result)
    assert touched[member].mean() > 0.95
    assert distance_to(member)[touched].max() <= 5


def test_nothing_changes_beyond_the_band_of_a_large_object():
    """Above 1.5 megapixels alpha is solved at half size and sharpened."""
    member = disc(1400, 1500, 740, 690, 660)
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)])
    touched = changed(picture, result)
    assert touched[member].mean() > 0.97
    assert distance_to(member)[touched].max() <= 11
    core = disc(1400, 1500, 740, 690, 640)
    blue = result[core].astype(int)
    assert (blue[:, 2] > blue[:, 0]).mean() > 0.99


def test_a_large_preview_fits_the_picture_and_stays_inside():
    member = disc(1400, 1500, 740, 690, 660)
    picture = with_object(member)
    mask = Mask.from_full(member)
    patch = recolor(picture, mask, BLUE, quality="preview")
    result = picture.copy()
    apply_patch(result, patch)
    assert distance_to(member)[changed(picture, result)].max() <= 10
    final = apply_operations(picture, [(mask, BLUE)])
    core = disc(1400, 1500, 740, 690, 640)
    assert np.abs(result[core].astype(int) - final[core]).mean() < 3


@pytest.mark.parametrize("quality", ["preview", "final"])
def test_a_hole_stays_as_it_is(quality):
    member = disc(120, 160, 80, 60, 45) & ~disc(120, 160, 80, 60, 20)
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)], quality=quality)
    touched = changed(picture, result)
    assert not touched[disc(120, 160, 80, 60, 14)].any()
    assert touched[member].mean() > 0.95


def test_several_parts_are_all_recoloured_and_the_gap_is_not():
    member = disc(120, 160, 30, 60, 18) | disc(120, 160, 120, 40, 12) | disc(120, 160, 110, 100, 9)
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)])
    for part in (disc(120, 160, 30, 60, 14), disc(120, 160, 120, 40, 8), disc(120, 160, 110, 100, 5)):
        codes = result[part].astype(int)
        assert (codes[:, 2] > codes[:, 0] + 40).all()
    assert not changed(picture, result)[:, 60:95].any()


@pytest.mark.parametrize("quality", ["preview", "final"])
def test_one_pixel(quality):
    member = np.zeros((120, 160), bool)
    member[40, 50] = True
    picture = photo()
    picture[40, 50] = (200, 30, 20)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)], quality=quality)
    red, _, blue = result[40, 50].astype(int)
    assert blue > red
    assert distance_to(member)[changed(picture, result)].max() <= 3


def test_a_thin_line_is_recoloured_along_its_length():
    member = np.zeros((120, 160), bool)
    member[60, 10:150] = True
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)])
    codes = result[60, 12:148].astype(int)
    assert (codes[:, 2] > codes[:, 0]).mean() > 0.95


@pytest.mark.parametrize("quality", ["preview", "final"])
@pytest.mark.parametrize("corner", [(0, 0), (159, 0), (0, 119), (159, 119)])
def test_an_object_cut_by_the_picture_does_not_fade_at_its_border(quality, corner):
    member = disc(120, 160, *corner, 40)
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)], quality=quality)
    at = result[corner[1], corner[0]].astype(int)
    assert at[2] > at[0] + 40
    border = np.zeros_like(member)
    border[[0, -1]] = border[:, [0, -1]] = True
    codes = result[border & disc(120, 160, *corner, 34)].astype(int)
    assert (codes[:, 2] > codes[:, 0] + 40).all()


@pytest.mark.parametrize("quality", ["preview", "final"])
def test_the_whole_picture(quality):
    member = np.ones((60, 80), bool)
    picture = with_object(member)
    result = apply_operations(picture, [(Mask.from_full(member), BLUE)], quality=quality)
    assert (result[..., 2].astype(int) > result[..., 0]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("quality", ["preview", "final"])
def test_tiny_pictures(shape, quality):
    picture = np.full((*shape, 3), (180, 30, 20), np.uint8)
    result = apply_operations(picture, [(Mask.from_full(np.ones(shape)), BLUE)], quality=quality)
    assert result.shape == picture.shape
    assert (result[..., 2] > result[..., 0]).all()


@pytest.mark.parametrize(
    "mask",
    [
        Mask(0, 0, np.zeros((0, 0), bool)),
        Mask(5, 5, np.zeros((10, 10), bool)),
        Mask(500, 5, np.ones((10, 10), bool)),
        Mask(-30, -30, np.ones((10, 10), bool)),
    ],
)
def test_a_mask_without_a_pixel_in_the_picture_changes_nothing(mask):
    picture = photo()
    patch = recolor(picture, mask, BLUE)
    assert patch.rgb.shape == (0, 0, 3)
    assert np.array_equal(apply_operations(picture, [(mask, BLUE)]), picture)
    with pytest.raises(ValueError, match="no pixel"):
        sample_color(picture, mask)


def test_parts_outside_the_picture_are_ignored():
    member = disc(120, 160, 0, 60, 30)
    picture = with_object(member)
    inside = Mask.from_full(member)
    rows, columns = np.mgrid[-40:60, -40:60]
    over = Mask(-40, 20, rows**2 + columns**2 <= 30**2)
    # The window above is centred on (0, 60): its left half lies outside.
    assert over.clipped(120, 160) == inside
    first = apply_operations(picture, [(inside, BLUE)])
    assert np.array_equal(first, apply_operations(picture, [(over, BLUE)]))


@pytest.mark.parametrize("color", ["#2459b8", "#f4f4f2", "#000000", "#f2cf2f"])
def test_opacity_is_monotone_and_zero_is_nothing(scene, color):
    picture, mask = scene.picture("red"), scene.sphere()
    previous = np.zeros(picture.shape, int)
    full = recolored(picture, mask, color, 1.0).astype(int) - picture
    for opacity in np.linspace(0, 1, 9):
        change = recolored(picture, mask, color, opacity).astype(int) - picture
        assert (np.abs(change) >= np.abs(previous)).all()
        assert (change * full >= 0).all()
        if opacity == 0:
            assert not change.any()
        previous = change


def recolored(picture, mask, color, opacity):
    operation = RecolorOperation(color, FrozenMap({"opacity": float(opacity)}))
    return apply_operations(picture, [(mask, operation)])


def test_a_batch_is_the_same_as_one_after_the_other():
    members = [disc(120, 160, 40, 60, 22), disc(120, 160, 115, 55, 25)]
    picture = with_object(members[0] | members[1])
    operations = [
        (Mask.from_full(member), RecolorOperation(color))
        for member, color in zip(members, ("#f4f4f2", "#141414"), strict=True)
    ]
    together = apply_operations(picture, operations)
    apart = picture.copy()
    for mask, operation in operations:
        apply_patch(apart, recolor(picture, mask, operation))
    assert np.array_equal(together, apart) or changed(together, apart).sum() == 0
    assert np.array_equal(together, apply_operations(picture, reversed(operations)))


def test_a_prepared_object_renders_what_recolor_does(scene):
    picture, mask = scene.picture("red"), scene.sphere()
    for quality in ("preview", "final"):
        prepared = prepare(picture, mask, quality=quality)
        for color in ("#2459b8", "#f4f4f2"):
            operation = RecolorOperation(color)
            once = recolor(picture, mask, operation, quality=quality)
            again = prepared.render(operation)
            assert (once.x0, once.y0) == (again.x0, again.y0)
            assert np.array_equal(once.rgb, again.rgb)


@pytest.mark.parametrize(
    ("color", "target", "values"),
    [
        ("black", "#f4f4f2", {}),
        ("grey", "#c8252c", {"texture_keep": 0.3}),
        ("red", "#2459b8", {"shading_contrast": 1.4, "variation_keep": 0.5}),
    ],
)
def test_strips_leave_no_seams(scene, monkeypatch, color, target, values):
    """Working strip by strip gives what the whole region at once gives."""
    operation = RecolorOperation(target, FrozenMap(values))
    prepared = prepare(scene.picture(color), scene.sphere())
    monkeypatch.setattr("app.recolor.engine._STRIP_PIXELS", 10**9)
    whole = prepared.render(operation).rgb.astype(int)
    monkeypatch.setattr("app.recolor.engine._STRIP_PIXELS", 1)
    strips = prepared.render(operation).rgb.astype(int)
    difference = np.abs(whole - strips)
    assert difference.max() <= 1  # float sums in another order
    assert (difference > 0).mean() < 0.001


def test_a_read_only_picture_and_a_view_are_fine():
    member = disc(120, 160, 70, 60, 30)
    picture = with_object(member)
    plain = recolor(picture, Mask.from_full(member), BLUE)
    wide = np.zeros((120, 320, 3), np.uint8)
    wide[:, ::2] = picture
    view = wide[:, ::2]
    view.flags.writeable = False
    assert np.array_equal(recolor(view, Mask.from_full(member), BLUE).rgb, plain.rgb)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((10, 10, 3), np.uint16),
    ],
)
def test_other_pictures_are_refused(picture):
    with pytest.raises(ValueError, match="8-bit RGB"):
        recolor(picture, Mask.from_full(np.ones((10, 10))), BLUE)


def test_an_unknown_quality_is_refused():
    with pytest.raises(ValueError, match="preview"):
        recolor(photo(), Mask.from_full(disc(120, 160, 70, 60, 30)), BLUE, quality="best")


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "#12345g", "", "2459b8", None, 7])
def test_a_malformed_colour_is_refused(color):
    with pytest.raises(ValueError, match="#rrggbb"):
        recolor(photo(), Mask.from_full(disc(120, 160, 70, 60, 30)), RecolorOperation(color))


@pytest.mark.parametrize("quality", ["preview", "final"])
def test_stopping(quality):
    """Wherever the engine asks, the answer True ends it at once."""
    member = disc(700, 700, 350, 350, 300)
    picture, mask = with_object(member), Mask.from_full(member)
    original = picture.copy()

    def asked_until(last):
        asked = []
        should_stop = lambda: asked.append(None) or len(asked) >= last  # noqa: E731
        with pytest.raises(Stopped):
            recolor(picture, mask, BLUE, quality=quality, should_stop=should_stop)
        return len(asked)

    asked = []
    recolor(picture, mask, BLUE, quality=quality, should_stop=lambda: bool(asked.append(None)))
    assert len(asked) >= 2
    for last in (1, 2, len(asked) // 2 + 1, len(asked)):
        assert asked_until(last) <= last + 1
    assert np.array_equal(picture, original)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_mask_any_colour_any_setting(data):
    """Whatever the mask, pixels beyond the band stay and nothing fails."""
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    member = generator.random((height, width)) < data.draw(st.sampled_from([0.02, 0.3, 0.7, 1.0]))
    if data.draw(st.booleans()):
        member = cv2.medianBlur(member.astype(np.uint8), 5) > 0
    picture = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if data.draw(st.booleans()):
        picture //= 60
    values = {
        "shading_contrast": data.draw(st.sampled_from([0.0, 1.0, 2.0])),
        "texture_keep": data.draw(st.sampled_from([0.0, 1.0, 2.0])),
        "highlight_keep": data.draw(st.sampled_from([0.0, 1.0])),
        "lightness_match": data.draw(st.sampled_from([0.0, 1.0])),
    }
    color = f"#{data.draw(st.integers(0, 0xFFFFFF)):06x}"
    operation = RecolorOperation(color, FrozenMap(values))
    quality = data.draw(st.sampled_from(["preview", "final"]))
    result = apply_operations(picture, [(Mask.from_full(member), operation)], quality=quality)
    touched = changed(picture, result)
    if touched.any():
        assert distance_to(member)[touched].max() <= 5.5
