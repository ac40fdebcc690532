"""Weights files whose header or tensors say anything: refused when they are added, without leavings."""

from __future__ import annotations

import errno
import shutil
from dataclasses import asdict

import pytest
import torch

from models import WeightsError
from models.networks.registry import ARCHITECTURES
from models.seednet.network import SeedNet, SeedNetConfig
from models.store import ModelStore
from models.weights import WeightsInfo, save_tensors, save_weights, stored_sizes

SMALL = SeedNetConfig(width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16)


@pytest.fixture(scope="module")
def tensors():
    return SeedNet(SMALL, pretrained_backbone=False).state_dict()


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": -16},
        {"width": 10**12},
        {"width": 4096},
        {"embedding": 0},
        {"width": "16"},
        {"levels": 3.0},
        {"levels": None},
        {"mirror": float("nan")},
        {"mirror": float("inf")},
        {"long_side": 0},
        {"long_side": 60_000},
        {"backbone": 7},
        {"backbone": "../../secret"},
        {"ranges": "yes"},
        {"query_hidden": [24]},
        {"unheard_of": 1},
    ],
)
def test_sizes_that_no_network_has_are_refused_on_import(store, tensors, tmp_path, sizes):
    path = tmp_path / "lies.safetensors"
    save_tensors(path, tensors, WeightsInfo("seednet", "lies", {**asdict(SMALL), **sizes}))
    with pytest.raises(WeightsError, match=r"lies\.safetensors"):
        store.import_weights(path)
    assert not store.folder.exists()


@pytest.mark.parametrize(
    "table", [{1: torch.zeros(2)}, {"a": 1.0}, {"a": "text"}, {("a",): torch.zeros(1)}, []]
)
def test_tables_of_anything_else_are_refused(store, tmp_path, table):
    path = tmp_path / "odd.pt"
    torch.save({"state_dict": table}, path)
    with pytest.raises(WeightsError, match=r"odd\.pt"):
        store.import_weights(path)


def test_a_header_whose_facts_are_no_facts_is_no_traceback(store, tensors, tmp_path):
    path = tmp_path / "facts.safetensors"
    save_tensors(path, tensors, WeightsInfo("seednet", "facts", asdict(SMALL), facts={"parent": ["a", {}]}))
    assert store.import_weights(path).model.info.facts["parent"] == ["a", {}]


def test_the_usual_sizes_of_every_network_are_possible():
    for name, architecture in ARCHITECTURES.items():
        make = architecture.pattern.config if architecture.pattern else None
        if make is not None:
            assert stored_sizes(make, asdict(make()), source=name) == make()


@pytest.fixture
def weights(tmp_path, tensors):
    path = tmp_path / "mine.safetensors"
    save_tensors(path, tensors, WeightsInfo("seednet", "mine-1", asdict(SMALL)))
    return path


def test_a_full_disk_leaves_nothing_that_blocks_a_retry(store, weights, monkeypatch):
    whole = shutil.copyfile

    def fill(source, target):
        target.write_bytes(b"half a model")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    with pytest.raises(WeightsError, match=r"No space left on device.*Free some space"):
        store.import_weights(weights)
    assert list(store.folder.rglob("*")) == []
    monkeypatch.setattr(shutil, "copyfile", whole)
    assert store.import_weights(weights).model.version == "mine"
    with pytest.raises(WeightsError, match="already a model version"):
        store.import_weights(weights)


def test_what_a_killed_import_left_does_not_block_a_retry(store, weights):
    left = store.folder / "mine"
    left.mkdir(parents=True)
    (left / ".weights.safetensors.k1ll.tmp").write_bytes(b"half a model")
    assert store.import_weights(weights).model.version == "mine"


def test_weights_that_cannot_be_written_leave_those_before(weights, tmp_path, monkeypatch):
    before = weights.read_bytes()

    def fail(_tensors, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.weights.save_file", fail)
    with pytest.raises(WeightsError, match="could not be written"):
        save_weights(weights, torch.nn.Linear(1, 1), WeightsInfo("x", "y"))
    assert weights.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]
