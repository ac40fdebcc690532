"""Recoloured spheres against spheres rendered in the other colour (CIEDE2000)."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from app.recolor.engine import apply_operations, recolor, sample_color
from converters.annotation import RecolorOperation
from converters.frozen import FrozenMap


def recolored(picture, mask, color, quality="final", **settings):
    operation = RecolorOperation(color, FrozenMap(settings))
    return apply_operations(picture, [(mask, operation)], quality=quality)


def test_looks_like_the_rendered_truth(scene, pair, delta_e):
    before, after = pair
    result = recolored(scene.picture(before), scene.sphere(), scene.lit_color(after))
    error = delta_e(result, scene.picture(after))
    assert error[scene.inside].mean() < 2.0
    assert np.percentile(error[scene.inside], 95) < 6.0
    assert error[scene.ring].mean() < 2.5


@pytest.mark.parametrize("grow", [2, -2])
def test_survives_noise_and_a_mask_two_pixels_off(noisy_scene, pair, grow, delta_e):
    before, after = pair
    picture = noisy_scene.picture(before)
    result = recolored(picture, noisy_scene.sphere(grow), noisy_scene.lit_color(after))
    error = delta_e(result, noisy_scene.picture(after))
    assert error[noisy_scene.inside].mean() < 2.5  # of which the noise itself is about 0.7
    assert error[noisy_scene.ring].mean() < 4.5
    assert np.percentile(error[noisy_scene.ring], 95) < 16.0


def test_a_shifted_mask_leaves_no_rim(noisy_scene, delta_e):
    shifted = np.roll(noisy_scene.mask(), (1, 2), axis=(0, 1))
    mask = type(noisy_scene.sphere()).from_full(shifted)
    result = recolored(noisy_scene.picture("red"), mask, noisy_scene.lit_color("blue"))
    error = delta_e(result, noisy_scene.picture("blue"))[noisy_scene.ring]
    assert error.mean() < 4.5
    assert np.percentile(error, 95) < 16.0


def test_the_mean_over_all_pairs_meets_the_gate(noisy_scene, pairs, delta_e):
    inside = []
    for before, after in pairs:
        result = recolored(noisy_scene.picture(before), noisy_scene.sphere(), noisy_scene.lit_color(after))
        inside.append(delta_e(result, noisy_scene.picture(after))[noisy_scene.inside].mean())
    assert np.mean(inside) < 1.5


def test_the_preview_is_right_inside(scene, pair, delta_e):
    before, after = pair
    result = recolored(scene.picture(before), scene.sphere(), scene.lit_color(after), "preview")
    assert delta_e(result, scene.picture(after))[scene.inside].mean() < 2.0


@pytest.mark.parametrize("color", ["red", "blue", "white", "black", "yellow", "grey"])
def test_an_object_recoloured_to_its_own_colour_stays(noisy_scene, color, delta_e):
    picture, mask = noisy_scene.picture(color), noisy_scene.sphere()
    result = recolored(picture, mask, sample_color(picture, mask))
    error = delta_e(result, picture)
    assert error[noisy_scene.inside].mean() < 1.0
    assert error[noisy_scene.ring].mean() < 1.0


@pytest.mark.parametrize(
    ("color", "between"),
    [("red", "#2459b8"), ("blue", "#f0e0d0"), ("yellow", "#2f8f4e"), ("red", "#f4f4f2"), ("grey", "#c8252c")],
)
def test_there_and_back_again(scene, color, between, delta_e):
    picture, mask = scene.picture(color), scene.sphere()
    own = sample_color(picture, mask)
    back = recolored(recolored(picture, mask, between), mask, own)
    assert delta_e(back, picture)[scene.inside].mean() < 3.0


def test_the_sampled_colour_is_the_lit_body_colour(scene):
    for color in ("red", "blue", "yellow", "grey", "black"):
        sampled = sample_color(scene.picture(color), scene.sphere())
        truth = scene.lit_color(color)
        channels = [abs(int(sampled[i : i + 2], 16) - int(truth[i : i + 2], 16)) for i in (1, 3, 5)]
        assert max(channels) <= 4, (color, sampled, truth)


def lightness(picture, where):
    return rgb2lab(picture)[..., 0][where]


@pytest.mark.parametrize("color", ["red", "blue", "black", "yellow"])
def test_white_keeps_its_shading_and_does_not_burn_out(scene, color):
    picture = scene.picture(color)
    result = recolored(picture, scene.sphere(), "#ffffff")
    new, old = lightness(result, scene.inside), lightness(picture, scene.inside)
    assert 75 < np.percentile(new, 60) < 97
    body = old < np.percentile(old, 96)  # the rest is highlight
    assert np.corrcoef(new[body], old[body])[0, 1] > 0.9
    assert new.std() > 5
    assert (result[scene.inside] == 255).all(axis=1).mean() < 0.06  # the highlight alone
    chroma = np.hypot(*np.moveaxis(rgb2lab(result)[..., 1:], -1, 0))[scene.inside]
    assert np.percentile(chroma, 95) < 4


@pytest.mark.parametrize("color", ["red", "blue", "white", "yellow"])
def test_black_is_no_hole(scene, color):
    picture = scene.picture(color)
    result = recolored(picture, scene.sphere(), "#000000")
    new = lightness(result, scene.inside)
    assert 3 < np.median(new) < 14
    assert np.percentile(new, 90) - np.percentile(new, 10) > 3
    if color != "white":  # whose highlight is lost in the white itself
        assert new.max() > 35


def test_highlights_keep_the_colour_of_the_light(scene):
    picture, mask = scene.picture("red"), scene.sphere()
    brightest = np.argsort(lightness(picture, scene.inside))[-scene.inside.sum() // 100 :]

    def chroma(**settings):
        lab = rgb2lab(recolored(picture, mask, "#2459b8", **settings))[scene.inside][brightest]
        return np.hypot(lab[:, 1], lab[:, 2]).mean()

    assert chroma() < 0.6 * chroma(highlight_keep=0.0)


def test_a_dark_ramp_turns_light_without_bands(scene):
    ramp = np.repeat(np.linspace(14, 30, 400)[None, :], 80, axis=0)
    picture = np.repeat(np.rint(ramp)[..., None], 3, axis=2).astype(np.uint8)
    picture = np.pad(picture, ((10, 10), (10, 10), (0, 0)), constant_values=200)
    member = np.zeros(picture.shape[:2], bool)
    member[10:-10, 10:-10] = True
    mask = type(scene.sphere()).from_full(member)
    result = recolored(picture, mask, "#e0d8c0")[30:70, 30:-30, 1].astype(float)
    before = len(np.unique(picture[30:70, 30:-30, 1]))
    assert len(np.unique(result)) > 4 * before
    steps = np.abs(np.diff(result.mean(axis=0)))
    assert steps.max() < 6  # one step of the source would be up to 12 codes


def test_recolouring_is_deterministic(scene):
    picture, mask = scene.picture("black"), scene.sphere()
    first = recolor(picture, mask, RecolorOperation("#f4f4f2"))
    second = recolor(picture, mask, RecolorOperation("#f4f4f2"))
    assert np.array_equal(first.rgb, second.rgb)
