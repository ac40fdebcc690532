"""The model list: every network that was trained or imported can be chosen, and answers clicks."""

from __future__ import annotations

import pytest
import torch

from app.project.folders import data_dir
from app.workers.inference import InferenceEngine
from app.workers.training import TrainingOutcome, TrainRequest, find_base, run_training_job
from converters.annotation import ImageAnnotation, Instance, Mask
from converters.formats.labelme.document import write_labelme
from models import WeightsError, load_segmenter
from models.backbones.resnet import ResNet
from models.data.shapes import make_shapes
from models.networks.registry import ARCHITECTURES
from models.store import ModelStore
from models.weights import WeightsInfo, read_weights, save_weights
from tests.gui.window.test_main_window import grow
from tests.unit.models.networks.small_networks import SMALL, shake, small_network


@pytest.fixture
def store(tmp_path):
    """A store with a small network of every kind, and a backbone."""
    store = ModelStore(data_dir() / "models")
    for name in SMALL:
        network, info = small_network(name, long_side=96)
        shake(network)
        save_weights(tmp_path / f"my-{name}.safetensors", network, info)
        store.import_weights(tmp_path / f"my-{name}.safetensors")
    torch.save(ResNet(18, width=8).state_dict(), tmp_path / "resnet18.pth")
    store.import_weights(tmp_path / "resnet18.pth")
    return store


@pytest.fixture
def engine(store):
    """The real one; the window's own begins with FCN, so that the shipped model need not be loaded."""
    store.activate("my-fcn")
    return InferenceEngine(load_segmenter)


def test_every_network_of_the_list_answers_a_click(driver, folder, store):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    models = driver.window.docks.panels["properties"].view.models
    listed = [models.itemData(row) for row in range(models.count())]
    assert listed[0] == "seednet (shipped)"
    assert set(listed[1:]) == {f"my-{name}" for name in ARCHITECTURES if name != "seednet"}
    for name in SMALL:
        row = listed.index(f"my-{name}")
        models.setCurrentIndex(row)
        models.activated.emit(row)
        driver.wait(
            lambda name=name: (
                driver.services.segmentation.model is not None
                and driver.services.segmentation.model.name == name
            )
        )
        driver.wait_for_encoding()
        instance = grow(driver)
        assert isinstance(instance.geometry, Mask)
        (seed,) = instance.provenance.seeds
        assert instance.geometry.contains(int(seed.x), int(seed.y))
        assert instance.provenance.model == driver.session.encoding.version
        driver.trigger("undo")
    assert [m.version for m in store.models() if m.active] == [f"my-{list(SMALL)[-1]}"]


def annotated(folder):
    """Two pictures of shapes with labelme files beside them."""
    made = make_shapes(folder, count=2, size=64, objects=(2, 3), diameter=(0.3, 0.5))
    for picture in made.pictures:
        instances = tuple(
            Instance(f"{picture.path.stem}-{number}", made.categories[item.category], item.mask)
            for number, item in enumerate(picture.objects)
        )
        annotation = ImageAnnotation(picture.path.name, picture.height, picture.width, instances)
        write_labelme(picture.path.with_suffix(".json"), annotation)
    return folder


def test_an_imported_network_learns_from_the_user_s_objects(tmp_path, store):
    store.activate("my-fcn")
    folder = annotated(tmp_path / "pictures")
    request = TrainRequest(folder, 0.01, "fcn", store.folder)
    outcome = run_training_job(request, lambda: False, lambda _event: None)
    assert isinstance(outcome, TrainingOutcome)
    assert outcome.held_out > 0
    info, _ = read_weights(outcome.weights)
    assert info.facts["parent"] == "fcn-1"
    assert load_segmenter("fcn", weights=outcome.weights, device="cpu").version == outcome.version


def test_trainings_start_from_the_imported_weights_and_not_from_one_another(store, tmp_path):
    network, info = small_network("fcn")
    with pytest.raises(WeightsError, match="no weights of fcn are in use"):
        find_base("fcn", store.folder)
    for version, parent in (("first", "my-fcn"), ("second", "first")):
        save_weights(
            tmp_path / f"{version}.safetensors",
            network,
            WeightsInfo("fcn", version, info.config, info.categories, {"parent": parent}),
        )
        store.import_weights(tmp_path / f"{version}.safetensors")
    store.activate("second")
    assert find_base("fcn", store.folder) == store.weights_of("my-fcn")
    with pytest.raises(WeightsError, match="no weights of yolact"):
        find_base("yolact", store.folder)
    assert find_base("seednet", store.folder).name == "seednet.safetensors"
