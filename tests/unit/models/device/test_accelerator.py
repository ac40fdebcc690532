"""Where there is an accelerator, every network says the same there as on the processor."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from models.data.sample import collate
from models.device.choice import choose_device
from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.training.calibration import CalibrationLoss
from models.seednet.training.objectness import ObjectnessLoss
from models.seednet.training.seed_loss import SecondLookLoss, SeedLoss, SeedLossSettings
from tests.unit.models.networks.small_networks import SMALL, shake, small_network
from tests.unit.models.training.test_batches import LOSSES, crops, picture, terms_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = choose_device()
SMALL_SEEDNET = SeedNetConfig(
    width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16, refiner=8, cut_scorer=8
)

pytestmark = pytest.mark.skipif(DEVICE.type == "cpu", reason="there is no accelerator here")


@pytest.fixture(autouse=True)
def full_precision():
    """Without TensorFloat-32, which rounds the factors of products to ten bits."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor of an answer, in the order of its parts."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def answer(name: str, network: Any, images: Tensor) -> list[Tensor]:
    run = getattr(network, "detect_both", None) or getattr(network, "detect", None) or network
    with torch.inference_mode():
        return [t.cpu() for t in tensors_in(run(images))]


@pytest.mark.parametrize("name", SMALL)
def test_answers_are_those_of_the_processor(name):
    network, _ = small_network(name)
    shake(network)
    images = torch.stack([picture(1), picture(2)])
    expected = answer(name, network, images)
    found = answer(name, network.to(DEVICE), images.to(DEVICE))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("name", SMALL)
def test_losses_are_those_of_the_processor(name):
    network, _ = small_network(name)
    shake(network)
    loss = LOSSES.get(name) or SMALL[name][0].loss(network.config)
    chosen = crops(SMALL[name][0].mask_stride)
    expected = terms_of(name, network, loss, chosen)
    assert terms_of(name, network.to(DEVICE), loss, chosen) == pytest.approx(expected, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("kind", [SeedLoss, SecondLookLoss])
def test_seednet_learns_there_what_it_learns_on_the_processor(kind):
    torch.manual_seed(0)
    network = SeedNet(SMALL_SEEDNET, pretrained_backbone=False).eval()
    torch.nn.init.normal_(network.refiner.delta.weight)
    loss = kind(SeedLossSettings(corrected=0.0))  # further clicks are drawn differently there
    batch = loss.prepare(collate(crops(4)), torch.Generator().manual_seed(0))
    expected = {k: float(v.detach()) for k, v in loss(network, batch, torch.Generator()).items()}
    network.to(DEVICE)
    terms = loss(network, batch, torch.Generator())
    assert {k: float(v.detach()) for k, v in terms.items()} == pytest.approx(expected, rel=2e-2, abs=1e-3)
    terms["loss"].backward()
    again = kind()(network, batch, torch.Generator())
    assert torch.isfinite(again["loss"])
    assert float(again["corrected"]) > 0


def test_seednet_s_calibrator_learns_there_too():
    torch.manual_seed(0)
    config = replace(SMALL_SEEDNET, calibrator=8)
    network = SeedNet(config, pretrained_backbone=False).eval().to(DEVICE)
    loss = CalibrationLoss()
    loss.gather(network, collate(crops(4)), torch.Generator().manual_seed(0))
    loss(network, None, torch.Generator().manual_seed(0))["loss"].backward()
    assert network.level_scorer.calibrator.correction.weight.grad.any()
    facts, truth = loss.memory.draw(3, torch.Generator(DEVICE).manual_seed(0))
    assert facts.device.type == truth.device.type == DEVICE.type


def test_seednet_s_object_scorer_learns_there_too():
    torch.manual_seed(0)
    config = replace(SMALL_SEEDNET, calibrator=8, objectness=8)
    network = SeedNet(config, pretrained_backbone=False).eval().to(DEVICE)
    loss = ObjectnessLoss()
    loss.gather(network, collate(crops(4)), torch.Generator().manual_seed(0))
    loss(network, None, torch.Generator().manual_seed(0))["loss"].backward()
    assert network.object_scorer.correction.weight.grad.any()
    facts, worth = loss.memory.draw(3, torch.Generator().manual_seed(0))
    assert facts.device.type == worth.device.type == "cpu"  # there are many of them
