"""SeedNet's equation, heads and gradients, against brute force in numpy."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from models.errors import SegmenterError
from models.seednet.features import SeedQuery, read_views, sample_at
from models.seednet.network import (
    COORDINATE_UNIT,
    MARGIN,
    SeedNet,
    SeedNetConfig,
    pixel_grid,
    seed_logits,
    with_squares,
)
from models.seednet.training.lessons import trainable_seednet
from models.weights import WeightsInfo

SMALL = SeedNetConfig(width=16, embedding=6, levels=3, query_hidden=24, scorer_channels=8, scorer_hidden=16)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SeedNet(SMALL, pretrained_backbone=False).eval()


def clicks_at(points, features):
    """The seeds as positive clicks in cells."""
    height, width = features.view.embedding.shape[2:]
    cells = points * torch.tensor([width, height])
    return torch.cat([cells, torch.ones(len(points), 1)], dim=1)[:, None]


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_logits_follow_the_equation_written_above_the_network():
    generator = torch.Generator().manual_seed(3)
    query = SeedQuery(
        center=torch.randn(2, 3, 4, generator=generator) + 9.0,
        bandwidth=torch.rand(2, 3, 4, generator=generator),
        bias=torch.randn(2, 3, generator=generator),
        descriptor=torch.zeros(2, 1),
    )
    embedding = torch.randn(4, 5, 6, generator=generator) + 9.0
    (logits,) = seed_logits(query, with_squares(embedding[None]))
    for s, k, row, column in np.ndindex(2, 3, 5, 6):
        difference = query.center[s, k].double() - embedding[:, row, column].double()
        distance = (query.bandwidth[s, k].double() * difference**2).sum()
        expected = MARGIN + query.bias[s, k].double() - 0.5 * distance
        assert logits[s, k, row, column] == pytest.approx(float(expected), abs=1e-4)


def test_a_part_of_the_picture_gives_the_same_logits(network, images):
    view = network.view(images[:1])
    query = network.query(view, torch.tensor([[0.3, 0.4]]))
    (whole,) = seed_logits(query, view.pixels)
    (part,) = seed_logits(query, view.pixels[:, :, 4:10, 3:12])
    assert torch.allclose(whole[..., 4:10, 3:12], part, atol=1e-4)


def test_samples_are_bilinear_with_the_border_continued():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 5, 7, 9, generator=generator), torch.randn(2, 3, 4, 2, generator=generator)]
    points = torch.rand(40, 2, generator=generator)
    points[0], points[1] = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0])
    pictures = torch.arange(40) % 2
    expected = torch.cat(
        [
            F.grid_sample(
                features[pictures],
                (points * 2 - 1)[:, None, None],
                padding_mode="border",
                align_corners=False,
            ).flatten(1)
            for features in maps
        ],
        dim=1,
    )
    assert torch.allclose(sample_at(maps, pictures, points), expected, atol=1e-5)


def test_grid_gives_pixel_centres_in_coordinate_units():
    grid = pixel_grid(3, 5, torch.device("cpu"))
    assert grid[:, 2, 4].tolist() == pytest.approx([18.0 / COORDINATE_UNIT, 10.0 / COORDINATE_UNIT])


def test_one_by_one_equals_a_batch(images):
    torch.manual_seed(3)
    network = SeedNet(replace(SMALL, refiner=8, cut_scorer=8), pretrained_backbone=False).eval()
    torch.nn.init.normal_(network.refiner.delta.weight)
    torch.nn.init.normal_(network.level_scorer.cuts.correction.weight)
    together, mirror = network.features(images), network.view(images.flip(3))
    points = torch.tensor([[0.2, 0.7], [0.6, 0.1], [0.9, 0.8], [0.4, 0.5]])
    clicks = clicks_at(points, together)
    query, asked = network.ask(together.view, points, mirror)
    answer = network.judge(together, query, asked, clicks)
    for index in range(2):
        picture = images[index : index + 1]
        alone = network.features(picture)
        assert torch.allclose(together.view.embedding[index], alone.view.embedding[0], atol=1e-4)
        mine = slice(2 * index, 2 * index + 2)
        own, masks = network.ask(alone.view, points[mine], network.view(picture.flip(3)))
        assert torch.allclose(query.center[mine], own.center, atol=1e-4)
        other = network.judge(alone, own, masks, clicks[mine])
        assert torch.allclose(answer.scores.ious[mine], other.scores.ious, atol=1e-4)
        assert torch.allclose(answer.logits[mine], other.logits, atol=1e-3)


def test_with_its_mirror_image_a_picture_is_answered_as_the_mirror_image_is(network, images):
    view, mirror = network.view(images[:1]), network.view(images[:1].flip(3))
    points = torch.tensor([[0.2, 0.7], [0.6, 0.1]])
    mirrored = torch.stack([1.0 - points[:, 0], points[:, 1]], dim=1)
    _, here = network.ask(view, points, mirror)
    _, there = network.ask(mirror, mirrored, view)
    _, alone = network.ask(view, points)
    assert not torch.allclose(here, alone, atol=1e-3)
    # The levels keep the order of the picture that was asked first.
    by_mean = [maps.gather(1, _order(maps)[:, :, None, None].expand_as(maps)) for maps in (here, there)]
    assert torch.allclose(by_mean[0], by_mean[1].flip(3), atol=1e-3)


def _order(maps):
    return maps.mean(dim=(2, 3)).argsort(dim=1)


def test_a_mirror_image_may_be_smaller(network, images):
    half = images[:1].float()[..., ::2, ::2].flip(3)
    view, mirror = network.view(images[:1]), network.view(half)
    points = torch.tensor([[0.3, 0.4]])
    _, logits = network.ask(view, points, mirror)
    _, own = network.ask(view, points)
    _, seen = network.ask(mirror, torch.tensor([[0.7, 0.4]]))
    enlarged = F.interpolate(seen.flip(3), size=own.shape[2:], mode="bilinear", align_corners=False)
    assert torch.allclose(logits.sum(dim=1), 0.5 * (own + enlarged).sum(dim=1), atol=1e-3)


def test_padding_moves_no_seed(network, images):
    """A seed reads what lies under it, of the pyramid with the padding and of the embedding without."""
    padded = torch.full((1, 3, 96, 128), 127, dtype=torch.uint8)
    padded[..., :64, :96] = images[:1]
    whole = network.view(padded)
    cut = whole.cropped(16, 24)
    points = torch.tensor([[0.3, 0.4], [0.9, 0.8]])
    assert torch.allclose(
        read_views([cut], [points]),
        read_views([whole], [points * torch.tensor([96 / 128, 64 / 96])]),
        atol=1e-4,
    )
    _, asked = network.ask(cut, points)
    _, expected = network.ask(whole, points * torch.tensor([96 / 128, 64 / 96]))
    assert asked.shape == (2, 3, 16, 24)
    assert torch.allclose(asked, expected[..., :16, :24], atol=1e-3)


def test_bandwidths_are_positive(network, images):
    query = network.query(network.view(images), torch.rand(8, 2))
    assert (query.bandwidth > 0).all()


def test_the_scorer_judges_masks_but_does_not_move_them(network, images):
    features = network.features(images[:1])
    points = torch.tensor([[0.5, 0.5]])
    query, logits = network.ask(features.view, points)
    network.zero_grad()
    network.judge(features, query, logits, clicks_at(points, features)).scores.ious.sum().backward()
    answer = network.seed_head.answer.weight.grad
    assert answer is None or not answer.any()
    assert network.appearance[1].weight.grad.any()
    network.zero_grad()


@pytest.mark.parametrize("refiner", [0, 8])
def test_freezing_the_masks_leaves_what_comes_after_them(refiner):
    network = SeedNet(replace(SMALL, refiner=refiner), pretrained_backbone=False)
    network.freeze_masks()
    learning = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"appearance", "level_scorer"} | ({"refiner"} if refiner else set())


def test_a_fresh_second_look_changes_neither_masks_nor_scores(network, images):
    grown = network.with_second_look(refiner=8, cut_scorer=16).eval()
    assert (grown.config.refiner, grown.config.cut_scorer) == (8, 16)
    assert grown.with_second_look(refiner=16, cut_scorer=32) is grown
    points = torch.tensor([[0.3, 0.4], [0.9, 0.2]])
    answers = []
    for one in (network, grown):
        features = one.features(images[1:])
        query, logits = one.ask(features.view, points)
        answers.append(one.judge(features, query, logits, clicks_at(points, features)))
    assert torch.allclose(answers[0].logits, answers[1].logits, atol=1e-5)
    assert torch.allclose(answers[0].scores.ious, answers[1].scores.ious, atol=1e-5)


def test_features_without_padding_lose_whole_cells_only(images):
    network = SeedNet(replace(SMALL, refiner=8), pretrained_backbone=False).eval()
    cut = network.features(images).cropped(13, 21)
    assert cut.view.embedding.shape[2:] == (13, 21)
    assert cut.appearance.shape[2:] == (7, 11)
    assert [tuple(d.shape[2:]) for d in cut.detail] == [(13, 21), (7, 11), (4, 6)]


def test_weights_that_know_no_mirror_learnt_with_one_of_full_size():
    config = asdict(replace(SMALL, mirror=0.75))
    assert SeedNetConfig.stored(config).mirror == 0.75
    del config["mirror"]
    assert SeedNetConfig.stored(config) == replace(SMALL, mirror=1.0)


def test_another_backbone_keeps_what_still_fits_of_the_weights_it_starts_from(network):
    info = WeightsInfo("seednet", "a", asdict(SMALL))
    with pytest.raises(SegmenterError, match="there are: efficientnet-lite0, efficientnet-lite2"):
        trainable_seednet(("x",), start=(info, network.state_dict()), sizes={"backbone": "resnet-18"})
    model = trainable_seednet(
        ("x",),
        pretrained_backbone=False,
        start=(info, network.state_dict()),
        sizes={"backbone": "efficientnet-lite2"},
    )
    assert model.info.config == {**asdict(SMALL), "backbone": "efficientnet-lite2"}
    old, new = network.state_dict(), model.network.state_dict()
    heads = [k for k in new if k.startswith(("seed_head.", "level_scorer.", "top_down.smooth."))]
    assert heads
    for name in heads:
        torch.testing.assert_close(new[name], old[name])
    early = "backbone._blocks.0._project_conv.weight"  # of the same shape in both
    assert not torch.equal(new[early], old[early])
    assert new["top_down.lateral.3.weight"].shape[1] == 352


def test_crops_follow_the_size_that_pictures_are_seen_at():
    usual = trainable_seednet(("x",), pretrained_backbone=False).crops
    large = trainable_seednet(("x",), pretrained_backbone=False, sizes={"long_side": "1792"}).crops
    assert large.size == 2 * usual.size
    assert large.long_side == pytest.approx([2 * side for side in usual.long_side], abs=1)


@pytest.mark.parametrize("side", ["-896", "0", "63"])
def test_pictures_are_not_scaled_to_nothing(side):
    with pytest.raises(SegmenterError, match="at least 64 pixels"):
        trainable_seednet(("x",), pretrained_backbone=False, sizes={"long_side": side})


@pytest.mark.parametrize("mirror", ["0", "0.03", "1.5", "-0.5"])
def test_a_mirror_image_is_neither_tiny_nor_larger_than_the_picture(mirror):
    with pytest.raises(SegmenterError, match=r"must lie between 0\.04 and 1"):
        trainable_seednet(("x",), pretrained_backbone=False, sizes={"mirror": mirror})


def test_the_same_sizes_take_over_everything(network):
    info = WeightsInfo("seednet", "a", asdict(SMALL))
    model = trainable_seednet(("x",), start=(info, network.state_dict()), sizes={"embedding": "6"})
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name])
