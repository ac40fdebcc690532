"""A training's state on disk: written early, refused by name and with a remedy, no numbers that are none."""

import numpy as np
import pytest
import torch
from torch import nn

from converters.annotation import ImageAnnotation, Instance, Polygon
from converters.errors import ConverterError
from converters.files.images import write_image
from converters.formats.labelme.document import write_labelme
from models.data.dataset import load_dataset
from models.errors import CheckpointError, TrainingError
from models.training import training as engine
from models.training.averaging import WeightAverage
from models.training.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from models.training.events import CheckpointFailed, LeftOut
from models.training.schedule import build_optimizer
from models.training.training import Training
from models.weights import read_weights
from tests.unit.models.evaluation.coco_folders import write_coco_folder
from tests.unit.models.training.test_training import request_for


class Slope(nn.Module):
    """The smallest network there is."""

    def __init__(self, width=3):
        super().__init__()
        self.line = nn.Linear(width, 1)


class Loss:
    """Learns something for so many steps, and then nothing that is a number."""

    def __init__(self, good_steps=10**9):
        self.left = good_steps

    def __call__(self, network, _batch, _generator):
        self.left -= 1
        value = network.line.weight.square().sum()
        return {"loss": value if self.left >= 0 else value * float("nan")}


@pytest.fixture
def datasets(tmp_path):
    return tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=3)))


def state_of(network, folder):
    parts = {"network": network, "average": WeightAverage(network)}
    optimizer = build_optimizer(network, rate=1.0, backbone_rate=1.0, weight_decay=0.0)
    network.line.weight.sum().backward()
    optimizer.step()
    save_checkpoint(folder, **parts, optimizer=optimizer, step=5, seconds=2.5)
    return folder / CHECKPOINT_NAME


def load(network, folder):
    optimizer = build_optimizer(network, rate=1.0, backbone_rate=1.0, weight_decay=0.0)
    return load_checkpoint(folder, network=network, average=WeightAverage(network), optimizer=optimizer)


def test_a_state_comes_back_and_leaves_no_other_file(tmp_path):
    network, other = Slope(), Slope()
    state_of(network, tmp_path)
    assert load(other, tmp_path) == (5, 2.5)
    assert torch.equal(other.line.weight, network.line.weight)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:700]),
        lambda path: path.write_bytes(b""),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"network": {}, "step": "many"}, path),
        lambda path: torch.save({**torch.load(path), "seconds": float("nan")}, path),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_torn_state_is_refused_by_name_with_a_remedy(tmp_path, spoil):
    spoil(state_of(Slope(), tmp_path))
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: .*damaged.*Remove the file"):
        load(Slope(), tmp_path)


def test_a_state_of_another_training_is_refused_and_changes_nothing(tmp_path):
    state_of(Slope(width=4), tmp_path)
    network = Slope()
    before = network.line.weight.detach().clone()
    with pytest.raises(CheckpointError, match=r"another training.*line.weight is 1 x 4"):
        load(network, tmp_path)
    path = state_of(Slope(), tmp_path)
    state = torch.load(path)
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(7)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="other parts of the network"):
        load(network, tmp_path)
    state["network"]["line.bias"].fill_(float("nan"))
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="no numbers"):
        load(network, tmp_path)
    assert torch.equal(network.line.weight, before)


def test_the_first_state_is_on_the_disk_soon(datasets, tmp_path, monkeypatch):
    assert engine.CHECKPOINT_SECONDS <= 30
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
    saved = []
    network = Slope()
    request = request_for(datasets, tmp_path / "run")

    def stop():
        saved.append((request.output / CHECKPOINT_NAME).exists())
        return len(saved) == 3

    Training(network, Loss(), request, should_stop=stop).run()
    assert saved == [False, True, True]


def test_a_loss_that_is_never_a_number_is_no_training(datasets, tmp_path):
    request = request_for(datasets, tmp_path / "run", steps=4)
    with pytest.raises(TrainingError, match="in any of 4 steps"):
        Training(Slope(), Loss(good_steps=0), request).run()
    assert not request.output.exists()


def test_what_was_learnt_before_the_numbers_went_is_kept(datasets, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "LOST_STEPS", 3)
    request = request_for(datasets, tmp_path / "run", steps=500)
    info, tensors = read_weights(Training(Slope(), Loss(good_steps=2), request).run())
    assert (info.facts["steps"], info.facts["lost_steps"]) == (5, 3)
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_full_disk_does_not_end_a_training(datasets, tmp_path, monkeypatch):
    def fail(*_arguments, **_facts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine, "save_checkpoint", fail)
    events = []
    path = Training(Slope(), Loss(), request_for(datasets, tmp_path / "run"), on_event=events.append).run()
    assert path.is_file()
    assert [e.problem for e in events if isinstance(e, CheckpointFailed)] == ["No space left on device"]


@pytest.mark.parametrize("processes", [0, 1])
def test_unreadable_pictures_are_set_aside_and_said_once(datasets, tmp_path, processes):
    broken = datasets[0].pictures[1].path
    broken.write_bytes(b"no picture")
    request = request_for(datasets, tmp_path / "run", steps=12, processes=processes)
    events = []
    path = Training(Slope(), Loss(), request, on_event=events.append).run()
    assert [event.file.path for event in events if isinstance(event, LeftOut)] == [broken]
    assert read_weights(path)[0].facts["set_aside"] == [broken.name]


def test_without_any_readable_picture_there_is_no_training(datasets, tmp_path):
    for picture in datasets[0].pictures:
        picture.path.write_bytes(b"no picture")
    with pytest.raises(ConverterError, match="none of the pictures to learn from can be read"):
        Training(Slope(), Loss(), request_for(datasets, tmp_path / "run")).run()


def test_damaged_label_files_are_set_aside_and_other_files_are_none(tmp_path):
    triangle = Instance("1", "disc", Polygon(((1, 1), (20, 1), (9, 20))))
    for name in ("a", "b", "gone"):
        write_image(tmp_path / f"{name}.png", np.zeros((32, 32, 3), np.uint8))
        write_labelme(tmp_path / f"{name}.json", ImageAnnotation(f"{name}.png", 32, 32, (triangle,)))
    (tmp_path / "b.json").write_text("{half", encoding="utf-8")
    (tmp_path / "gone.png").unlink()
    (tmp_path / "settings.json").write_text("{half", encoding="utf-8")
    [dataset] = load_dataset(tmp_path)
    assert [picture.path.name for picture in dataset.pictures] == ["a.png"]
    assert [file.path.name for file in dataset.set_aside] == ["b.json", "gone.json"]
