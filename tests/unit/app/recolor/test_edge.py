"""Alpha at an object's edge: trimap, matting and the object's own colour."""

import numpy as np
import pytest

from app.recolor.alpha import BAND, blurred_edge, estimated_edge, make_trimap
from app.recolor.color_space import to_linear
from app.recolor.matting import solve_alpha


def alpha_plane(edge):
    plane = edge.solid.astype(np.float32)
    plane.ravel()[edge.band] = edge.alpha
    return plane


def test_the_trimap_is_a_band_around_the_border(scene):
    mask = scene.mask()
    trimap = make_trimap(mask)
    assert not (trimap.sure & trimap.unknown).any()
    assert not (trimap.sure & ~mask).any()
    assert (trimap.sure | trimap.unknown)[mask].all()
    width = trimap.unknown.sum() / (2 * np.pi * scene.radius * scene.size)
    assert width == pytest.approx(2 * BAND, abs=1.0)


def test_thin_parts_keep_a_sure_core():
    mask = np.zeros((40, 60), bool)
    mask[10, 5:55] = True
    mask[20:23, 5:55] = True
    mask[30:37, 5:55] = True
    trimap = make_trimap(mask)
    for row in (10, 21, 33):
        assert trimap.sure[row, 10:50].all()
    assert not trimap.unknown[13:17, 10:50].any()


@pytest.mark.parametrize("grow", [0, 2, -2])
@pytest.mark.parametrize("color", ["red", "white", "black", "yellow"])
def test_alpha_comes_close_to_the_true_coverage(noisy_scene, color, grow):
    edge = estimated_edge(noisy_scene.picture(color), noisy_scene.mask(grow), 1)
    error = np.abs(alpha_plane(edge) - noisy_scene.coverage)[noisy_scene.ring]
    blurred = blurred_edge(to_linear(noisy_scene.picture(color)), noisy_scene.mask(grow))
    rough = np.abs(alpha_plane(blurred) - noisy_scene.coverage)[noisy_scene.ring]
    assert error.mean() < 0.09
    assert error.mean() < 0.7 * rough.mean()


def test_solving_at_half_size_keeps_the_edge_sharp(noisy_scene):
    edge = estimated_edge(noisy_scene.picture("red"), noisy_scene.mask(2), 2)
    error = np.abs(alpha_plane(edge) - noisy_scene.coverage)[noisy_scene.ring]
    assert error.mean() < 0.06


def test_parts_lost_at_the_smaller_size_stay_as_masked():
    picture = np.full((60, 90, 3), 90, np.uint8)
    mask = np.zeros((60, 90), bool)
    mask[10:50, 10:50] = True
    mask[30, 60:88] = True
    picture[mask] = (200, 40, 30)
    edge = estimated_edge(picture, mask, 4)
    assert edge.solid[30, 74:84].all()


def test_the_object_colour_is_free_of_background(noisy_scene):
    """At the edge the estimate must lie nearer to the sphere's red than the mixed pixels do."""
    picture = noisy_scene.picture("red")
    edge = estimated_edge(picture, noisy_scene.mask(2), 1)
    mixed = (edge.alpha > 0.2) & (edge.alpha < 0.8)
    assert mixed.sum() > 50

    def redness(linear):
        return linear[:, 0] / linear.sum(axis=1)

    raw = to_linear(picture).reshape(-1, 3)[edge.band][mixed]
    assert np.median(redness(edge.foreground[mixed])) > 0.78
    assert np.median(redness(raw)) < 0.7


def test_known_pixels_are_kept_and_a_prior_pulls():
    image = np.full((20, 20, 3), 0.5, np.float32)
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, :8] = 1
    unknown = np.zeros((20, 20), bool)
    unknown[:, 8:12] = True
    guess = alpha.copy()
    guess[unknown] = 0.25
    solved = solve_alpha(image, guess, unknown, prior_weight=1e3)
    assert np.allclose(solved[unknown], 0.25, atol=0.01)
    assert np.array_equal(solved[~unknown], alpha[~unknown])
    free = solve_alpha(image, guess, unknown, prior_weight=1e-6)
    assert (np.diff(free[10, 7:13]) < 0).all()  # a smooth ramp where colours say nothing


def test_a_stopped_solver_hands_back_its_state(scene):
    linear = to_linear(scene.picture("red"))
    trimap = make_trimap(scene.mask())
    guess = trimap.sure.astype(np.float32)
    asked = []
    solved = solve_alpha(
        linear, guess, trimap.unknown, prior_weight=1e-3, should_stop=lambda: bool(asked.append(None) or True)
    )
    assert len(asked) == 1
    assert np.array_equal(solved, guess)
