"""A closer look: parts of a picture, what of them counts, and which of several answers stays."""

import numpy as np
import pytest

from converters.annotation import Mask, Seed
from models import Cancelled, load_segmenter
from models.closer_look import look_closer, parts_of
from models.segmenter import Prediction, clip_region

IMAGE = np.zeros((100, 200, 3), np.uint8)


def found(x, y, width, height, score):
    mask = Mask(x, y, np.ones((height, width), np.bool_))
    return Prediction(mask, None, score, score, Seed(x + 0.5, y + 0.5), 0.5)


class Parts:
    """A segmenter that answers every part with what lies wholly or partly in it."""

    def __init__(self, *shown):
        self.shown = shown
        self.encoded = []

    def encode(self, image, region=None, should_stop=None):
        self.encoded.append(region)
        x0, y0, x1, y1 = clip_region(region, *image.shape[:2])

        class Encoded:
            @staticmethod
            def instances(min_score, max_count):
                inside = []
                for p in self.shown:
                    box = max(x0, p.mask.x0), max(y0, p.mask.y0), min(x1, p.mask.x1), min(y1, p.mask.y1)
                    if box[0] < box[2] and box[1] < box[3] and p.score >= min_score:
                        inside.append(found(box[0], box[1], box[2] - box[0], box[3] - box[1], p.score))
                return inside[:max_count]

        return Encoded()


def boxes(predictions):
    return [p.mask.box for p in predictions]


def test_the_parts_overlap_and_cover_the_picture():
    covered = np.zeros((100, 200), np.int64)
    for x0, y0, x1, y1 in parts_of(100, 200):
        assert (x1 - x0, y1 - y0) == (120, 60)
        covered[y0:y1, x0:x1] += 1
    assert covered.min() == 1
    assert covered[50, 100] == 4
    assert parts_of(1, 1) == ((0, 0, 1, 1),) * 4


def test_small_things_of_a_part_join_what_was_found_best_first():
    segmenter = Parts(found(10, 10, 6, 6, 0.7))
    whole = found(20, 5, 160, 80, 0.6)
    result = look_closer(segmenter, IMAGE, [whole])
    assert boxes(result) == [(10, 10, 16, 16), whole.mask.box]
    assert result[0].region == (0, 0, 120, 60)
    assert result[1].region is None
    assert segmenter.encoded == list(parts_of(100, 200))


def test_of_answers_about_one_object_the_best_stays():
    roughly, exactly = found(10, 10, 8, 6, 0.5), found(10, 10, 8, 7, 0.8)
    assert look_closer(Parts(exactly), IMAGE, [roughly])[0].mask.box == exactly.mask.box
    assert boxes(look_closer(Parts(roughly), IMAGE, [exactly])) == [exactly.mask.box]


def test_what_a_part_cuts_off_or_shows_large_does_not_count():
    across = found(110, 10, 20, 8, 0.9)  # reaches out of the left parts and into the right ones
    assert boxes(look_closer(Parts(across), IMAGE, [])) == [across.mask.box]
    everywhere = found(60, 30, 90, 5, 0.9)  # whole in no part
    assert look_closer(Parts(everywhere), IMAGE, []) == []
    at_the_border = found(0, 0, 9, 9, 0.9)
    assert boxes(look_closer(Parts(at_the_border), IMAGE, [])) == [at_the_border.mask.box]
    large = found(10, 10, 40, 40, 0.9)
    assert look_closer(Parts(large), IMAGE, []) == []


def test_scores_and_counts_are_kept_to():
    parts = Parts(found(10, 10, 6, 6, 0.7), found(30, 10, 6, 6, 0.4), found(50, 10, 6, 6, 0.6))
    assert [p.score for p in look_closer(parts, IMAGE, [])] == [0.7, 0.6]
    assert [p.score for p in look_closer(parts, IMAGE, [], max_count=1)] == [0.7]


def test_it_can_be_stopped_between_two_parts():
    parts = Parts()
    with pytest.raises(Cancelled):
        look_closer(parts, IMAGE, [], should_stop=lambda: len(parts.encoded) == 2)
    assert len(parts.encoded) == 2


def test_a_real_network_is_asked_for_the_mask_again_with_the_part():
    image = np.full((96, 128, 3), 90, np.uint8)
    image[20:32, 30:44] = (230, 40, 40)
    segmenter = load_segmenter("seednet")
    result = look_closer(segmenter, image, [], min_score=0.01)
    assert result
    best = result[0]
    again = segmenter.encode(image, region=best.region).mask([best.seed], best.tau, best.level)
    np.testing.assert_array_equal(best.mask.to_full(96, 128), again)
