"""The user's models: import, activate, roll back, export."""

from dataclasses import asdict

import pytest
import torch

from models import WeightsError
from models.seednet.network import SeedNet, SeedNetConfig
from models.store import ModelStore
from models.weights import WeightsInfo, save_weights

SMALL = SeedNetConfig(width=16, embedding=6, query_hidden=24, scorer_channels=8, scorer_hidden=16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_weights(
        path, SeedNet(SMALL, pretrained_backbone=False), WeightsInfo("seednet", "mine-1", asdict(SMALL))
    )
    return path


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def test_without_own_models_the_shipped_one_is_in_use(store):
    assert [(m.version, m.active) for m in store.models() if m.weights is None and m.active]
    assert store.active().weights is None


def test_an_imported_model_is_used_only_after_activation(store, weights):
    model = store.import_weights(weights).model
    assert (model.version, model.architecture) == ("mine", "seednet")
    assert store.active().weights is None
    store.activate("mine")
    assert store.active().version == "mine"
    assert store.active().info.version == "mine-1"


def test_rolling_back_goes_through_the_versions_used_before(store, weights, tmp_path):
    second = tmp_path / "second.safetensors"
    second.write_bytes(weights.read_bytes())
    store.import_weights(weights)
    store.import_weights(second)
    store.activate("mine")
    store.activate("second")
    assert store.rollback().version == "mine"
    assert store.rollback().weights is None
    assert store.rollback().weights is None


def test_a_damaged_file_costs_only_its_own_model(store, weights, caplog):
    for name in ("good", "bad"):
        store.import_weights(weights, name=name)
        store.activate(name)
    store.weights_of("bad").write_bytes(b"not a weights file")
    assert [m.version for m in store.models() if m.weights is not None] == ["good"]
    assert store.active().version == "good"
    assert str(store.weights_of("bad")) in caplog.text
    store.weights_of("good").write_bytes(b"")
    assert store.active().weights is None


def test_exported_weights_are_the_same_bytes(store, weights, tmp_path):
    store.import_weights(weights)
    store.export("mine", tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == weights.read_bytes()


def test_what_cannot_be_used_is_refused(store, weights, tmp_path):
    with pytest.raises(WeightsError, match="no model version"):
        store.activate("nothing")
    with pytest.raises(WeightsError, match="cannot name a model"):
        store.export("../outside", tmp_path / "x")
    odd = tmp_path / "odd.safetensors"
    save_weights(odd, torch.nn.Linear(1, 1), WeightsInfo("unheard-of", "x"))
    with pytest.raises(WeightsError, match="no network called"):
        store.import_weights(odd)
    store.import_weights(weights)
    with pytest.raises(WeightsError, match="already a model version"):
        store.import_weights(weights)


def test_a_damaged_state_file_means_the_shipped_model(store, weights):
    store.import_weights(weights)
    store.activate("mine")
    (store.folder / "active.json").write_text("{half")
    assert store.active().weights is None
