"""Weights that were stored in other units give the same answers."""

from dataclasses import asdict, replace

import torch

from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.older_weights import up_to_date
from models.seednet.scores import DEPTH_CENTER, DEPTH_SCALE
from models.seednet.segmenter import build_seednet
from models.seednet.training.lessons import trainable_seednet
from models.weights import WeightsInfo

SMALL = SeedNetConfig(
    width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16, refiner=8, cut_scorer=12
)
CUTS = "level_scorer.cuts."


def older_tensors() -> tuple[WeightsInfo, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    config = replace(SMALL, click_depth=True)
    tensors = SeedNet(config, pretrained_backbone=False).state_dict()
    del tensors[CUTS + "depth.weight"]
    tensors[CUTS + "clicked.weight"] = torch.randn(12, 2)
    return WeightsInfo("seednet", "older", asdict(config)), tensors


def test_the_depth_of_a_click_counts_as_before():
    _, older = older_tensors()
    newer = up_to_date(older)
    shares = torch.rand(50, 2)
    before = shares @ older[CUTS + "clicked.weight"].T + older[CUTS + "cut.bias"]
    spread = (shares - torch.tensor(DEPTH_CENTER)) * torch.tensor(DEPTH_SCALE)
    after = spread @ newer[CUTS + "depth.weight"].T + newer[CUTS + "cut.bias"]
    torch.testing.assert_close(after, before)
    assert up_to_date(newer).keys() == newer.keys()


def test_older_weights_load_and_can_be_trained_on():
    info, older = older_tensors()
    assert build_seednet(info, dict(older), source="older", device=torch.device("cpu")).version == "older"
    model = trainable_seednet((), pretrained_backbone=False, start=(info, dict(older)))
    learnt = model.network.state_dict()
    torch.testing.assert_close(learnt[CUTS + "cut.bias"], up_to_date(older)[CUTS + "cut.bias"])
