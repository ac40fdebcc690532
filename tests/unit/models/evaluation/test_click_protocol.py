"""The click protocol on encodings whose right answer is known."""

import numpy as np
import pytest

from converters.annotation import Seed
from models.data.dataset import load_dataset
from models.evaluation.clicks import (
    MAX_CLICKS,
    best_threshold_iou,
    count_clicks,
    deepest_point,
    evaluate_clicks,
    mask_iou,
    next_click,
    score_object,
)
from models.segmenter import Encoding, Segmenter
from tests.unit.models.evaluation.coco_folders import write_coco_folder


class KnownEncoding(Encoding):
    """Level 0 answers with a square around each click; level 1 with what it was told."""

    version = "known"
    level_count = 2
    nbytes = 0

    def __init__(self, answer, scores=(0.2, 0.9)):
        self.answer, self.scores = answer, scores
        self.height, self.width = answer.shape
        self.region = (0, 0, self.width, self.height)

    def similarity(self, seeds, level=None, region=None, size=None):
        if level == 0:
            out = np.zeros(self.answer.shape, np.float32)
            for seed in seeds:
                if seed.positive:
                    out[int(seed.y) - 2 : int(seed.y) + 3, int(seed.x) - 2 : int(seed.x) + 3] = 1.0
            return out
        return self.answer.astype(np.float32)

    def suggest_tau(self, seeds, level=None):
        return 0.5

    def level_scores(self, seeds):
        return self.scores

    def mask(self, seeds, tau=None, level=None, region=None, size=None):
        chosen = int(np.argmax(self.scores)) if level is None else level
        return self.similarity(seeds, chosen) >= (tau or 0.5)

    def instances(self, min_score=0.5, max_count=100):
        return []


class KnownSegmenter(Segmenter):
    name = version = "known"

    def __init__(self, answers):
        self.answers = iter(answers)

    def encode(self, image, region=None, should_stop=None):
        return KnownEncoding(next(self.answers))


@pytest.fixture
def truth():
    mask = np.zeros((40, 50), bool)
    mask[5:25, 10:40] = True
    return mask


def test_the_deepest_point_is_farthest_from_the_border(truth):
    row, column = deepest_point(truth)
    assert 13 <= row <= 16
    assert 14 <= column <= 35
    corner = np.zeros((9, 9), bool)
    corner[:5, :5] = True
    assert deepest_point(corner) == (2, 2)


def test_iou_of_two_empty_masks_is_one(truth):
    assert mask_iou(np.zeros((3, 3), bool), np.zeros((3, 3), bool)) == 1.0
    half = truth.copy()
    half[15:] = False
    assert mask_iou(half, truth) == 0.5


def test_the_best_threshold_is_that_of_a_search(truth):
    rng = np.random.default_rng(0)
    similarity = np.clip(truth * 0.4 + rng.random(truth.shape) * 0.6, 0, 0.999).astype(np.float32)
    searched = max(mask_iou(similarity >= t / 512, truth) for t in range(512))
    assert best_threshold_iou(similarity, truth) == pytest.approx(searched)


def test_the_next_click_falls_on_the_larger_error(truth):
    prediction = truth.copy()
    prediction[5:25, 10:14] = False
    prediction[26:39, 20:48] = True
    taken = np.zeros_like(truth)
    seed = next_click(prediction, truth, taken)
    assert not seed.positive
    assert prediction[int(seed.y), int(seed.x)]
    assert taken[int(seed.y), int(seed.x)]
    assert next_click(truth, truth, taken) is None


def test_a_perfect_answer_needs_one_click_and_a_hopeless_one_all(truth):
    assert count_clicks(KnownEncoding(truth), truth, (0.85, 0.9)) == (1, 1)
    assert count_clicks(KnownEncoding(~truth), truth, (0.85, 0.9)) == (MAX_CLICKS, MAX_CLICKS)


def test_scores_tell_the_chosen_level_from_the_best(truth):
    good = score_object(KnownEncoding(truth), truth, "x", count=True)
    assert (good.iou, good.best_level_iou, good.best_iou, good.clicks_85) == (1.0, 1.0, 1.0, 1)
    wrong = score_object(KnownEncoding(truth, scores=(0.9, 0.2)), truth, "x", count=False)
    assert wrong.iou == pytest.approx(25 / 600)
    assert wrong.best_level_iou == 1.0
    assert wrong.area_share == pytest.approx(0.3)


def test_a_data_set_is_averaged_over_its_objects(tmp_path):
    (dataset,) = load_dataset(write_coco_folder(tmp_path / "set", pictures=2))
    answers = [
        np.any([o.mask.to_full(picture.height, picture.width) for o in picture.objects], axis=0)
        for picture in dataset.pictures
    ]
    progress = []
    report, scores = evaluate_clicks(
        KnownSegmenter(answers), dataset, on_progress=lambda done, total: progress.append((done, total))
    )
    assert report.objects == len(scores) == 6
    assert report.iou == pytest.approx(np.mean([s.iou for s in scores]))
    assert 0 < report.iou < 0.6
    assert progress == [(1, 2), (2, 2)]
    short, _ = evaluate_clicks(KnownSegmenter(answers), dataset, count_clicks_needed=False)
    assert short.noc_85 is None


def test_small_objects_are_left_out(tmp_path):
    from dataclasses import replace

    from converters.annotation import Mask
    from models.data.dataset import AnnotatedObject

    (dataset,) = load_dataset(write_coco_folder(tmp_path / "set", pictures=1))
    tiny = AnnotatedObject(Mask(3, 3, np.ones((2, 2), bool)), 0)
    picture = replace(dataset.pictures[0], objects=(tiny,))
    report, _ = evaluate_clicks(KnownSegmenter([]), replace(dataset, pictures=(picture,)))
    assert report.objects == 0
    assert report.iou == 0.0


def test_seeds_of_the_protocol_lie_on_pixel_centres(truth):
    seed = next_click(np.zeros_like(truth), truth, np.zeros_like(truth))
    assert (seed.x % 1, seed.y % 1) == (0.5, 0.5)
    assert isinstance(seed, Seed)
