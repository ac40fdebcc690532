"""SeedNet's level scorer: what it pools, against loops in numpy; what it corrects and what learns."""

import numpy as np
import pytest
import torch

from models.seednet.cut_scorer import CutScorer
from models.seednet.level_scorer import LevelScorer
from models.seednet.pooling import quarters_of
from models.seednet.scores import THRESHOLDS, LevelScores, Surroundings

CHANNELS, KINDS, DESCRIPTOR, HIDDEN = 3, 5, 7, 11


def make_scorer(cuts, *, click_depth=True):
    torch.manual_seed(0)
    return LevelScorer(
        levels=3,
        channels=CHANNELS,
        backbone_channels=KINDS,
        descriptor=DESCRIPTOR,
        hidden=HIDDEN,
        context=0,
        cuts=cuts,
        click_depth=click_depth,
    ).eval()


@pytest.fixture
def scene():
    """Two seeds with three levels on 13 x 18 cells; the backbone's map reaches beyond them."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn((2, 3, 13, 18), generator=generator) * 3.0
    appearance = torch.randn((1, CHANNELS, 7, 9), generator=generator)
    kinds = torch.randn((1, KINDS, 6, 8), generator=generator) * 4.0
    descriptor = torch.randn((2, DESCRIPTOR), generator=generator)
    bias = torch.randn((2, 3), generator=generator)
    seeds = torch.tensor([[3.5, 8.2], [17.9, 12.9]])
    return logits, descriptor, bias, seeds, Surroundings.of(appearance, appearance.mean(dim=(2, 3)), kinds)


def halved(map_):
    """Means of 2 x 2 cells; at the far border of what is left of them."""
    height, width = map_.shape
    out = np.zeros((-(-height // 2), -(-width // 2)))
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = map_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean()
    return out


def ring(map_, radius):
    out = np.zeros_like(map_)
    for row, column in np.ndindex(map_.shape):
        near = map_[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1]
        out[row, column] = max(0.0, near.max() - map_[row, column])
    return out


def mean_under(weight, features):
    return (features * weight).sum(axis=(1, 2)) / (weight.sum() + 1e-3)


def test_a_level_takes_its_best_threshold_and_the_iou_there():
    ious = torch.full((1, 1, len(THRESHOLDS)), 0.2)
    ious[0, 0, 3] = 0.9
    scores = LevelScores(ious)
    assert scores.iou.item() == pytest.approx(0.9)
    assert scores.threshold.item() == pytest.approx(THRESHOLDS[3], abs=0.05)


def test_a_cut_is_described_by_what_lies_inside_around_and_between(scene):
    logits, surroundings = scene[0], scene[4]
    scorer = CutScorer(channels=CHANNELS, backbone_channels=KINDS, level=HIDDEN, width=4, click_depth=False)
    described = scorer._described(
        quarters_of(logits[:, :, None] > torch.tensor(THRESHOLDS)[:, None, None]), surroundings
    )
    appearance = surroundings.appearance[0].numpy().T.reshape(CHANNELS, 7, 9)
    kinds = surroundings.backbone_features[0].numpy()[:4, :5].transpose(2, 0, 1)
    fine = [halved((logits[1, 2].numpy() > t).astype(float)) for t in THRESHOLDS]
    coarse = [halved(m) for m in fine]
    for at in range(len(THRESHOLDS)):
        added = ring(coarse[0], 1) if at == 0 else coarse[at - 1] - coarse[at]
        lost = coarse[at] - (coarse[at + 1] if at + 1 < len(coarse) else 0.0)
        wanted = [
            mean_under(fine[at], appearance),
            mean_under(ring(fine[at], 2), appearance),
            *(mean_under(w, kinds) for w in (coarse[at], ring(coarse[at], 1), added, lost)),
        ]
        got = described[1, 2, at, : -CutScorer.STATISTICS].numpy()
        np.testing.assert_allclose(got, np.concatenate(wanted), atol=2e-4)


def test_each_cell_of_the_backbone_is_brought_to_mean_0_and_deviation_1():
    kinds = torch.randn((1, KINDS, 3, 4), generator=torch.Generator().manual_seed(1)) * 4.0 + 2.0
    appearance = torch.randn((1, CHANNELS, 6, 8), generator=torch.Generator().manual_seed(2))
    seen = Surroundings.of(appearance, appearance.mean(dim=(2, 3)), kinds)
    plain = kinds[0].numpy()
    wanted = (plain - plain.mean(axis=0)) / np.sqrt(plain.var(axis=0) + 1e-5)
    np.testing.assert_allclose(seen.backbone_features[0].numpy().transpose(2, 0, 1), wanted, atol=1e-5)
    np.testing.assert_array_equal(seen.appearance[0, 8].numpy(), appearance[0, :, 1, 0].numpy())
    np.testing.assert_allclose(seen.squares.numpy(), seen.appearance.numpy() ** 2)


def test_the_shape_of_a_cut_is_told(scene):
    surroundings = scene[4]
    logits = torch.full((1, 1, 12, 16), -9.0)
    logits[0, 0, 4:8, 6:14] = 9.0  # 2 x 4 cells of 6 x 8 after halving, away from the border
    scorer = CutScorer(channels=CHANNELS, backbone_channels=KINDS, level=HIDDEN, width=4, click_depth=False)
    appearance = torch.zeros((1, CHANNELS, 6, 8))
    kinds = surroundings.backbone_features.permute(0, 3, 1, 2)
    described = scorer._described(
        quarters_of(logits[:, :, None] > torch.tensor(THRESHOLDS)[:, None, None]),
        Surroundings.of(appearance, appearance[:, :, 0, 0], kinds),
    )
    facts = described[0, 0, 2, -CutScorer.STATISTICS :]
    wanted = [np.log(8.25) / 5, np.log(8 / 48 + 1e-4) / 5, 1.0, np.log(3 / 5), 12 / 3 / 6, 0.0]
    np.testing.assert_allclose(facts.numpy(), wanted, atol=1e-5)


def test_a_fresh_cut_scorer_corrects_nothing(scene):
    with_cuts, without = make_scorer(8), make_scorer(0)
    without.load_state_dict({k: v for k, v in with_cuts.state_dict().items() if not k.startswith("cuts.")})
    torch.testing.assert_close(with_cuts(*scene).ious, without(*scene).ious)


def test_where_the_seed_lies_in_a_mask_counts_once_it_is_looked_at(scene):
    logits = torch.full((1, 3, 12, 16), -9.0)
    logits[:, :, 2:10, 2:14] = 9.0
    _, descriptor, bias, _, surroundings = scene
    surroundings = Surroundings.of(
        torch.zeros((1, CHANNELS, 6, 8)),
        torch.zeros((1, CHANNELS)),
        surroundings.backbone_features.permute(0, 3, 1, 2),
    )

    def scores(scorer, x, y):
        return scorer(logits, descriptor[:1], bias[:1], torch.tensor([[x, y]]), surroundings).ious

    scorer = make_scorer(8)
    torch.nn.init.normal_(scorer.cuts.correction.weight)
    torch.testing.assert_close(scores(scorer, 8.0, 6.0), scores(scorer, 2.5, 2.5))
    torch.nn.init.normal_(scorer.cuts.depth.weight)
    middle = scores(scorer, 8.0, 6.0)
    torch.testing.assert_close(middle, scores(scorer, 7.0, 5.5))  # as deep
    assert not torch.allclose(middle, scores(scorer, 2.5, 2.5))
    assert torch.isfinite(scores(scorer, 99.0, -3.0)).all()


def test_the_cut_scorer_learns_and_lets_the_masks_be(scene):
    logits, descriptor, bias, seeds, _ = scene
    scorer = make_scorer(8).train()
    torch.nn.init.normal_(scorer.cuts.correction.weight)
    logits.requires_grad_(True)
    kinds = torch.randn((1, KINDS, 6, 8), generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    appearance = torch.zeros((1, CHANNELS, 7, 9))
    surroundings = Surroundings.of(appearance, appearance[:, :, 0, 0], kinds)
    scorer(logits, descriptor, bias, seeds, surroundings).ious.square().sum().backward()
    assert logits.grad is None
    assert kinds.grad[:, :, :4, :5].any()
    assert not kinds.grad[:, :, 4:].any()
    assert all(p.grad.any() for name, p in scorer.named_parameters() if name.startswith("cuts."))


def test_seeds_are_scored_one_by_one(scene):
    logits, descriptor, bias, seeds, surroundings = scene
    scorer = make_scorer(8)
    torch.nn.init.normal_(scorer.cuts.correction.weight)
    torch.nn.init.normal_(scorer.cuts.depth.weight)
    both = scorer(*scene).ious
    alone = scorer(logits[1:], descriptor[1:], bias[1:], seeds[1:], surroundings).ious
    torch.testing.assert_close(both[1:], alone)


def test_a_mask_without_a_cell_is_scored_too(scene):
    logits, descriptor, bias, seeds, surroundings = scene
    ious = make_scorer(8)(logits * 0.0 - 9.0, descriptor, bias, seeds, surroundings).ious
    assert torch.isfinite(ious).all()
