"""A coarse mask pulled to a picture's edges, on drawn pictures whose truth is known."""

import cv2
import numpy as np
import pytest

from models.evaluation.boundary import boundary_f_score
from models.evaluation.clicks import mask_iou
from models.grid.frame import GridFrame
from models.seednet.click.outline import PULL, EdgeGuide

HEIGHT, WIDTH = 300, 400
TAU = 0.5


def disc(radius, center=(190, 150)):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, center, radius, 1, -1)
    return mask.astype(bool)


def picture_of(mask, inside=(200, 60, 40), outside=(60, 90, 160)):
    image = np.where(mask[..., None], np.uint8(inside), np.uint8(outside)).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0.0, 3.0, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def coarse(mask, frame, blur=1.5):
    """What a network might say on its grid: blurred, and shifted by half a cell."""
    rows, columns = frame.grid_size
    grid = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.roll(cv2.GaussianBlur(grid, (0, 0), blur), 1, axis=1).astype(np.float32)


@pytest.fixture
def frame():
    return GridFrame.fit((0, 0, WIDTH, HEIGHT), long_side=256, stride=4)


def pulled(image, grid, frame, wanted=(0, 0, WIDTH, HEIGHT), size=None):
    size = size or (wanted[3] - wanted[1], wanted[2] - wanted[0])
    similarity = frame.resample(grid, wanted, size, outside=0.0)
    return similarity.copy(), EdgeGuide(image, frame, frame.prepare(image)).pull(
        similarity, grid, TAU, wanted
    )


def test_the_outline_moves_to_the_pictures_edge(frame):
    truth = disc(80)
    before, after = pulled(picture_of(truth), coarse(truth, frame), frame)
    assert boundary_f_score(before >= TAU, truth) < 0.6
    assert boundary_f_score(after >= TAU, truth) > 0.9
    assert mask_iou(after >= TAU, truth) > mask_iou(before >= TAU, truth)


def test_values_stay_similarities_and_move_by_little(frame):
    truth = disc(80)
    before, after = pulled(picture_of(truth), coarse(truth, frame), frame)
    assert after.dtype == np.float32
    assert after.min() >= 0.0
    assert after.max() <= 1.0
    assert np.abs(after - before).max() <= PULL + 1e-6
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    far = np.abs(np.hypot(xs - 190, ys - 150) - 80) > 70
    assert np.array_equal(before[far], after[far])


def test_without_colours_to_follow_the_outline_moves_less_than_a_cell(frame):
    truth = disc(80)
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    before, after = pulled(grey, coarse(truth, frame), frame)
    moved = ((before >= TAU) ^ (after >= TAU)).astype(np.uint8)
    cell = int(WIDTH / frame.grid_size[1])
    assert not cv2.erode(moved, np.ones((cell, cell), np.uint8)).any()


@pytest.mark.parametrize("radius", [3, 6])
def test_objects_thinner_than_a_window_are_left_alone(frame, radius):
    truth = disc(radius)
    before, after = pulled(picture_of(truth), coarse(truth, frame, blur=0.5), frame)
    assert np.array_equal(before, after)


def test_a_part_of_the_picture_gets_the_values_of_the_whole(frame):
    truth = disc(80)
    image, grid = picture_of(truth), coarse(truth, frame)
    _, whole = pulled(image, grid, frame)
    _, part = pulled(image, grid, frame, wanted=(100, 60, 300, 200))
    assert np.allclose(whole[61:199, 101:299], part[1:-1, 1:-1], atol=1e-4)


def test_a_smaller_preview_shows_nearly_the_same_mask(frame):
    truth = disc(80)
    image, grid = picture_of(truth), coarse(truth, frame)
    _, full = pulled(image, grid, frame)
    _, half = pulled(image, grid, frame, size=(HEIGHT // 2, WIDTH // 2))
    shrunk = cv2.resize(full, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    assert mask_iou(half >= TAU, shrunk >= TAU) > 0.97


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_a_border_is_returned_as_it_is(frame, value):
    grid = np.full(frame.grid_size, value, np.float32)
    before, after = pulled(picture_of(disc(80)), grid, frame)
    assert np.array_equal(before, after)


def test_a_border_outside_the_wanted_part_changes_nothing(frame):
    truth = disc(40)
    before, after = pulled(picture_of(truth), coarse(truth, frame), frame, wanted=(330, 230, 400, 300))
    assert np.array_equal(before, after)


def test_the_guide_tells_how_much_memory_it_keeps():
    """It holds the whole picture: whoever keeps encodings has to know."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame = GridFrame.fit((0, 0, WIDTH, HEIGHT), long_side=256, stride=4)
    guide = EdgeGuide(image, frame, frame.prepare(image))
    kept = image.nbytes + 15 * 4 * frame.grid_size[0] * frame.grid_size[1]
    assert guide.nbytes == kept  # colours, means, inverse covariance
    rows, columns = HEIGHT // 2, WIDTH // 2
    grid = coarse(disc(80), frame)
    guide.pull(frame.sample(grid, frame.region, (rows, columns)), grid, TAU, frame.region)
    assert guide.nbytes == kept + 3 * rows * columns  # and a preview's colours
