"""The promises of the segmenter's face, kept by the three embedding networks, small and untrained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models import Cancelled, Seed, SeedOutsideError, SegmenterError, ThresholdError, WeightsError
from models.networks.deep_metric_learning.family import DEEP_METRIC_LEARNING
from models.networks.deep_metric_learning.network import DeepMetricConfig
from models.networks.embedmask.family import EMBEDMASK
from models.networks.embedmask.network import EmbedMaskConfig
from models.networks.loading import load_segmenter
from models.networks.registry import find_architecture
from models.networks.spatial_embeddings.family import SPATIAL_EMBEDDINGS
from models.networks.spatial_embeddings.network import SpatialEmbeddingsConfig
from models.segmenter import overlaps
from models.weights import save_weights

RESNET = {"backbone": "resnet-18", "resnet_width": 8, "width": 16, "long_side": 96}
CATEGORIES = ("cat", "dog", "hat")
SEED = Seed(30.0, 22.0)


def trainable(kind, categories=CATEGORIES, start=None):
    if kind == "deep-metric-learning":
        config = DeepMetricConfig(**RESNET, embedding=8)
        return DEEP_METRIC_LEARNING.trainable(categories, config=config, start=start)
    if kind == "unsquared":
        config = DeepMetricConfig(**RESNET, embedding=8, squared=False)
        return DEEP_METRIC_LEARNING.trainable(categories, config=config, start=start)
    if kind == "embedmask":
        return EMBEDMASK.trainable(
            categories, config=EmbedMaskConfig.arxiv(**RESNET, convolutions=1), start=start
        )
    if kind == "embedmask-ijcai":
        return EMBEDMASK.trainable(
            categories, config=EmbedMaskConfig.ijcai(**RESNET, convolutions=1), start=start
        )
    sigmas = 2 if kind == "elliptical" else 1
    config = SpatialEmbeddingsConfig(width=0.125, long_side=96, min_pixels=8, sigmas=sigmas)
    return SPATIAL_EMBEDDINGS.trainable(categories, config=config, start=start)


KINDS = (
    "deep-metric-learning",
    "unsquared",
    "embedmask",
    "embedmask-ijcai",
    "spatial-embeddings",
    "elliptical",
)


@pytest.fixture(scope="module", params=KINDS)
def segmenter(request):
    torch.manual_seed(0)
    model = trainable(request.param)
    network = model.network
    with torch.no_grad():  # as if trained: every head has something to say, everywhere something else
        if hasattr(network, "head"):
            network.head.classes.bias.fill_(0.0)
            network.head.sides.bias.fill_(1.0)
        if hasattr(network, "seed_decoder"):
            network.seed_decoder.last.bias.fill_(0.2)
        if hasattr(network, "classifier"):
            network.classifier[1].weight.mul_(8.0)
    build = find_architecture(model.info.architecture).build
    return build(model.info, network.state_dict(), source="a test", device=torch.device("cpu"))


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 80, (75, 96, 3), dtype=np.uint8)
    picture[10:40, 15:50] += np.array([150, 20, 10], np.uint8)
    picture[45:70, 50:90] += np.array([10, 20, 160], np.uint8)
    return picture


@pytest.fixture(scope="module")
def encoding(segmenter, image):
    return segmenter.encode(image)


def test_similarity_is_one_at_the_seed_and_stays_between_zero_and_one(encoding, image):
    similarity = encoding.similarity([SEED])
    assert similarity.shape == image.shape[:2]
    assert similarity.dtype == np.float32
    assert similarity.min() >= 0.0
    assert similarity.max() == 1.0
    assert similarity[22, 30] == 1.0


def test_the_mask_is_where_similarity_reaches_tau_and_shrinks_as_tau_grows(encoding):
    masks = [encoding.mask([SEED], tau=tau) for tau in (0.1, 0.5, 0.9)]
    similarity = encoding.similarity([SEED])
    for tau, mask in zip((0.1, 0.5, 0.9), masks, strict=True):
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, similarity >= tau)
        assert mask[22, 30]


def test_the_suggestion_is_a_threshold_and_the_default(encoding):
    tau = encoding.suggest_tau([SEED])
    assert 0.0 < tau < 1.0
    assert np.array_equal(encoding.mask([SEED]), encoding.mask([SEED], tau=tau))
    scores = encoding.level_scores([SEED])
    assert len(scores) == encoding.level_count == 1
    assert 0.0 <= scores[0] <= 1.0


def test_a_region_is_a_part_of_the_whole_and_a_size_is_kept(encoding):
    whole, region = encoding.similarity([SEED]), (12, 9, 61, 40)
    part = encoding.similarity([SEED], region=region)
    np.testing.assert_allclose(part, whole[9:40, 12:61], atol=1e-4)
    assert encoding.mask([SEED], tau=0.5, region=region).shape == (31, 49)
    assert encoding.similarity([SEED], region=region, size=(10, 7)).shape == (10, 7)


def test_more_seeds_add_and_negative_seeds_take_away(encoding):
    other = Seed(70.0, 60.0)
    one, both = encoding.similarity([SEED]), encoding.similarity([SEED, other])
    larger = np.maximum(one, encoding.similarity([other]))
    assert (both >= larger - 1e-6).all()
    assert both[60, 70] == both[22, 30] == 1.0
    kept = encoding.mask([SEED, Seed(70.0, 60.0, positive=False)], tau=0.3)
    assert not (kept & ~encoding.mask([SEED], tau=0.3)).any()
    assert kept[22, 30]
    assert not kept[60, 70]


def test_equal_input_gives_equal_answers(segmenter, encoding, image):
    again = segmenter.encode(image)
    np.testing.assert_array_equal(again.similarity([SEED]), encoding.similarity([SEED]))
    first, second = encoding.instances(0.1, 20), again.instances(0.1, 20)
    assert [p.score for p in first] == [p.score for p in second]
    assert [p.mask for p in first] == [p.mask for p in second]


def test_found_objects_are_ranked_labelled_and_can_be_asked_for_again(encoding, image):
    found = encoding.instances(min_score=0.05, max_count=15)
    assert 0 < len(found) <= 15
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    for prediction in found:
        assert prediction.label in CATEGORIES
        assert 0.05 <= prediction.score <= 1.0
        assert 0.0 <= prediction.mask_score <= 1.0
        assert not prediction.mask.is_empty
        again = encoding.mask([prediction.seed], prediction.tau)
        np.testing.assert_array_equal(again, prediction.mask.to_full(*image.shape[:2]))
    assert encoding.instances(min_score=1.1) == []


def test_every_pixel_of_the_picture_can_be_clicked(encoding, image):
    height, width = image.shape[:2]
    for x, y in ((0.0, 0.0), (width - 0.01, 0.0), (width - 0.01, height - 0.01), (47.5, height - 0.01)):
        assert encoding.mask([Seed(x, y)])[int(y), int(x)]


def test_a_part_of_the_picture_can_be_encoded_by_itself(segmenter, image):
    part = segmenter.encode(image, region=(10, 5, 60, 45))
    similarity = part.similarity([SEED])
    assert similarity.shape == image.shape[:2]
    assert not similarity[45:].any()
    assert not similarity[:, :10].any()
    with pytest.raises(SeedOutsideError):
        part.similarity([Seed(80.0, 60.0)])


def test_similar_objects_are_the_others_of_the_same_class(encoding):
    first = encoding.instances(min_score=0.1)[0]
    reference = encoding.appearance([first.mask])
    assert reference.labels <= set(CATEGORIES)
    found = encoding.find_similar(reference, known=[first.mask], max_count=5)
    assert len(found) <= 5
    assert {p.label for p in found} <= reference.labels
    assert not any(overlaps(p.mask, first.mask) for p in found)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_wrong_questions_are_refused(segmenter, encoding, image):
    with pytest.raises(ThresholdError):
        encoding.mask([SEED], tau=1.0)
    with pytest.raises(SeedOutsideError):
        encoding.mask([Seed(200.0, 10.0)])
    with pytest.raises(SegmenterError):
        encoding.mask([Seed(10.0, 10.0, positive=False)])
    with pytest.raises(SegmenterError):
        segmenter.encode(image.astype(np.float32))
    with pytest.raises(Cancelled):
        segmenter.encode(image, should_stop=lambda: True)


def test_memory_is_counted(encoding):
    encoding.similarity([SEED])
    assert encoding.nbytes > encoding.feature_bytes > 1000


@pytest.mark.parametrize("name", ["deep-metric-learning", "embedmask", "spatial-embeddings"])
def test_a_fresh_network_is_built_from_its_name_and_categories(name):
    segmenter = load_segmenter(name, device="cpu", categories=("cat", "dog"))
    assert (segmenter.name, segmenter.version) == (name, f"{name}-untrained")
    assert segmenter.categories == ("cat", "dog")
    assert load_segmenter(name, device="cpu").categories == ("object",)


@pytest.mark.parametrize("kind", KINDS[::2])
def test_weights_go_to_a_file_and_come_back(kind, tmp_path, image):
    model = trainable(kind)
    path = tmp_path / "weights.safetensors"
    save_weights(path, model.network, model.info)
    build = find_architecture(model.info.architecture).build
    device = torch.device("cpu")
    direct = build(model.info, model.network.state_dict(), source="a test", device=device)
    loaded = load_segmenter(model.info.architecture, weights=path, device="cpu")
    assert (loaded.version, loaded.categories) == (model.info.version, CATEGORIES)
    np.testing.assert_array_equal(
        loaded.encode(image).similarity([SEED]), direct.encode(image).similarity([SEED])
    )
    with pytest.raises(WeightsError, match="another version"):
        build(replace(model.info, config={"depth": 3}), {}, source="a test", device=device)
    with pytest.raises(WeightsError, match="another network"):
        build(
            replace(model.info, categories=("one",)),
            model.network.state_dict(),
            source="a test",
            device=device,
        )


@pytest.mark.parametrize("kind", KINDS[::2])
def test_other_categories_keep_everything_that_fits(kind):
    old = trainable(kind)
    state = old.network.state_dict()
    new = trainable(kind, ("bird",), start=(old.info, state))
    assert new.info.categories == ("bird",)
    fresh = new.network.state_dict()
    same = [k for k in state if fresh[k].shape == state[k].shape]
    assert all(torch.equal(fresh[k], state[k]) for k in same)
    assert 0 < len(state) - len(same) <= 2, "only the class layer is new"
