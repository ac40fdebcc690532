"""The sliders: their ranges hold, and each does what its hint says."""

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

from app.recolor.engine import apply_operations, sample_color
from app.recolor.settings import SETTINGS, RecolorSettings, check_setting
from converters.annotation import Mask, RecolorOperation
from converters.frozen import FrozenMap


def recolored(picture, mask, color, **settings):
    return apply_operations(picture, [(mask, RecolorOperation(color, FrozenMap(settings)))])


def test_defaults_lie_in_their_ranges_and_complete_a_mapping():
    for setting in SETTINGS:
        assert setting.limits.minimum <= setting.limits.default <= setting.limits.maximum
        assert 0 < setting.limits.step < setting.limits.maximum - setting.limits.minimum
        assert setting.title
        assert setting.hint
        assert getattr(RecolorSettings.from_mapping({}), setting.name) == setting.limits.default
    assert RecolorSettings.from_mapping({"opacity": 0.25}).opacity == 0.25


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_ranges_are_locked(scene, setting):
    for value in (
        setting.limits.minimum,
        setting.limits.maximum,
        setting.limits.default,
        int(setting.limits.maximum),
    ):
        check_setting(setting.name, value)
    for value in (setting.limits.minimum - 0.01, setting.limits.maximum + 0.01):
        with pytest.raises(ValueError, match=f"{setting.name} must lie between"):
            check_setting(setting.name, value)
        with pytest.raises(ValueError, match=setting.name):
            recolored(scene.picture("red"), scene.sphere(), "#2459b8", **{setting.name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.5", None, True, [1.0]])
def test_settings_are_numbers(value):
    with pytest.raises(ValueError, match="opacity needs a number"):
        check_setting("opacity", value)


def test_an_unknown_setting_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'colour'.*lightness_match.*opacity"):
        RecolorSettings.from_mapping({"colour": 1.0})


def lightness(picture, where):
    return rgb2lab(picture)[..., 0][where]


def test_lightness_match_zero_keeps_the_lightness(scene):
    picture, mask = scene.picture("red"), scene.sphere()
    kept = recolored(picture, mask, "#f2cf2f", lightness_match=0.0)
    taken = recolored(picture, mask, "#f2cf2f")
    old = np.median(lightness(picture, scene.inside))
    assert abs(np.median(lightness(kept, scene.inside)) - old) < 6
    assert np.median(lightness(taken, scene.inside)) > old + 20


def test_lightness_rises_with_lightness_match(scene):
    picture, mask = scene.picture("red"), scene.sphere()
    medians = [
        np.median(lightness(recolored(picture, mask, "#f4f4f2", lightness_match=m), scene.inside))
        for m in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert medians == sorted(medians)
    assert medians[-1] - medians[0] > 25


def test_shading_contrast_flattens_and_deepens(scene):
    picture, mask = scene.picture("red"), scene.sphere()
    spread = [
        lightness(recolored(picture, mask, "#6db3de", shading_contrast=c), scene.inside).std()
        for c in (0.0, 0.5, 1.0, 1.5)
    ]
    assert spread == sorted(spread)
    assert spread[0] < 0.6 * spread[2]


def test_texture_keep_smooths_and_sharpens_fine_detail_only(scene):
    picture, mask = scene.picture("red"), scene.sphere()

    def grain(result):
        plane = rgb2lab(result)[..., 0]
        return np.abs(np.diff(plane, axis=1))[:, 1:][scene.inside[:, 2:]].mean()

    grains = [grain(recolored(picture, mask, "#6db3de", texture_keep=t)) for t in (0.0, 0.5, 1.0, 2.0)]
    assert grains == sorted(grains)
    assert grains[0] < 0.5 * grains[2]
    smooth = recolored(picture, mask, "#6db3de", texture_keep=0.0)
    whole = recolored(picture, mask, "#6db3de")
    assert np.corrcoef(lightness(smooth, scene.inside), lightness(whole, scene.inside))[0, 1] > 0.9


def test_a_lower_noise_limit_is_smoother():
    generator = np.random.default_rng(0)
    codes = 20 + generator.normal(0, 1.5, (160, 160, 1))
    picture = np.repeat(np.clip(np.rint(codes), 0, 255), 3, axis=2).astype(np.uint8)
    mask = Mask.from_full(np.ones((160, 160)))
    noise = [
        recolored(picture, mask, "#e8e8e8", max_gain=gain).astype(float).std() for gain in (1.0, 6.0, 64.0)
    ]
    assert noise == sorted(noise)
    assert noise[0] < 0.5 * noise[2]


@pytest.fixture
def logo():
    """A red object with a blue disc on it."""
    picture = np.full((100, 100, 3), 120, np.uint8)
    shade = np.linspace(0.6, 1.0, 100)[:, None, None]
    picture[10:90, 10:90] = (np.array([200, 30, 30]) * shade)[10:90]
    rows, columns = np.mgrid[:100, :100]
    disc = (rows - 50) ** 2 + (columns - 50) ** 2 < 12**2
    picture[disc] = (30, 40, 160)
    member = np.zeros((100, 100), bool)
    member[10:90, 10:90] = True
    core = (rows - 50) ** 2 + (columns - 50) ** 2 < 9**2
    return picture, Mask.from_full(member), core


@pytest.mark.parametrize("color", ["#f4f4f2", "#141414", "#2f8f4e"])
def test_a_logo_keeps_its_colour(logo, color):
    picture, mask, core = logo
    result = recolored(picture, mask, color)
    assert np.abs(result[core].astype(int) - picture[core]).max() <= 3
    assert np.abs(result[20, 20].astype(int) - picture[20, 20]).max() > 40


def test_variation_keep_zero_paints_over_a_logo(logo):
    picture, mask, core = logo
    result = recolored(picture, mask, "#2f8f4e", variation_keep=0.0)
    codes = result[core].astype(int)
    assert (codes[:, 1] > codes[:, 2]).all()


def test_settings_do_not_move_an_object_from_its_own_colour(scene, delta_e):
    """Lightness match, noise limit and variation have nothing to do when the colour does not change."""
    picture, mask = scene.picture("blue"), scene.sphere()
    own = sample_color(picture, mask)
    for settings in ({"lightness_match": 0.0}, {"max_gain": 1.0}, {"lightness_match": 0.3, "max_gain": 64.0}):
        result = recolored(picture, mask, own, **settings)
        assert delta_e(result, picture)[scene.inside].mean() < 1.0
