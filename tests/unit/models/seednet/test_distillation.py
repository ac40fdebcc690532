"""A new backbone learns to see what the old one saw."""

from dataclasses import asdict, replace

import pytest
import torch

from models.data.sample import Batch
from models.errors import SegmenterError
from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.training.distillation import DistillationLoss
from models.seednet.training.lessons import trainable_seednet
from models.weights import WeightsInfo

OLD = SeedNetConfig(
    backbone="efficientnet-lite2", width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16
)
NEW = {"backbone": "efficientnet-lite0"}


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return SeedNet(OLD, pretrained_backbone=False).eval()


@pytest.fixture(scope="module")
def start(teacher):
    tensors = {k: v.clone() for k, v in teacher.state_dict().items()}
    return WeightsInfo("seednet", "seednet-1", asdict(OLD)), tensors


@pytest.fixture(scope="module")
def batch():
    images = torch.randint(0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(1))
    return Batch(images.to(torch.uint8), ())


def test_whoever_sees_the_same_has_no_loss(teacher, batch):
    terms = DistillationLoss(teacher)(teacher, batch, torch.Generator())
    assert set(terms) == {"loss", "level0", "level1", "level2", "level3", "embedding"}
    assert all(float(v) == 0.0 for v in terms.values())


def test_the_loss_is_in_units_of_the_teachers_variance(teacher, batch):
    class Blind(SeedNet):
        def pyramid(self, images):
            features, levels = super().pyramid(images)
            return features, [level.mean(dim=(0, 2, 3), keepdim=True).expand_as(level) for level in levels]

    blind = Blind(OLD, pretrained_backbone=False).eval()
    blind.load_state_dict(teacher.state_dict())
    terms = DistillationLoss(teacher)(blind, batch, torch.Generator())
    assert float(terms["level0"]) == pytest.approx(1.0, abs=0.1)


def test_the_new_backbone_learns_and_the_heads_stay(start, batch):
    torch.manual_seed(1)
    model = trainable_seednet((), pretrained_backbone=False, start=start, teach="distill", sizes=NEW)
    assert model.info.config == asdict(replace(OLD, **NEW))
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    optimizer = torch.optim.Adam([p for p in model.network.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(8):
        loss = model.loss(model.network, batch, torch.Generator())["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    changed = {k.split(".")[0] for k, v in model.network.state_dict().items() if not v.equal(before[k])}
    assert changed == {"backbone", "top_down"}
    kept = {"embedding.weight", "seed_head.answer.weight", "level_scorer.ious.weight"}
    assert all(before[k].equal(start[1][k]) for k in kept)


@pytest.mark.parametrize("sizes", [{}, {"backbone": "efficientnet-lite2"}, {**NEW, "width": "32"}])
def test_distillation_needs_another_backbone_behind_the_same_path(start, sizes):
    with pytest.raises(SegmenterError, match="another backbone"):
        trainable_seednet((), pretrained_backbone=False, start=start, teach="distill", sizes=sizes)
    with pytest.raises(SegmenterError, match="start from"):
        trainable_seednet((), pretrained_backbone=False, teach="distill", sizes=NEW)
