"""Real fine-tunings of seconds: what they measure, keep and refuse."""

from dataclasses import asdict, replace

import pytest
import torch

from models import WeightsError
from models.data.dataset import load_dataset
from models.errors import Cancelled, CheckpointError
from models.fine_tuning import FineTuneRequest, fine_tune, names_of_held_out, split_held_out
from models.seednet.network import SeedNet, SeedNetConfig
from models.training.checkpoint import CHECKPOINT_NAME
from models.training.events import StepDone, Validated
from models.weights import WeightsInfo, read_weights, save_weights
from tests.unit.models.evaluation.coco_folders import write_coco_folder

SMALL = SeedNetConfig(width=16, embedding=6, levels=3, query_hidden=24, scorer_channels=8, scorer_hidden=16)


@pytest.fixture
def datasets(tmp_path):
    return tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=4)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SeedNet(SMALL, pretrained_backbone=False)


def base_weights(network, folder):
    path = folder / "base.safetensors"
    save_weights(path, network, WeightsInfo("seednet", "seednet-base", asdict(network.config)))
    return path


def fine_tune_request(datasets, network, tmp_path, **changes):
    fields = {
        "architecture": "seednet",
        "dataset": datasets[0],
        "base": base_weights(network, tmp_path),
        "output": tmp_path / "tuned",
        "version": "mine-1",
        "minutes": 0.03,
        **changes,
    }
    return FineTuneRequest(**fields)


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "efficientnet-lite2"])
def test_fine_tuning_measures_before_and_after_and_notes_the_parent(datasets, backbone, tmp_path):
    network = SeedNet(replace(SMALL, backbone=backbone), pretrained_backbone=False)
    events = []
    request = fine_tune_request(datasets, network, tmp_path, minutes=0.1)  # also a busy machine takes a step
    result = fine_tune(request, on_event=events.append)
    assert [e.score for e in events if isinstance(e, Validated)] == [result.before, result.after]
    assert result.difference.objects == 3
    assert result.difference.mean == pytest.approx(result.after - result.before)
    assert result.difference.verdict == "too few"
    info, tensors = read_weights(result.weights)
    assert (info.version, info.facts["parent"]) == ("mine-1", "seednet-base")
    _, base = read_weights(tmp_path / "base.safetensors")
    assert all(torch.equal(tensors[k], base[k]) for k in base if k.startswith("backbone."))
    assert not torch.equal(tensors["embedding.weight"], base["embedding.weight"])


def test_fine_tuning_that_is_stopped_early_leaves_nothing(datasets, network, tmp_path):
    with pytest.raises(Cancelled):
        fine_tune(fine_tune_request(datasets, network, tmp_path), should_stop=lambda: True)
    assert not (tmp_path / "tuned").exists()


def test_leaving_keeps_the_state_and_a_torn_one_is_told(datasets, network, tmp_path):
    request, events = fine_tune_request(datasets, network, tmp_path, minutes=5), []

    def leaves():
        return any(isinstance(event, StepDone) for event in events)

    with pytest.raises(Cancelled):
        fine_tune(request, should_leave=leaves, on_event=events.append)
    checkpoint = request.output / CHECKPOINT_NAME
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*damaged.*Remove the file"):
        fine_tune(request)


def test_held_out_pictures_are_never_trained_on(datasets):
    names = names_of_held_out(datasets[0])
    train, held_out = split_held_out(datasets[0], names)
    assert len(held_out.pictures) == 1
    assert {p.path for p in train.pictures}.isdisjoint(p.path for p in held_out.pictures)
    fewer = replace(datasets[0], pictures=tuple(p for p in datasets[0].pictures if p != train.pictures[0]))
    assert split_held_out(fewer, names)[1].pictures == held_out.pictures  # also when others went or came


def test_a_single_picture_is_split_by_objects(datasets):
    single = replace(datasets[0], pictures=datasets[0].pictures[:1])
    train, held_out = split_held_out(single, names_of_held_out(single))
    counts = len(train.pictures[0].objects), len(held_out.pictures[0].objects)
    assert counts == (2, 1)
    assert not train.pictures[0].exhaustive
    one = replace(single, pictures=(replace(single.pictures[0], objects=single.pictures[0].objects[:1]),))
    with pytest.raises(ValueError, match="at least two"):
        names_of_held_out(one)


def test_fine_tuning_from_weights_of_another_network_is_refused(datasets, network, tmp_path):
    path = tmp_path / "odd.safetensors"
    other = replace(SMALL, width=32)
    save_weights(path, network, WeightsInfo("seednet", "odd", asdict(other)))
    with pytest.raises(WeightsError, match="another network"):
        fine_tune(fine_tune_request(datasets, network, tmp_path, base=path))
    save_weights(path, network, WeightsInfo("seednet", "odd", {**asdict(SMALL), "width": 20}))
    with pytest.raises(WeightsError, match="its sizes fit no network"):
        fine_tune(fine_tune_request(datasets, network, tmp_path, base=path))
