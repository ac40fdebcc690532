"""Every network of the registry by command: trained, measured, imported, chosen, and clicked with."""

from __future__ import annotations

import json

import pytest

from app.commands.main import main
from models.networks.registry import ARCHITECTURES
from tests.unit.models.data.shape_folders import write_shape_folder

RESNET = ("backbone=resnet-18", "resnet_width=8", "width=16")
TWO_STAGE = (*RESNET, "hidden=24", "proposals=30", "anchor_sizes=16,24,32,48,64")
# The smallest sizes of each; SeedNet's are fixed, and tested in test_cli_models_and_training.py.
SIZES = {
    "deep-metric-learning": (*RESNET, "embedding=5"),
    "embedmask": (*RESNET, "variant=ijcai", "convolutions=1"),
    "spatial-embeddings": ("width=0.125", "sigmas=2", "learned_center=false"),
    "mask-rcnn": TWO_STAGE,
    "mask-scoring-rcnn": TWO_STAGE,
    "mask-x-rcnn": (*TWO_STAGE, "transfer_hidden=12"),
    "yolact": (*RESNET, "prototypes=6"),
    "fcn": ("backbone=resnet-18", "resnet_width=8", "variant=16", "hidden=12"),
    "panoptic": (
        "stuff=rectangle",
        "instance=mask-rcnn",
        "hidden=12",
        *(f"instance.{size}" for size in TWO_STAGE),
    ),
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shape_folder(tmp_path_factory.mktemp("data") / "shapes")


def train(data, out, name, *more):
    arguments = ["train", str(data), "--model", name, "--batch", "2", "--crop", "64", "-o", str(out)]
    sizes = [part for size in (*SIZES[name], "long_side=64") for part in ("--set", size)]
    return main([*arguments, *sizes, *more])


def test_every_network_but_seednet_is_tried_here():
    assert set(SIZES) == set(ARCHITECTURES) - {"seednet"}


def test_the_objects_of_a_set_can_be_pasted_into_its_pictures(tmp_path, capsys):
    large = write_shape_folder(tmp_path / "large", size=128)
    assert train(large, tmp_path / "run", "fcn", "--epochs", "1", "--cut-from", "large") == 0
    small = write_shape_folder(tmp_path / "small", size=32)
    capsys.readouterr()
    assert train(small, tmp_path / "other", "fcn", "--epochs", "1", "--cut-from", "small") == 1
    assert "no object of small is large and whole enough" in capsys.readouterr().err


@pytest.mark.parametrize("name", SIZES)
def test_from_training_to_a_click(name, shapes, tmp_path, capsys):
    assert train(shapes, tmp_path / "run", name, "--epochs", "1") == 0
    weights = tmp_path / "run" / f"{name}.safetensors"
    assert main(["models", "import", str(weights), "--name", "mine"]) == 0
    assert main(["models", "activate", "mine"]) == 0
    capsys.readouterr()
    assert main(["models", "info", "mine"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["architecture"], facts["active"]) == (name, True)
    assert facts["categories"] == ["circle", "rectangle", "star"]
    assert facts["facts"]["steps"] == 1

    by_name = {
        "clicks": ["--model", name, "--no-noc"],
        "coco": ["--model", "mine"],
        "panoptic": ["--weights", str(weights)],  # the file says what it is of
    }
    for protocol, which in by_name.items():
        result = tmp_path / f"{protocol}.json"
        arguments = ["evaluate", str(shapes), "--protocol", protocol, "--limit", "1", "--json", str(result)]
        assert main([*arguments, *which]) == 0
        document = json.loads(result.read_text())
        scores = document["results"]["shapes"]
        assert document["protocol"] == protocol
        key = {"clicks": "iou", "coco": "ap50", "panoptic": "all"}[protocol]
        assert 0.0 <= (scores[key]["pq"] if protocol == "panoptic" else scores[key]) <= 1.0
    assert scores["stuff"]["categories"] == (name == "panoptic")
    semantic = ["evaluate", str(shapes), "--protocol", "semantic", "--model", name, "--json", "-"]
    capsys.readouterr()
    assert main(semantic) == (0 if name == "fcn" else 1)
    told = capsys.readouterr()
    if name == "fcn":
        scores = json.loads(told.out)["results"]["shapes"]
        assert 0.0 <= scores["mean_iou"] <= 1.0
        assert set(scores["per_class"]) <= {"background", "circle", "rectangle", "star"}
    else:
        assert "makes no class map" in told.err

    picture = sorted((shapes / "images").iterdir())[0]
    out = tmp_path / "cut"
    assert main(["segment", str(picture), "--seed", "32,32", "--model", name, "-o", str(out)]) == 0
    (document,) = out.glob("*.json")
    (shape,) = json.loads(document.read_text())["shapes"]
    assert shape["shape_type"] == "mask"


def test_a_time_budget_and_weights_to_go_on_from(shapes, tmp_path):
    assert train(shapes, tmp_path / "first", "mask-rcnn", "--minutes", "0.01") == 0
    start = str(tmp_path / "first" / "mask-rcnn.safetensors")
    arguments = ["train", str(shapes), "--epochs", "1", "--batch", "2", "--crop", "64", "--start", start]
    assert main([*arguments, "--model", "mask-scoring-rcnn", "-o", str(tmp_path / "second")]) == 0
    assert main([*arguments, "--model", "yolact", "-o", str(tmp_path / "third")]) == 1


def test_a_training_begins_with_an_imported_backbone(shapes, tmp_path, capsys):
    import torch

    from models.backbones.resnet import ResNet
    from models.weights import read_weights

    published = ResNet(18, width=8)
    torch.save(published.state_dict(), tmp_path / "resnet18.pth")
    assert main(["models", "import", str(tmp_path / "resnet18.pth")]) == 0
    assert "`train --start resnet18` begins with it" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "a backbone alone" in capsys.readouterr().out
    assert main(["models", "activate", "resnet18"]) == 1
    arguments = ["train", str(shapes), "--model", "fcn", "--start", "resnet18", "--set", "hidden=8"]
    assert main([*arguments, "--epochs", "1", "--crop", "64", "-o", str(tmp_path / "run")]) == 0
    info, tensors = read_weights(tmp_path / "run" / "fcn.safetensors")
    assert (info.config["backbone"], info.config["resnet_width"]) == ("resnet-18", 8)
    # The stem of loaded weights is kept.
    assert torch.equal(tensors["backbone.conv1.weight"], published.conv1.weight)


@pytest.mark.parametrize(
    ("name", "size", "complaint"),
    [
        ("fcn", "depth=3", 'no size called "depth"'),
        ("fcn", "hidden=many", '"hidden" cannot be many'),
        ("fcn", "variant=4", "there is no FCN-4s"),
        ("embedmask", "variant=third", 'no variant "third"'),
        ("panoptic", "stuff=sea", "no category sea"),
        ("panoptic", "instance=fcn", 'no instance network called "fcn"'),
        ("yolact", "backbone=vgg", 'no backbone called "vgg"'),
        ("mask-rcnn", "anchor_sizes=1,2", "cannot be 1,2"),
        ("deep-metric-learning", "squared=1", '"squared" cannot be 1'),
        ("seednet", "backbone=resnet-18", "there are: efficientnet-lite0, efficientnet-lite2"),
    ],
)
def test_sizes_that_do_not_exist_are_explained(name, size, complaint, shapes, tmp_path, capsys):
    arguments = ["train", str(shapes), "--model", name, "--set", size, "-o", str(tmp_path)]
    assert main(arguments) == 1
    assert complaint in capsys.readouterr().err


def test_a_size_without_a_value_is_wrong_usage(shapes):
    with pytest.raises(SystemExit):
        main(["train", str(shapes), "--model", "fcn", "--set", "width"])


def test_what_an_imported_file_lacks_is_told(tmp_path, capsys):
    import torch

    from tests.unit.models.networks.small_networks import small_network

    state = small_network("yolact")[0].state_dict()
    torch.save(state, tmp_path / "whole.pth")
    assert main(["models", "import", str(tmp_path / "whole.pth"), "--categories", "cup, plate,spoon"]) == 0
    said = capsys.readouterr().out
    assert "does not tell these sizes" in said
    assert "long_side 544" in said
    assert main(["models", "info", "whole"]) == 0
    assert json.loads(capsys.readouterr().out)["categories"] == ["cup", "plate", "spoon"]
    del state["protonet.after.bias"]
    torch.save(state, tmp_path / "part.pth")
    assert main(["models", "import", str(tmp_path / "part.pth")]) == 1
    assert "looks like yolact, but its tensors do not fit: 1 missing (protonet.after.bias)" in (
        capsys.readouterr().err
    )


def test_a_network_that_learnt_nothing_says_so(shapes, tmp_path, capsys):
    arguments = ["evaluate", str(shapes), "--model", "fcn", "--no-noc", "--limit", "1"]
    assert main(arguments) == 0
    assert "fcn has learnt nothing yet" in capsys.readouterr().err
