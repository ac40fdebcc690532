"""What `train` says on standard error: files it does without, and checkpoints it cannot go on from."""

from __future__ import annotations

import pytest

from app.commands.train import train
from models.data.dataset import load_dataset
from models.errors import CheckpointError
from models.training.trainable import TrainableModel
from tests.unit.models.evaluation.coco_folders import write_coco_folder
from tests.unit.models.training.test_checkpoint import Loss, Slope
from tests.unit.models.training.test_training import request_for


def test_what_cannot_be_read_is_named(tmp_path, capsys):
    datasets = tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=3)))
    broken = datasets[0].pictures[1].path
    broken.write_bytes(b"no picture")
    request = request_for(datasets, tmp_path / "run", steps=12)
    assert train(TrainableModel(Slope(), Loss(), request.info, request.crops), request).is_file()
    assert f"set aside: {broken}: " in capsys.readouterr().err
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: .*Remove the file"):
        train(TrainableModel(Slope(), Loss(), request.info, request.crops), request)
