"""Finding look-alikes: on pictures whose features and answers are known, and by the shipped network."""

import weakref
from pathlib import Path

import numpy as np
import pytest

from converters.annotation import Mask, Seed
from converters.files.images import read_image
from models import SegmenterError, load_segmenter
from models.grid.frame import GridFrame
from models.seednet.click.seed_answer import SeedAnswer
from models.seednet.similar import (
    AppearanceMap,
    SimilarityFinder,
    cosines,
    gap_places,
    look_alike_peaks,
    similarity_scores,
)
from models.segmenter import SIMILAR_FROM, Appearance, Encoding, Prediction, overlaps
from tests.unit.models.evaluation.test_click_protocol import KnownEncoding

HEIGHT, WIDTH = 192, 256
SAMPLES = Path(__file__).resolve().parents[4] / "resources" / "samples"
FRAME = GridFrame.fit((0, 0, WIDTH, HEIGHT), long_side=256, stride=4)


def square(x, y, side=32):
    return Mask(x, y, np.ones((side, side), bool))


RED = [square(16, 16), square(96, 16), square(176, 16), square(16, 128)]
BLUE = [square(96, 96), square(176, 128)]


def hints():
    """Seediness: sure of every other square, not quite flat elsewhere."""
    seediness = np.full(FRAME.grid_size, 0.1, np.float32)
    for mask in (RED + BLUE)[::2]:
        x, y = mask.x0 // 4, mask.y0 // 4
        seediness[y + 2 : y + 7, x + 2 : x + 7] = 0.9
    return seediness


class KnownPicture:
    """Six squares of two kinds; a click on one answers with it, a click elsewhere with a speck."""

    height, width = HEIGHT, WIDTH
    version = "known"

    def __init__(self):
        self.features = np.zeros((4, 12, 16), np.float32)
        self.features[0] = 1.0  # what the whole picture has in common
        for channel, squares in ((1, RED), (2, BLUE)):
            for mask in squares:
                x, y = mask.x0 // 16, mask.y0 // 16
                self.features[channel, y : y + 2, x : x + 2] = 3.0
        self.clicks = 0

    def answer_points(self, points):
        self.clicks += len(points)
        return [self._answer(x, y) for x, y in points]

    def _answer(self, x, y):
        under = [m for m in RED + BLUE if m.contains(x, y)]
        shape = under[0] if under else Mask(int(x) // 8 * 8, int(y) // 8 * 8, np.ones((8, 8), bool))
        cells = shape.to_full(HEIGHT, WIDTH)[2::4, 2::4]
        logits = np.where(cells, 8.0, -8.0).astype(np.float32)[None]
        ious = np.full((1, 6), 0.9 if under else 0.05, np.float32)
        return SeedAnswer(logits, ious, np.array([8.0], np.float32))

    def suggest_tau(self, seeds, level=None):
        return 0.5

    def reach(self, seed, tau, level):
        return 0, 0, WIDTH, HEIGHT

    def mask(self, seeds, tau=None, level=None, region=None):
        x0, y0, x1, y1 = region
        cells = self._answer(seeds[0].x, seeds[0].y).logits[0] > 0
        return np.kron(cells, np.ones((4, 4), bool))[y0:y1, x0:x1]


class Search:
    """The finder of one picture, as an encoding asks it."""

    def __init__(self, picture):
        self.picture = picture
        self.finder = SimilarityFinder(AppearanceMap(picture.features, FRAME), hints())

    def describe(self, objects):
        return self.finder.describe(self.picture, objects)

    def find(self, reference, known=(), least=SIMILAR_FROM, count=100, *, elsewhere=False):
        return self.finder.find(
            self.picture, reference, known=known, elsewhere=elsewhere, min_similarity=least, max_count=count
        )


@pytest.fixture
def picture():
    return KnownPicture()


@pytest.fixture
def finder(picture):
    return Search(picture)


def found_masks(finder, reference, known=(), least=SIMILAR_FROM):
    return [p.mask for p in finder.find(reference, known, least)]


def test_in_another_picture_there_may_be_none(picture):
    """What every picture has in common makes nothing alike there."""
    picture.features[0] = 9.0
    finder = Search(picture)
    green = np.array([[9.0, 0.0, 0.0, 3.0]], np.float32)  # as much of the background as the squares have
    common = np.array([9.0, 0.0, 0.0, 0.0], np.float32)
    stranger = Appearance("known", frozenset({None}), green, common)
    assert finder.find(stranger)
    assert finder.find(stranger, elsewhere=True) == []
    red = finder.describe([RED[0]])
    assert len(red.background) == 4
    assert {p.mask.box for p in finder.find(red, elsewhere=True)} == {mask.box for mask in RED}


def test_a_picture_without_candidates_has_nothing_similar(picture, finder, monkeypatch):
    """Where every click answers with less than an object: an empty table, not an error."""
    reference = finder.describe([RED[0]])
    nothing = SeedAnswer(
        np.full((1, HEIGHT // 4, WIDTH // 4), -8.0, np.float32),
        np.full((1, 6), 0.05, np.float32),
        np.array([8.0], np.float32),
    )
    monkeypatch.setattr(picture, "answer_points", lambda points: [nothing for _ in points])
    assert found_masks(finder, reference) == []
    assert found_masks(finder, reference, known=[RED[0]]) == []


def test_a_red_square_finds_the_other_red_squares(finder):
    reference = finder.describe([RED[0]])
    found = found_masks(finder, reference, known=[RED[0]])
    assert len(found) == 3
    assert all(mask in found for mask in RED[1:])


def test_two_kinds_at_once_find_both(finder):
    reference = finder.describe([RED[0], BLUE[0]])
    assert reference.vectors.shape == (2, 4)
    found = found_masks(finder, reference, known=[RED[0], BLUE[0]])
    assert len(found) == 4
    assert all(mask in found for mask in (*RED[1:], BLUE[1]))


def test_the_most_alike_come_first_and_the_limits_hold(finder):
    reference = finder.describe([BLUE[0]])
    found = finder.find(reference, [BLUE[0]], 0.01)
    scores = [p.score for p in found]
    assert found[0].mask == BLUE[1]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= 3
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert len(finder.find(reference, [BLUE[0]], 0.01, 2)) == 2
    least = scores[1]
    assert all(p.score >= least for p in finder.find(reference, [BLUE[0]], least))


def test_nothing_known_is_found_again_whole_or_in_part(finder):
    reference = finder.describe([RED[0]])
    around = square(0, 0, side=64)
    part = square(100, 20, side=16)
    found = found_masks(finder, reference, known=[around, part], least=0.01)
    assert RED[0] not in found
    assert RED[1] not in found
    assert RED[2] in found


def test_a_second_search_asks_only_where_it_must(finder, picture):
    before = finder.finder.nbytes
    finder.find(finder.describe([RED[0]]))
    first = picture.clicks
    finder.find(finder.describe([BLUE[0]]))
    assert picture.clicks - first < first / 2
    assert finder.finder.nbytes > before


def test_another_picture_is_searched_by_the_same_description(finder):
    other = KnownPicture()
    other.features[3] += 0.3  # another light
    there = Search(other)
    found = found_masks(there, finder.describe([RED[0]]))
    assert len(found) == 4
    assert all(mask in found for mask in RED)


def test_an_object_outside_the_encoded_part_describes_nothing(finder):
    reference = finder.describe([square(400, 400)])
    assert reference.vectors.shape == (0, 4)
    assert finder.find(reference) == []


def test_pooling_is_the_mean_inside_the_mask():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, 12, 16)).astype(np.float32)
    masks = rng.random((3, *FRAME.grid_size)) < 0.3
    pooled = AppearanceMap(features, FRAME).pool(masks)
    fine = features.repeat(4, axis=1).repeat(4, axis=2)
    for mask, vector in zip(masks, pooled, strict=True):
        assert vector == pytest.approx(fine[:, mask].mean(axis=1), abs=1e-5)


def test_a_mask_covers_the_cells_it_fills_by_half_and_never_none():
    cells = AppearanceMap(np.zeros((1, 12, 16), np.float32), FRAME)
    filled = cells.cells_of(Mask(8, 4, np.ones((8, 11), bool)), HEIGHT, WIDTH)
    rows, columns = np.nonzero(filled)
    assert set(rows) == {1, 2}
    assert set(columns) == {2, 3, 4}
    speck = cells.cells_of(Mask(9, 4, np.ones((1, 1), bool)), HEIGHT, WIDTH)
    assert speck.sum() == 1
    assert speck[1, 2]


def test_cosines_take_the_nearest_reference():
    references = np.array([[1, 0], [0, 2]], np.float32)
    vectors = np.array([[3, 0], [0, 1], [1, 1], [-1, 0], [0, 0]], np.float32)
    assert cosines(references, vectors) == pytest.approx([1.0, 1.0, np.sqrt(0.5), 0.0, 0.0], abs=1e-6)


def test_likeness_and_a_better_mask_raise_the_similarity():
    grid = np.linspace(0.05, 1.0, 20, dtype=np.float32)
    one = np.ones_like(grid)
    for scores in (
        similarity_scores(grid, one, one),
        similarity_scores(one, grid, one),
        similarity_scores(one, one, grid),
    ):
        assert (np.diff(scores) > 0).all()
        assert scores.min() > 0.0
        assert scores.max() < 1.0


def test_gaps_are_filled_where_something_may_lie_and_no_peak_is_near():
    seediness = np.full((48, 60), 0.2, np.float32)
    everywhere = gap_places(seediness, [])
    assert len(everywhere) == 4 * 5
    assert set(everywhere) == {(r, c) for r in range(6, 48, 12) for c in range(6, 60, 12)}
    left = gap_places(seediness, [(18, 25)])
    assert set(everywhere) - set(left) == {(18, 18), (18, 30)}
    assert gap_places(np.full((48, 60), 0.01, np.float32), []) == []


def test_peaks_come_best_first_and_apart():
    alike = np.zeros((8, 10), np.float32)
    alike[2, 3], alike[2, 4], alike[6, 8] = 0.9, 0.8, 0.7
    assert look_alike_peaks(alike) == [(2, 3), (6, 8)]
    assert look_alike_peaks(np.full((3, 3), -1.0, np.float32)) == []


class LabelledEncoding(KnownEncoding):
    """A network that knows classes, with four objects."""

    def __init__(self):
        super().__init__(np.zeros((HEIGHT, WIDTH), bool))

    def instances(self, min_score=0.5, max_count=100):
        facts = [(RED[0], "cat", 0.9), (RED[1], "dog", 0.8), (RED[2], "cat", 0.7), (BLUE[0], "cat", 0.3)]
        made = [Prediction(m, label, score, score, Seed(m.x0, m.y0), 0.5) for m, label, score in facts]
        return [p for p in made if p.score >= min_score][:max_count]


def test_networks_that_know_classes_answer_by_class():
    encoding = LabelledEncoding()
    reference = encoding.appearance([square(18, 18)])
    assert reference.labels == {"cat"}
    found = encoding.find_similar(reference, known=[square(18, 18)])
    assert [p.mask for p in found] == [RED[2], BLUE[0]]
    assert [p.mask for p in encoding.find_similar(reference, known=[RED[0]], min_similarity=0.5)] == [RED[2]]
    assert len(encoding.find_similar(reference, max_count=1)) == 1


def test_what_no_class_is_seen_at_finds_nothing():
    encoding = LabelledEncoding()
    reference = encoding.appearance([BLUE[1]])
    assert reference.labels == set()
    assert encoding.find_similar(reference) == []


def test_another_version_s_description_is_refused():
    with pytest.raises(SegmenterError, match="other-7"):
        LabelledEncoding().find_similar(Appearance("other-7", frozenset({"cat"})))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (square(16, 16), True),
        (square(20, 20, 10), True),
        (square(0, 0, 100), True),
        (square(26, 16), True),
        (square(40, 16), False),
        (square(100, 100), False),
        (Mask(16, 16, np.zeros((0, 0), bool)), False),
    ],
)
def test_overlapping_means_one_object_or_a_part_of_it(other, expected):
    assert overlaps(RED[0], other) is expected
    assert overlaps(other, RED[0]) is expected


@pytest.fixture(scope="module")
def segmenter():
    return load_segmenter("seednet", device="cpu")


@pytest.fixture(scope="module")
def cups(segmenter) -> tuple[Encoding, Mask]:
    """Two copies of a photograph of a cup side by side, and the mask of the left cup."""
    photo = read_image(SAMPLES / "coffee.jpg")
    encoding = segmenter.encode(np.concatenate([photo, photo], axis=1))
    return encoding, Mask.from_full(encoding.mask([Seed(300.0, 190.0)]))


def test_the_shipped_network_finds_the_other_cup(cups):
    encoding, cup = cups
    before = encoding.nbytes
    found = encoding.find_similar(encoding.appearance([cup]), known=[cup])
    moved = Mask(cup.x0 + encoding.width // 2, cup.y0, cup.array)
    assert overlaps(found[0].mask, moved)
    assert not any(overlaps(p.mask, cup) for p in found if p.score > SIMILAR_FROM)
    assert encoding.nbytes > before


def test_a_find_can_be_asked_for_again_by_its_seed(cups):
    encoding, cup = cups
    for p in encoding.find_similar(encoding.appearance([cup]), max_count=3):
        again = encoding.mask([p.seed], p.tau, p.level)
        assert Mask.from_full(again) == p.mask
        assert p.label is None
        assert 0.0 <= p.mask_score <= 1.0


def test_an_encoding_that_was_searched_goes_when_nobody_holds_it(segmenter):
    """Searching a folder makes one encoding after the other: none may wait for the collection of cycles."""
    photo = read_image(SAMPLES / "coffee.jpg")
    encoding = segmenter.encode(photo)
    encoding.find_similar(encoding.appearance([square(280, 170)]), max_count=1)
    gone = weakref.ref(encoding)
    del encoding
    assert gone() is None
