"""Replayed graphs give what the commands gave before, whatever else the card does."""

from __future__ import annotations

from threading import Event, Thread

import numpy as np
import pytest
import torch

from converters.annotation import Seed
from models.device import cuda_graphs
from models.device.choice import choose_device
from models.device.cuda_graphs import GraphReplay
from models.seednet.segmenter import SeedNetSegmenter
from tests.unit.models.seednet.seednet_cases import small_seednet

DEVICE = choose_device()
CARD = pytest.mark.skipif(DEVICE.type != "cuda", reason="there is no graphics card here")


class Doubled:
    """Twice a tensor, and how often that was asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, given):
        self.calls += 1
        return 2.0 * given


def test_on_a_processor_every_call_is_made():
    double = Doubled()
    replay = GraphReplay(double, torch.clone)
    for value in range(4):
        assert replay(torch.full((3,), float(value))).tolist() == [2.0 * value] * 3
    assert double.calls == 4


@CARD
def test_sizes_that_come_again_are_replayed():
    double = Doubled()
    replay = GraphReplay(double, torch.clone)
    results = [replay(torch.full((3,), float(value), device=DEVICE)) for value in range(6)]
    assert [r.tolist() for r in results] == [[2.0 * value] * 3 for value in range(6)]
    assert double.calls == 3  # the first as it is; the second warms up, then is captured


@CARD
def test_only_the_last_sizes_are_kept():
    double = Doubled()
    replay = GraphReplay(double, torch.clone)
    sizes = [*range(1, cuda_graphs.KEPT_SIZES + 2)] * 2
    for size in sizes:
        assert replay(torch.ones(size, device=DEVICE)).tolist() == [2.0] * size
    assert double.calls == len(sizes)  # each had been forgotten when it came again


@CARD
def test_a_full_card_is_left_for_the_processor(monkeypatch):
    segmenter = SeedNetSegmenter(small_seednet(), version="test", device=DEVICE)
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    for _ in range(3):
        segmenter.encode(image)
    before = torch.cuda.memory_allocated()
    batch = segmenter._batch

    def full(pixels):
        if segmenter.device != "cpu":
            raise torch.OutOfMemoryError
        return batch(pixels)

    monkeypatch.setattr(segmenter, "_batch", full)
    encoding = segmenter.encode(image)
    assert segmenter.device == "cpu"
    assert segmenter.notice
    assert encoding.mask([Seed(64.0, 48.0)]).any()
    assert torch.cuda.memory_allocated() < before


@CARD
def test_what_cannot_be_captured_is_called_as_it_is(caplog):
    calls = []

    def asks_the_device(given):
        calls.append(1)
        return given * float(given.sum())

    replay = GraphReplay(asks_the_device, torch.clone)
    for _ in range(4):
        assert replay(torch.ones(2, device=DEVICE)).tolist() == [2.0, 2.0]
    assert "cannot be recorded" in caplog.text


@CARD
def test_pictures_are_read_as_before_while_a_training_goes_on():
    images = [np.random.default_rng(i).integers(0, 256, (96, 128, 3), np.uint8) for i in range(5)]
    segmenter = SeedNetSegmenter(small_seednet(), version="test", device=DEVICE)
    seed = [Seed(64.0, 48.0)]
    expected = [SeedNetSegmenter(small_seednet(), version="test", device=DEVICE).encode(i) for i in images]
    begun, done = Event(), Event()

    def train() -> None:
        layer = torch.nn.Linear(256, 256, device=DEVICE)
        while not done.is_set():
            layer(torch.randn(512, 256, device=DEVICE)).square().mean().backward()
            assert torch.isfinite(layer.weight.grad.norm())
            begun.set()

    training = Thread(target=train)
    training.start()
    try:
        assert begun.wait(60.0)
        found = [segmenter.encode(image) for image in images]
    finally:
        done.set()
        training.join()
    for ours, theirs in zip(found, expected, strict=True):  # each still knows its own picture
        np.testing.assert_allclose(ours.similarity(seed), theirs.similarity(seed), atol=1e-3)
