"""Weights files and model stores that are out there open as before: the names, shapes and number formats of
every network's tensors, and the sizes in its header, are what they were (weights_of_before.json)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import Seed, load_segmenter
from models.store import ModelStore
from models.weights import WeightsInfo, save_weights
from tests.unit.models.networks.small_networks import small_network

BEFORE: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("weights_of_before.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", BEFORE)
def test_a_network_has_the_tensors_it_had(name: str) -> None:
    network, info = small_network(name)
    state = network.state_dict()
    lines = "\n".join(sorted(f"{key} {list(value.shape)} {value.dtype}" for key, value in state.items()))
    assert len(state) == BEFORE[name]["count"]
    assert hashlib.sha256(lines.encode()).hexdigest() == BEFORE[name]["tensors"]
    assert json.loads(json.dumps(info.config)) == BEFORE[name]["config"]


@pytest.mark.parametrize("name", BEFORE)
def test_a_store_of_before_is_used_as_it_stands(name: str, tmp_path: Path) -> None:
    before = BEFORE[name]
    network, _ = small_network(name)
    info = WeightsInfo(before["architecture"], "mine-1", before["config"], tuple(before["categories"]))
    save_weights(tmp_path / "mine" / "weights.safetensors", network, info)
    (tmp_path / "active.json").write_text('{"activated": ["mine"]}', encoding="utf-8")
    active = ModelStore(tmp_path).active()
    assert (active.version, active.architecture) == ("mine", before["architecture"])
    segmenter = load_segmenter(active.architecture, weights=active.weights, device="cpu")
    encoding = segmenter.encode(np.full((48, 64, 3), 90, np.uint8))
    assert encoding.mask([Seed(20, 20)]).shape == (48, 64)
