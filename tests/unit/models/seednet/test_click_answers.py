"""Answers to several clicks: judged together as one by one, and asked once."""

import numpy as np
import pytest
import torch

from converters.annotation import Seed
from models.grid.frame import GridFrame
from models.seednet.click import answers as click_answers
from models.seednet.click.answers import ClickAnswers
from models.seednet.network import SeedNet, SeedNetConfig

SMALL = SeedNetConfig(
    width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16, refiner=8, cut_scorer=8
)
CUP, SAUCER, TABLE = Seed(40.0, 30.0), Seed(70.0, 50.0), Seed(15.0, 55.0, positive=False)
CORNER = Seed(90.0, 5.0, positive=False)


class CountingNetwork(SeedNet):
    """Tells how often it was asked and how many masks it judged at once."""

    def __init__(self, config):
        super().__init__(config, pretrained_backbone=False)
        self.asked, self.judged = [], []

    def ask(self, view, points, mirror=None):
        self.asked.append(len(points))
        return super().ask(view, points, mirror)

    def judge(self, features, query, *more):
        self.judged.append(len(query.bias))
        return super().judge(features, query, *more)


def make_network(config=SMALL):
    torch.manual_seed(0)
    network = CountingNetwork(config).eval().requires_grad_(False)
    if network.refiner is not None:
        torch.nn.init.normal_(network.refiner.delta.weight)
    return network


def make_answers(network):
    frame = GridFrame.fit((0, 0, 96, 64), long_side=96, stride=4)
    picture = torch.randint(0, 256, (1, 3, 64, 96), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        features = network.features(picture.to(torch.uint8))
        mirror = network.view(picture[:, :, ::2, ::2].flip(3).to(torch.uint8))
    return ClickAnswers(network, features, mirror, frame)


@pytest.fixture
def network():
    return make_network()


def same(a, b):
    np.testing.assert_allclose(a.logits, b.logits, atol=1e-4)
    np.testing.assert_allclose(a.ious, b.ious, atol=1e-5)


def test_what_is_judged_together_is_what_is_judged_alone(network):
    together = make_answers(network)
    seeds = [CUP, SAUCER, TABLE]
    found = together.answers(seeds, seeds)
    assert network.judged == [4]
    found.append(together.answer(CUP, [CUP, SAUCER]))
    assert network.judged == [4]
    same(found[0], make_answers(network).answer(CUP, [CUP, TABLE, SAUCER]))
    same(found[1], make_answers(network).answer(SAUCER, [SAUCER]))
    as_positive = Seed(TABLE.x, TABLE.y)
    same(found[2], make_answers(network).answer(as_positive, [as_positive]))
    same(found[3], make_answers(network).answer(CUP, [CUP, SAUCER]))


def test_other_clicks_change_the_first_ones_answer_alone(network):
    answers = make_answers(network)
    alone, mended = answers.answer(CUP, [CUP]), answers.answer(CUP, [CUP, TABLE])
    assert not np.allclose(alone.logits, mended.logits, atol=1e-3)
    same(answers.answer(SAUCER, [CUP, SAUCER]), answers.answer(SAUCER, [SAUCER]))


def test_a_place_is_asked_once(network):
    answers = make_answers(network)
    for seeds in ([CUP], [CUP, TABLE], [CUP, TABLE, SAUCER], [CUP, TABLE, SAUCER, CORNER]):
        answers.answer(CUP, seeds)
    assert network.asked == [1]
    # What a negative click may only take away from was judged when the one before it came.
    assert network.judged == [1, 1, 1, 1]
    answers.answers([TABLE, SAUCER], [CUP, TABLE, SAUCER])
    answers.answers([SAUCER, CUP, TABLE], [CUP, TABLE, SAUCER])
    assert network.asked == [1, 2]
    assert network.judged == [1, 1, 1, 1, 2]


def test_the_first_click_is_asked_once_however_many_follow(network):
    answers = make_answers(network)
    clicks = [CUP, *(Seed(x, 50.0, positive=x % 20 > 0) for x in range(5, 90, 15))]
    for count in range(1, len(clicks) + 1):
        answers.answers(clicks[:count], clicks[:count])
    for x in range(10, 90, 15):  # the mouse moves
        moved = [CUP, Seed(x + 0.5, 20.0)]
        answers.answers(moved, moved)
    assert set(network.asked) == {1}
    assert len(network.asked) == len(clicks) + 6


def test_without_a_refiner_each_click_is_judged_by_itself():
    network = make_network(SeedNetConfig(**{f: getattr(SMALL, f) for f in SMALL.__slots__} | {"refiner": 0}))
    answers = make_answers(network)
    answers.answer(CUP, [CUP])
    known = answers.answer(CUP, [CUP, TABLE])
    assert network.judged == [1]
    answers.answer(TABLE, [CUP, TABLE])
    assert network.judged == [1, 1]
    same(known, answers.answer(CUP, [CUP]))


def test_levels_are_sorted_by_area(network):
    for answer in make_answers(network).at_points([(20.0, 20.0), (60.0, 40.0), (90.0, 60.0)]):
        areas = [np.count_nonzero(answer.mask(h)) for h in answer.best_per_level()]
        assert areas == sorted(areas)


def test_memory_is_bounded_and_told(network, monkeypatch):
    monkeypatch.setattr(click_answers, "CACHED_ANSWERS", 6)
    answers = make_answers(network)
    before = answers.nbytes
    for x in range(10):
        answers.answer(Seed(x + 0.5, 30.0), [Seed(x + 0.5, 30.0)])
    one = answers.answer(Seed(9.5, 30.0), [Seed(9.5, 30.0)]).logits.nbytes
    assert answers.nbytes == before + (6 + click_answers.CACHED_ASKS) * one


def test_a_place_is_judged_once_whichever_sign_its_click_has(network):
    answers = make_answers(network)
    answers.answers([CUP, SAUCER], [CUP, SAUCER])
    network.judged.clear()
    without = Seed(SAUCER.x, SAUCER.y, positive=False)
    answers.answer(without, [CUP, without])
    assert not network.judged
