"""Unlabelled checkpoints: every network is known by its names and shapes, and misfits are told by name."""

from __future__ import annotations

import pickle
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models import Seed, WeightsError, load_segmenter
from models.backbones.efficientnet_lite import EfficientNetLite
from models.backbones.resnet import ResNet
from models.networks.embedmask.network import EmbedMaskConfig
from models.networks.recognition import read_any_weights, recognize
from models.networks.registry import ARCHITECTURES
from models.seednet.network import SeedNet, SeedNetConfig
from models.store import ModelStore
from models.weights import read_weights
from tests.unit.models.networks.small_networks import (
    CATEGORIES,
    RESNET,
    SMALL,
    TWO_STAGE,
    shake,
    small_network,
)

NAMES = ("seednet", *SMALL)
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 64, 3), dtype=np.uint8)


def test_every_network_of_the_registry_is_among_the_small_ones():
    assert set(NAMES) == set(ARCHITECTURES)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_without_a_header_becomes_the_model_it_was(name, store, tmp_path):
    network, info = small_network(name)
    shake(network)
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "mine.pth")
    imported = store.import_weights(tmp_path / "mine.pth", categories=CATEGORIES if info.categories else ())
    assert (imported.model.version, imported.model.architecture) == ("mine", name)
    read = {k: v for k, v in imported.model.info.config.items() if k not in imported.assumed}
    assert without_instance(read) == without_instance({k: info.config[k] for k in read})
    segmenter = load_segmenter(name, weights=imported.model.weights, device="cpu")
    assert (segmenter.version, segmenter.categories) == ("mine", info.categories)
    header, tensors = read_weights(imported.model.weights)
    assert (header.architecture, header.facts) == (name, {"imported": "mine.pth"})
    state = network.state_dict()
    assert set(tensors) == {k for k in state if not k.endswith("num_batches_tracked")}
    assert all(torch.equal(tensors[k], state[k]) for k in tensors)


def without_instance(config):
    """Without the sizes of a panoptic network's instance network, which are not all told."""
    return {k: v for k, v in config.items() if k != "instance_sizes"}


LITE = {"backbone": "efficientnet-lite0", "resnet_width": 64}
VARIANTS = [
    ("embedmask", asdict(EmbedMaskConfig.ijcai(**RESNET, width=16, convolutions=1))),
    ("spatial-embeddings", {"width": 0.125, "sigmas": 2}),
    ("spatial-embeddings", {"width": 1.0}),
    ("deep-metric-learning", {**LITE, "width": 24, "embedding": 3}),
    ("deep-metric-learning", {**LITE, "backbone": "efficientnet-lite2", "width": 24}),
    ("mask-rcnn", {"backbone": "resnet-50", "resnet_width": 8}),
    ("mask-scoring-rcnn", LITE),
    ("mask-x-rcnn", {"gist_pooling": 1}),
    ("mask-x-rcnn", {"gist_pooling": 4}),
    ("yolact", {"rescoring": False}),
    ("fcn", {"variant": 32}),
    ("fcn", {"variant": 16, "backbone": "resnet-101"}),
    ("panoptic", {"instance": "mask-scoring-rcnn", "variant": 16, "stuff": (2,)}),
    ("panoptic", {"instance": "mask-x-rcnn", "stuff": (1, 2)}),
    ("panoptic", {"instance": "yolact", "instance_sizes": {**RESNET, "width": 16, "prototypes": 5}}),
]


@pytest.mark.parametrize(("name", "changes"), VARIANTS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(VARIANTS)])
def test_sizes_and_variants_are_read_out_of_the_shapes(name, changes):
    network, info = small_network(name, **changes)
    found = recognize(network.state_dict(), source="a file")
    assert found.info.architecture == name
    assert found.info.categories == ("class 1", "class 2", "class 3")
    read = {k: v for k, v in found.info.config.items() if k not in found.assumed}
    assert without_instance(read) == without_instance({k: info.config[k] for k in read})
    if name == "panoptic":
        instance, told = (c["instance_sizes"] for c in (info.config, found.info.config))
        assert {k: told[k] for k in ("backbone", "width")} == {k: instance[k] for k in ("backbone", "width")}


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "efficientnet-lite2"])
@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"refiner": 8},
        {"refiner": 8, "cut_scorer": 24, "calibrator": 12},
        {"refiner": 8, "cut_scorer": 24, "calibrator": 12, "objectness": 20},
    ],
)
def test_seednet_s_backbone_and_parts_are_read_out_of_the_shapes(backbone, parts):
    config = SeedNetConfig(backbone=backbone, width=16, **parts)
    with torch.device("meta"):
        state = SeedNet(config, pretrained_backbone=False).state_dict()
    found = recognize(state, source="a file")
    assert found.info.architecture == "seednet"
    assert SeedNetConfig(**found.info.config) == config


def test_wrappers_and_safetensors_of_others_make_no_difference(store, tmp_path):
    network, _ = small_network("fcn")
    wrapped = {f"module._orig_mod.{k}": v for k, v in network.state_dict().items()}
    save_file({k: v.clone().contiguous() for k, v in wrapped.items()}, str(tmp_path / "theirs.safetensors"))
    imported = store.import_weights(tmp_path / "theirs.safetensors", name="ours")
    assert (imported.model.version, imported.model.architecture) == ("ours", "fcn")
    assert imported.model.info.facts == {"imported": "theirs.safetensors"}
    assert "dropout" in imported.assumed


def test_a_training_s_own_checkpoint_gives_its_averaged_weights(store, tmp_path):
    network, _ = small_network("yolact")
    other, _ = small_network("yolact", seed=1)
    checkpoint = {"network": other.state_dict(), "average": network.state_dict(), "step": 3}
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    stored = store.import_weights(tmp_path / "checkpoint.pt").model
    loaded = load_segmenter("yolact", weights=stored.weights, device="cpu")
    direct = load_segmenter("yolact", weights=_saved(network, tmp_path / "direct.pth"), device="cpu")
    seeds = [Seed(20.0, 30.0)]
    np.testing.assert_array_equal(
        loaded.encode(PICTURE).similarity(seeds), direct.encode(PICTURE).similarity(seeds)
    )


def _saved(network, path):
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_told_by_name(name):
    network, _ = small_network(name)
    state = network.state_dict()
    # Something in the network's middle, whose shape no size is read from.
    odd = {
        "seednet": "top_down.smooth.1.0.pointwise.weight",
        "deep-metric-learning": "top_down.smooth.1.0.pointwise.weight",
        "embedmask": "head.box_tower.0.weight",
        "spatial-embeddings": "instance_decoder.1.down1.weight",
        "yolact": "protonet.after.weight",
        "fcn": "head.hidden.weight",
        "panoptic": "semantic.hidden.weight",
    }.get(name, "roi_heads.mask_head.mask_fcn2.weight")
    shape = tuple(state[odd].shape)
    broken = {**state, odd: torch.zeros(3, *shape[1:])}
    with pytest.raises(WeightsError, match=f"looks like {name}.*1 of another shape") as caught:
        recognize(broken, source="a file")
    assert f"{odd} is {' x '.join(map(str, (3, *shape[1:])))}, not {' x '.join(map(str, shape))}" in str(
        caught.value
    )
    missing = {k: v for k, v in state.items() if k != odd}
    with pytest.raises(WeightsError, match=rf"1 missing \({odd}\)"):
        recognize(missing, source="a file")
    with pytest.raises(WeightsError, match=r"1 unknown \(further\.weight\)"):
        recognize({**state, "further.weight": torch.zeros(2)}, source="a file")


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("seednet", "seed_head.answer.weight"),
        ("deep-metric-learning", "top_down.lateral.0.weight"),
        ("embedmask", "proposals.query.weight"),
        ("spatial-embeddings", "encoder.7.norm.weight"),
        ("mask-rcnn", "rpn.head.conv.weight"),
        ("mask-x-rcnn", "roi_heads.mask_predictor.gist.fc.weight"),
        ("yolact", "protonet.prototypes.weight"),
        ("fcn", "head.score.weight"),
        ("panoptic", "semantic.score.weight"),
    ],
)
def test_a_missing_size_is_told_too(name, sign):
    state = small_network(name)[0].state_dict()
    del state[sign]
    with pytest.raises(WeightsError, match=f"looks like {name}, but .* is missing"):
        recognize(state, source="a file")


def test_many_misfits_are_counted_and_the_first_ones_named():
    state = {
        k: v for k, v in small_network("fcn")[0].state_dict().items() if not k.startswith("backbone.layer4")
    }
    with pytest.raises(WeightsError, match="no ResNet here with 2, 2, 2, 0 blocks"):
        recognize(state, source="a file")
    network, _ = small_network("yolact")
    cut = {k: v for k, v in network.state_dict().items() if not k.startswith("rescoring.convolutions")}
    with pytest.raises(WeightsError, match=r"10 missing \(.*convolutions\.0\.bias.* and 6 more\)"):
        recognize(cut, source="a file")


def test_names_of_classes_have_to_be_as_many_as_the_classes(store, tmp_path):
    path = _saved(small_network("fcn")[0], tmp_path / "fcn.pth")
    with pytest.raises(WeightsError, match="3 classes, but 2 names"):
        store.import_weights(path, categories=("cat", "dog"))
    assert store.import_weights(path, categories=("a", "b", "c")).model.info.categories == ("a", "b", "c")
    with pytest.raises(WeightsError, match="no classes"):
        recognize(small_network("seednet")[0].state_dict(), source="a file", categories=("a",))


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_an_imagenet_resnet_is_a_start_for_trainings(depth, store, tmp_path):
    torch.manual_seed(depth)
    published = ResNet(depth, width=4)  # its names and shapes, at a sixteenth of the width
    torch.save(published.state_dict(), tmp_path / f"resnet{depth}.pth")
    stored = store.import_weights(tmp_path / f"resnet{depth}.pth").model
    assert (stored.architecture, stored.is_backbone) == (f"resnet-{depth}", True)
    with pytest.raises(WeightsError, match="backbone"):
        store.activate(stored.version)
    start = read_any_weights(stored.weights)
    for name, body in (
        ("deep-metric-learning", "backbone"),
        ("mask-rcnn", "backbone.body"),
        ("panoptic", "instance.backbone.body"),
    ):
        model = ARCHITECTURES[name].trainable(CATEGORIES, start=start)
        state = model.network.state_dict()
        assert torch.equal(state[f"{body}.conv1.weight"], published.conv1.weight)
        last = f"layer4.{len(published.layer4) - 1}.conv2.weight"
        assert torch.equal(state[f"{body}.{last}"], published.state_dict()[last])
        assert f"{body}.fc.weight" not in state
        assert not any(getattr(m, "from_scratch", False) for m in model.network.modules())
    for name in ("spatial-embeddings", "seednet"):
        with pytest.raises(WeightsError):
            ARCHITECTURES[name].trainable(CATEGORIES, start=start)


def test_the_shapes_of_torchvision_s_resnet_50_are_ours():
    """Some of its published names and shapes, written down by hand."""
    with torch.device("meta"):
        state = ResNet(50).state_dict()
    found = recognize(state, source="a file")
    assert found.info.architecture == "resnet-50"
    assert found.info.config == {"width": 64}
    known = {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer3.5.bn3.running_var": (1024,),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
    }
    assert {k: tuple(found.tensors[k].shape) for k in known} == known
    assert not {k for k in found.tensors if k.startswith("fc.")}
    assert sum(v.numel() for k, v in state.items() if "running" not in k and "num" not in k) == 25_557_032


def test_efficientnet_s_own_checkpoint_is_a_backbone_too():
    with torch.device("meta"):
        names = [
            recognize(EfficientNetLite(name).state_dict(), source="a file").info.architecture
            for name in ("efficientnet-lite0", "efficientnet-lite2")
        ]
    assert names == ["efficientnet-lite0", "efficientnet-lite2"]
    with torch.device("meta"):
        state = EfficientNetLite().state_dict()
    fewer = {k: v for k, v in state.items() if not k.startswith("_blocks.15.")}
    with pytest.raises(WeightsError, match="no EfficientNet-Lite here with 15 blocks"):
        recognize(fewer, source="a file")


def test_a_resnet_of_another_depth_or_width_does_not_fit():
    with torch.device("meta"):
        state = ResNet(18).state_dict()
    more = {k.replace("layer3.1.", "layer3.2."): v for k, v in state.items()} | state
    with pytest.raises(WeightsError, match="no ResNet here with 2, 2, 3, 2 blocks"):
        recognize(more, source="a file")
    with pytest.raises(WeightsError, match=r"looks like the backbone resnet-18.*of another shape"):
        recognize({**state, "layer2.0.conv1.weight": torch.zeros(4, 4, 3, 3)}, source="a file")


def test_pickled_code_is_refused_and_not_run(store, tmp_path):
    flag = tmp_path / "flag"

    class Malice:
        def __reduce__(self):
            return open, (str(flag), "w")

    torch.save({"conv1.weight": torch.zeros(1), "extra": Malice()}, tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Malice()))
    torch.save(nn.Linear(1, 1), tmp_path / "module.pth")
    for name in ("evil.pth", "evil.pkl", "module.pth"):
        with pytest.raises(WeightsError, match="runs no code"):
            store.import_weights(tmp_path / name)
    assert not flag.exists()
    torch.save({"weight": [torch.zeros(1)]}, tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="no table of named tensors"):
        store.import_weights(tmp_path / "list.pth")


def test_a_mask_rcnn_is_a_start_for_its_relatives():
    network, info = small_network("mask-rcnn")
    for name in ("mask-scoring-rcnn", "mask-x-rcnn"):
        model = SMALL[name][0].trainable(CATEGORIES, start=(info, network.state_dict()))
        state = model.network.state_dict()
        assert torch.equal(state["rpn.head.conv.weight"], network.state_dict()["rpn.head.conv.weight"])
        assert model.info.config["hidden"] == TWO_STAGE["hidden"]
    with pytest.raises(WeightsError, match="weights of mask-rcnn, no start for yolact"):
        SMALL["yolact"][0].trainable(CATEGORIES, start=(info, network.state_dict()))
