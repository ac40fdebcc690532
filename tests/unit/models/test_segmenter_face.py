"""The promises of the segmenter's face, kept by the shipped weights on real photographs."""

import itertools
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from converters.files.images import read_image
from models import (
    Cancelled,
    Seed,
    SeedOutsideError,
    SegmenterError,
    ThresholdError,
    WeightsError,
    load_segmenter,
)
from models.seednet.click.outline import EdgeGuide
from models.seednet.network import SeedNet, SeedNetConfig
from models.weights import WeightsInfo, read_weights, save_weights

SAMPLES = Path(__file__).resolve().parents[3] / "resources" / "samples"
CUP = Seed(300.0, 190.0)


@pytest.fixture(scope="module")
def segmenter():
    return load_segmenter("seednet", device="cpu")


@pytest.fixture(scope="module")
def image():
    return read_image(SAMPLES / "coffee.jpg")


@pytest.fixture(scope="module")
def encoding(segmenter, image):
    return segmenter.encode(image)


def test_similarity_is_one_at_the_seed_and_stays_between_zero_and_one(encoding, image):
    for level in (None, 0, 1, 2):
        similarity = encoding.similarity([CUP], level)
        assert similarity.shape == image.shape[:2]
        assert similarity.dtype == np.float32
        assert similarity.min() >= 0.0
        assert similarity.max() == 1.0
        assert similarity[190, 300] == 1.0


def test_the_mask_is_where_similarity_reaches_tau(encoding):
    for tau in (0.2, 0.5, 0.8):
        mask = encoding.mask([CUP], tau=tau, level=1)
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, encoding.similarity([CUP], level=1) >= tau)


def test_higher_tau_never_adds_a_pixel(encoding):
    masks = [encoding.mask([CUP], tau=tau) for tau in np.linspace(0.05, 0.95, 19)]
    for larger, smaller in itertools.pairwise(masks):
        assert not (smaller & ~larger).any()
    assert masks[0].sum() > masks[-1].sum() > 0


def test_the_suggestion_is_a_threshold_and_the_default(encoding):
    tau = encoding.suggest_tau([CUP])
    assert 0.0 < tau < 1.0
    assert np.array_equal(encoding.mask([CUP]), encoding.mask([CUP], tau=tau))


def test_levels_come_small_to_large_with_a_score_each(encoding):
    scores = encoding.level_scores([CUP])
    assert len(scores) == encoding.level_count == 3
    assert all(0.0 <= s <= 1.0 for s in scores)
    areas = [encoding.mask([CUP], level=k).sum() for k in range(3)]
    # By their cells; outlines that follow the picture's edges may turn levels that are about as large around.
    assert all(smaller <= 1.01 * larger for smaller, larger in itertools.pairwise(areas))
    best = int(np.argmax(scores))
    assert np.array_equal(encoding.mask([CUP]), encoding.mask([CUP], level=best))


def test_a_region_is_a_part_of_the_whole(encoding):
    region = (120, 60, 420, 330)
    whole = encoding.similarity([CUP])
    part = encoding.similarity([CUP], region=region)
    np.testing.assert_allclose(part, whole[60:330, 120:420], atol=2e-2)
    assert encoding.mask([CUP], region=region).shape == (270, 300)


def test_a_preview_has_the_size_asked_for(encoding):
    whole = encoding.mask([CUP])
    small = encoding.mask([CUP], size=(100, 150))
    assert small.shape == (100, 150)
    assert small.mean() == pytest.approx(whole.mean(), rel=0.05)


def test_equal_input_gives_equal_output(segmenter, image, encoding):
    again = segmenter.encode(image)
    assert np.array_equal(again.similarity([CUP]), encoding.similarity([CUP]))
    assert again.suggest_tau([CUP]) == encoding.suggest_tau([CUP])


def test_a_negative_seed_takes_its_surroundings_away_and_only_takes(encoding):
    seeds = [CUP]
    for more in ([], [Seed(120.0, 60.0, positive=False), Seed(60.0, 340.0)]):  # a first click, or several
        seeds += more
        before = encoding.mask(seeds, tau=0.3, level=2)
        rows, columns = np.nonzero(before)
        farthest = int(np.argmax((rows - 190) ** 2 + (columns - 300) ** 2))
        wrong = Seed(float(columns[farthest]) + 0.5, float(rows[farthest]) + 0.5, positive=False)
        mended = encoding.mask([*seeds, wrong], tau=0.3, level=2)
        assert not mended[int(wrong.y), int(wrong.x)]
        assert mended[190, 300]
        assert not (mended & ~before).any()


def test_a_turn_of_tau_draws_no_outline_anew_and_nothing_asked_before_shows(
    segmenter, image, encoding, monkeypatch
):
    seeds, size = [CUP, Seed(120.0, 60.0, positive=False)], (100, 150)
    fresh, drawn, pull = segmenter.encode(image), [], EdgeGuide.pull
    monkeypatch.setattr(EdgeGuide, "pull", lambda *args: drawn.append(args) or pull(*args))
    expected = fresh.similarity(seeds, level=1, size=size)
    once = len(drawn)
    before = fresh.nbytes
    for tau in (0.3, 0.4, 0.5):
        assert np.array_equal(fresh.mask(seeds, tau=tau, level=1, size=size), expected >= tau)
    assert len(drawn) == once > 0
    fresh.similarity(seeds, level=1, size=size)[:] = 0.5  # a caller may do with it what it likes
    fresh.similarity([CUP], level=1, size=size)[:] = 0.5
    for other in range(10):
        fresh.mask([CUP, Seed(20.0 + other, 30.0, positive=False)], level=1, size=size)
    assert np.array_equal(fresh.similarity(seeds, level=1, size=size), expected)
    assert np.array_equal(encoding.similarity(seeds, level=1, size=size), expected)
    monkeypatch.setattr("models.seednet.encoding.KEPT_PIXELS", 4 * expected.size)
    fresh.mask(seeds, tau=0.3, level=1)  # every pixel: too large to keep, and no reason to forget the rest
    once = len(drawn)
    fresh.mask(seeds, tau=0.3, level=1, size=size)
    assert len(drawn) == once
    assert fresh.nbytes - before < 11 * 3 * 168 * 224 * 4 + 3 * expected.nbytes  # answers, and a few maps


def test_more_positive_seeds_keep_what_the_best_level_had(encoding):
    # Not so a level by its number: with every click the levels are judged and ordered anew.
    other = Seed(60.0, 340.0)
    both = encoding.mask([CUP, other])
    assert both[340, 60]
    assert both[190, 300]
    one = encoding.mask([CUP])
    assert np.count_nonzero(one & ~both) < 0.05 * np.count_nonzero(one)


def test_a_click_reaches_no_farther_than_it_says(encoding):
    for seed in (CUP, Seed(60.0, 340.0), Seed(450.0, 60.0)):
        for level in range(3):
            tau = encoding.suggest_tau([seed], level)
            x0, y0, x1, y1 = encoding.reach(seed, tau, level)
            whole = encoding.mask([seed], tau, level)
            assert np.array_equal(encoding.mask([seed], tau, level, (x0, y0, x1, y1)), whole[y0:y1, x0:x1])
            whole[y0:y1, x0:x1] = False
            assert not whole.any()


def test_coordinates_may_be_numbers_of_numpy(encoding):
    places = np.array([[CUP.x, CUP.y], [60.0, 340.0]])
    seeds = [Seed(*places[0]), Seed(*places[1], positive=False)]
    plain = [CUP, Seed(60.0, 340.0, positive=False)]
    assert np.array_equal(encoding.mask(seeds, tau=0.4), encoding.mask(plain, tau=0.4))


def test_a_click_on_the_cup_selects_the_cup(encoding):
    mask = encoding.mask([CUP])
    assert 0.02 < mask.mean() < 0.6
    assert not mask[5, 5]


@pytest.mark.parametrize("tau", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_tau_outside_its_range_is_refused(encoding, tau):
    with pytest.raises(ThresholdError, match="between 0 and 1"):
        encoding.mask([CUP], tau=tau)


@pytest.mark.parametrize("seed", [Seed(-1, 5), Seed(5, 100000), Seed(600.0, 10.0)])
def test_a_seed_outside_the_picture_is_refused(encoding, seed):
    with pytest.raises(SeedOutsideError, match="outside the picture"):
        encoding.similarity([seed])
    with pytest.raises(ValueError, match="outside"):
        encoding.suggest_tau([CUP, seed])


def test_without_a_positive_seed_there_is_nothing_to_grow(encoding):
    with pytest.raises(SegmenterError, match="positive seed"):
        encoding.mask([Seed(5, 5, positive=False)])


def test_a_part_of_the_picture_is_encoded_by_itself(segmenter, image):
    region = (200, 100, 420, 300)
    part = segmenter.encode(image, region=region)
    assert (part.height, part.width, part.region) == (*image.shape[:2], region)
    assert part.input_side == segmenter.encode(image).input_side
    similarity = part.similarity([CUP])
    assert similarity.shape == image.shape[:2]
    outside = np.ones(image.shape[:2], bool)
    outside[100:300, 200:420] = False
    assert similarity[outside].max() == 0.0
    with pytest.raises(SeedOutsideError):
        part.mask([Seed(10, 10)])


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (400, 2), (33, 47)])
def test_pictures_of_any_shape_are_encoded(segmenter, shape):
    encoding = segmenter.encode(np.full((*shape, 3), 90, np.uint8))
    mask = encoding.mask([Seed(shape[1] / 2, shape[0] / 2)])
    assert mask.shape == shape
    assert isinstance(encoding.instances(), list)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_what_is_no_picture_is_refused(segmenter, picture):
    with pytest.raises(SegmenterError, match="uint8"):
        segmenter.encode(picture)


def test_an_empty_region_is_refused(segmenter, image):
    with pytest.raises(SegmenterError, match="outside the picture"):
        segmenter.encode(image, region=(700, 10, 800, 20))


def test_encoding_can_be_cancelled(segmenter, image):
    with pytest.raises(Cancelled):
        segmenter.encode(image, should_stop=lambda: True)


def test_automatic_objects_can_be_asked_for_again_by_their_seed(encoding):
    found = encoding.instances(min_score=0.2)
    assert found
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    for prediction in found[:5]:
        mask = encoding.mask([prediction.seed], prediction.tau, prediction.level)
        full = prediction.mask.to_full(encoding.height, encoding.width)
        common = np.count_nonzero(mask & full) / np.count_nonzero(mask | full)
        assert common > 0.97


def test_automatic_objects_are_not_found_twice(encoding):
    masks = [p.mask.to_full(encoding.height, encoding.width) for p in encoding.instances(min_score=0.1)]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert np.count_nonzero(a & b) / np.count_nonzero(a | b) < 0.8


def test_memory_is_counted(encoding):
    assert 1e6 < encoding.nbytes < 200e6


def test_unknown_models_and_devices_are_named():
    with pytest.raises(SegmenterError, match='"nonsense"; there are: seednet'):
        load_segmenter("nonsense")
    with pytest.raises(SegmenterError, match="cannot be used here"):
        load_segmenter("seednet", device="no-such-device")


def test_missing_damaged_and_foreign_weights_are_told_apart(tmp_path):
    with pytest.raises(WeightsError, match="no such weights file"):
        load_segmenter("seednet", weights=tmp_path / "gone.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not json")
    with pytest.raises(WeightsError, match="damaged"):
        load_segmenter("seednet", weights=damaged)
    foreign = tmp_path / "foreign.safetensors"
    save_weights(foreign, torch.nn.Linear(2, 2), WeightsInfo("seednet", "x", asdict(SeedNetConfig())))
    with pytest.raises(WeightsError, match="another network"):
        load_segmenter("seednet", weights=foreign)
    other = tmp_path / "other.safetensors"
    save_weights(other, torch.nn.Linear(2, 2), WeightsInfo("yolact", "x"))
    with pytest.raises(WeightsError, match="holds a yolact model"):
        load_segmenter("seednet", weights=other)


def test_a_torch_file_with_code_in_it_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "trap.pt"
    torch.save({"network": Trap()}, path)
    with pytest.raises(WeightsError, match="runs no code"):
        read_weights(path)
    assert not (tmp_path / "sprung").exists()


def test_half_size_weights_answer_almost_the_same(tmp_path, image):
    config = SeedNetConfig(width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16)
    torch.manual_seed(0)
    network = SeedNet(config, pretrained_backbone=False)
    info = WeightsInfo("seednet", "x", asdict(config))
    for name, half in (("full", False), ("half", True)):
        save_weights(tmp_path / f"{name}.safetensors", network, info, half=half)
    full, half = (
        load_segmenter("seednet", weights=tmp_path / f"{name}.safetensors", device="cpu")
        .encode(image[:64, :64])
        .similarity([Seed(30, 30)], level=1)
        for name in ("full", "half")
    )
    assert np.abs(full - half).max() < 0.05
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.55 * sizes[0]
