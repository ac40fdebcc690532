"""Transfer curve, OKLab and gamut mapping against published values."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from app.recolor.color_space import (
    code_width,
    format_color,
    linear_to_oklab,
    oklab_to_linear,
    parse_color,
    to_codes,
    to_linear,
)
from app.recolor.gamut import compress_highlights, fit_gamut


def test_every_code_survives_the_round_trip():
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_codes(to_linear(codes)), codes)
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.array_equal(to_codes(to_linear(picture)), picture)


def test_the_curve_is_that_of_the_standard():
    linear = to_linear(np.array([0, 10, 11, 128, 188, 255], np.uint8))
    assert linear == pytest.approx([0, 0.0030353, 0.0033465, 0.2158605, 0.5028865, 1], abs=1e-6)


def test_codes_are_clipped_not_wrapped():
    assert to_codes(np.array([-1.0, -0.001, 1.001, 7.0], np.float32)).tolist() == [0, 0, 255, 255]


def test_dither_below_half_a_code_never_moves_a_whole_code():
    linear = to_linear(np.arange(256, dtype=np.uint8))
    for offset in (-0.47, 0.47):
        codes = to_codes(linear, np.full(256, offset, np.float32))
        assert np.array_equal(codes, np.arange(256))


def test_code_width_matches_the_table():
    linear = to_linear(np.arange(256, dtype=np.uint8))
    middle = (linear[1:] + linear[:-1]) / 2
    assert code_width(middle) == pytest.approx(np.diff(linear), rel=0.06)


def test_oklab_of_known_colours():
    rgb = np.array([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    known = [
        [1, 0, 0],
        [0.62796, 0.22486, 0.12585],
        [0.86644, -0.23389, 0.17950],
        [0.45201, -0.03246, -0.31153],
    ]
    assert np.allclose(linear_to_oklab(rgb), known, atol=2e-4)


def test_oklab_round_trip():
    rgb = np.random.default_rng(0).random((200, 3))
    assert np.allclose(oklab_to_linear(linear_to_oklab(rgb)), rgb, atol=1e-9)


def random_oklch(count=500):
    generator = np.random.default_rng(1)
    lightness, hue = generator.uniform(0.2, 0.95, count), generator.uniform(0, 2 * np.pi, count)
    chroma = generator.uniform(0.1, 0.4, count)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    return lab, oklab_to_linear(lab).astype(np.float32)


def test_gamut_mapping_keeps_hue_and_lightness():
    lab, linear = random_oklch()
    outside = (linear.min(axis=1) < -0.02) | (linear.max(axis=1) > 1.02)
    assert outside.sum() > 200
    fitted = linear.copy()
    fit_gamut(fitted)
    assert fitted.min() >= 0
    assert fitted.max() <= 1
    mapped = linear_to_oklab(fitted.astype(np.float64))
    hue = np.arctan2(mapped[:, 2], mapped[:, 1]) - np.arctan2(lab[:, 2], lab[:, 1])
    hue = np.degrees(np.abs((hue + np.pi) % (2 * np.pi) - np.pi))
    strong = np.hypot(mapped[:, 1], mapped[:, 2]) > 0.03
    assert np.percentile(hue[outside & strong], 95) < 3
    assert np.abs(mapped[:, 0] - lab[:, 0])[outside].max() < 0.03
    assert (np.hypot(mapped[:, 1], mapped[:, 2]) <= np.hypot(lab[:, 1], lab[:, 2]) + 1e-3).all()


def test_gamut_mapping_leaves_colours_inside_alone():
    linear = np.random.default_rng(2).random((50, 40, 3)).astype(np.float32)
    fitted = linear.copy()
    fit_gamut(fitted)
    assert np.array_equal(linear, fitted)


def test_beyond_white_is_white_and_below_black_is_black():
    linear = np.array([[[1.5, 1.4, 1.6], [-0.2, -0.1, -0.3]]], np.float32)
    fit_gamut(linear)
    assert np.allclose(linear, [[[1, 1, 1], [0, 0, 0]]], atol=1e-3)


@pytest.mark.parametrize("peak", [1.01, 1.2, 1.6, 3.0, 40.0])
def test_highlight_compression_is_monotone_and_ends_at_white(peak):
    level = np.linspace(0, peak, 400, dtype=np.float32)
    bent = compress_highlights(level, peak)
    assert (np.diff(bent) >= -1e-6).all()
    assert bent[-1] == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(bent[level <= 0.75], level[level <= 0.75])
    assert bent.max() <= 1 + 1e-5
    assert np.interp(1.0, level, bent) > 0.87  # the lit surface of something white is paper white


def test_without_light_above_white_nothing_is_compressed():
    level = np.linspace(0, 1, 50, dtype=np.float32)
    assert np.array_equal(compress_highlights(level, 1.0), level)


def test_colours_as_text():
    assert parse_color("#1A2b3C").tolist() == [26, 43, 60]
    assert format_color(parse_color("#1A2b3C")) == "#1a2b3c"
    lab = rgb2lab(parse_color("#808080")[None, None])
    assert lab[0, 0, 0] == pytest.approx(53.6, abs=0.1)
