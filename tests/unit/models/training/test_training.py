"""Real trainings of a few steps: budget, stop, resume, the files they leave."""

from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from models import WeightsError, load_segmenter
from models.data.crops import CropSettings
from models.data.dataset import load_dataset
from models.data.sample import collate
from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.training.drawn_clicks import draw_corrections, draw_objects, draw_seeds
from models.seednet.training.mask_losses import area_bce, dice_loss
from models.seednet.training.seed_batch import SeedBatch, seediness_target
from models.seednet.training.seed_loss import SecondLookLoss, SeedLoss, SeedLossSettings, mirror_images
from models.training.averaging import WeightAverage, mean_weights
from models.training.events import Finished, StepDone
from models.training.prefetch import Prefetcher, ProcessPrefetcher
from models.training.request import TrainingRequest
from models.training.schedule import learning_rate_factor
from models.training.training import Training
from models.weights import WeightsInfo, read_weights
from tests.unit.models.evaluation.coco_folders import write_coco_folder

SMALL = SeedNetConfig(width=16, embedding=6, levels=3, query_hidden=24, scorer_channels=8, scorer_hidden=16)
CROPS = CropSettings(size=64, long_side=(64, 128))


@pytest.fixture
def datasets(tmp_path):
    return tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=4)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SeedNet(SMALL, pretrained_backbone=False)


def request_for(datasets, output, **changes):
    info = WeightsInfo("seednet", "seednet-test", asdict(SMALL))
    return TrainingRequest(
        datasets=datasets, output=output, info=info, batch_size=2, crops=CROPS, **{"steps": 3, **changes}
    )


def test_training_takes_its_steps_and_leaves_weights_that_load(datasets, network, tmp_path):
    events = []
    path = Training(
        network, SeedLoss(), request_for(datasets, tmp_path / "run"), on_event=events.append
    ).run()
    assert isinstance(events[-1], Finished)
    assert (events[-1].steps, events[-1].stopped, events[-1].weights) == (3, False, path)
    segmenter = load_segmenter("seednet", weights=path, device="cpu")
    assert segmenter.version == "seednet-test"
    info, _ = read_weights(path)
    assert info.facts["steps"] == 3
    assert info.facts["data"] == {"discs": 1.0}


def test_training_changes_the_head_but_neither_frozen_blocks_nor_running_statistics(
    datasets, network, tmp_path
):
    before = {k: v.clone() for k, v in network.state_dict().items()}
    Training(network, SeedLoss(), request_for(datasets, tmp_path / "run", frozen_blocks=4)).run()
    after = network.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert "seed_head.answer.weight" in changed
    assert any(k.startswith("backbone._blocks.9.") for k in changed)
    assert not any(k.startswith(("backbone._conv_stem", "backbone._blocks.3.")) for k in changed)
    assert not any("running_" in k for k in changed)


class Gatherer:
    """Notes what the engine does with a loss that gathers."""

    steps = 4

    def __init__(self, network):
        self.parameter, self.calls = network.embedding.bias, []

    def gather(self, _network, batch, _generator):
        assert batch is not None
        self.calls.append(("gather", float(self.parameter.detach().sum())))
        return {}

    def __call__(self, _network, batch, _generator):
        assert batch is None
        self.calls.append(("teach", float(self.parameter.detach().sum())))
        return {"loss": self.parameter.sum()}


@pytest.mark.parametrize("stops_after", [None, 2])
def test_what_a_loss_gathers_as_long_as_the_budget_lasts_is_taught_then(
    datasets, network, tmp_path, stops_after
):
    loss = Gatherer(network)
    request = request_for(datasets, tmp_path / "run", steps=5, rate=0.1)
    events = []
    Training(
        network,
        loss,
        request,
        should_stop=lambda: len(loss.calls) == stops_after,
        on_event=events.append,
    ).run()
    asked = stops_after or 5
    assert [name for name, _ in loss.calls] == ["gather"] * asked + ["teach"] * 4
    assert events[-1].steps == asked
    values = [value for _, value in loss.calls]
    assert len(set(values[: asked + 1])) == 1
    assert all(later < earlier for earlier, later in pairwise(values[asked:]))


def test_a_stop_is_honoured_between_steps_and_keeps_what_was_learned(datasets, network, tmp_path):
    asked = []
    before = {k: v.clone() for k, v in network.ranges.state_dict().items()}

    def stop_after_two() -> bool:
        asked.append(1)
        return len(asked) > 2

    events = []
    request = request_for(datasets, tmp_path / "run", steps=1000)
    path = Training(network, SeedLoss(), request, should_stop=stop_after_two, on_event=events.append).run()
    assert events[-1].stopped
    assert events[-1].steps == 2
    _, tensors = read_weights(path)
    assert all(torch.equal(tensors[f"ranges.{k}"], v) for k, v in before.items())  # not worth a wait


def test_a_training_measures_what_its_backbone_leads_to(datasets, network, tmp_path):
    path = Training(network, SeedLoss(), request_for(datasets, tmp_path / "run", steps=1)).run()
    _, tensors = read_weights(path)
    assert float(tensors["ranges.left0"].max()) > 0.0
    assert all(float(v.min()) >= 0.0 for k, v in tensors.items() if k.startswith("ranges."))


def test_a_longer_budget_resumes_where_the_shorter_ended(datasets, network, tmp_path):
    Training(network, SeedLoss(), request_for(datasets, tmp_path / "run", steps=2)).run()
    torch.manual_seed(1)
    fresh = SeedNet(SMALL, pretrained_backbone=False)
    events = []
    request = request_for(datasets, tmp_path / "run", steps=5)
    Training(fresh, SeedLoss(), request, on_event=events.append).run()
    assert events[-1].steps == 5
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    steps = {int(v["step"]) for v in state["optimizer"]["state"].values()}
    assert max(steps) == 5


def test_a_time_budget_ends_the_training(datasets, network, tmp_path):
    events = []
    request = request_for(datasets, tmp_path / "run", steps=None, minutes=0.02)
    Training(network, SeedLoss(), request, on_event=events.append).run()
    assert events[-1].steps >= 1
    assert any(isinstance(e, StepDone) and 0 < e.progress <= 1 for e in events)


@pytest.mark.parametrize("changes", [{"steps": None}, {"datasets": ()}])
def test_a_training_without_budget_or_data_is_refused(datasets, tmp_path, changes):
    with pytest.raises(ValueError, match="needs"):
        replace(request_for(datasets, tmp_path), **changes)


def test_seeds_fall_inside_their_objects_and_central_ones_deeper(datasets, tmp_path):
    from models.data.crops import draw_crop

    _, target = draw_crop(datasets, CROPS, np.random.default_rng(3))
    depths = {}
    for central, deepest in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        values = []
        for seed in range(20):
            generator = torch.Generator().manual_seed(seed)
            objects = draw_objects(target, generator, objects=8)
            count = 2 * len(objects)
            drawn = draw_seeds(target, objects, generator, count=count, central=central, deepest=deepest)
            side = target.masks.shape[1]
            value, _ = seediness_target(target)
            for (x, y), owner in zip(drawn.points.tolist(), drawn.owner.tolist(), strict=True):
                assert target.masks[owner][int(y * side), int(x * side)] >= 0.5
                values.append(float(value[int(y * side), int(x * side)]))
        depths[central, deepest] = np.mean(values)
    assert depths[0.0, 1.0] > depths[1.0, 0.0] > depths[0.0, 0.0]
    assert depths[0.0, 1.0] > 0.9


def test_seediness_is_unknown_outside_the_objects_of_partial_pictures(datasets):
    from models.data.crops import draw_crop

    _, target = draw_crop(datasets, CROPS, np.random.default_rng(3))
    value, known = seediness_target(target)
    assert known.all()
    value, known = seediness_target(replace(target, exhaustive=False))
    assert torch.equal(known, value > 0)
    assert float(value.max()) == pytest.approx(1.0)


def test_the_loss_sends_gradient_to_every_part(datasets, network):
    from models.data.crops import draw_crop

    rng = np.random.default_rng(0)
    batch = collate([draw_crop(datasets, CROPS, rng) for _ in range(2)])
    terms = SeedLoss()(network, batch, torch.Generator().manual_seed(0))
    assert float(terms["loss"].detach()) > 0
    terms["loss"].backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None]
    assert silent == []


def drawn_batch(datasets, count=3):
    from models.data.crops import draw_crop

    rng = np.random.default_rng(5)
    crops = [draw_crop(datasets, CROPS, rng) for _ in range(count)]
    image, target = crops[0]
    nothing = replace(
        target,
        masks=target.masks[:0],
        categories=target.categories[:0],
        whole=target.whole[:0],
        has_mask=target.has_mask[:0],
    )
    return collate([*crops, (image, nothing)])


def test_a_batch_of_seeds_has_as_many_in_every_crop_and_knows_their_objects(datasets):
    batch = drawn_batch(datasets)
    seeds = SeedLoss().prepare(batch, torch.Generator().manual_seed(0))
    assert seeds.usable.tolist() == [True, True, True, False]
    count = len(seeds.points) // 4
    side = seeds.masks.shape[1]
    for row in range(3 * count):
        x, y = (seeds.points[row] * side).long().tolist()
        target = batch.targets[row // count]
        own = seeds.mask_of(seeds.owner[row : row + 1])[0, 0]
        assert own[y, x] >= 0.5
        assert any(torch.allclose(own, mask, atol=0.005) for mask in target.masks)
        others = int((target.masks[:, y, x] >= 0.5).sum()) - 1
        assert (int(seeds.around[row]) >= 0) == (others > 0)
    moved = seeds.to(torch.device("cpu"))
    assert isinstance(moved, SeedBatch)


@pytest.mark.parametrize("kind", [SeedLoss, SecondLookLoss])
def test_a_crop_without_objects_teaches_no_masks(datasets, kind):
    torch.manual_seed(0)
    network = SeedNet(replace(SMALL, refiner=8, cut_scorer=8), pretrained_backbone=False).eval()
    loss = kind(SeedLossSettings(corrected=0.0))
    batch = drawn_batch(datasets)
    seeds = loss.prepare(batch, torch.Generator().manual_seed(0))
    count = len(seeds.points) // 4
    with torch.no_grad():
        together = loss(network, seeds, torch.Generator())
        alone = []
        for index in range(3):
            part = slice(index * count, (index + 1) * count)
            only = SeedBatch(
                seeds.images[index : index + 1],
                seeds.masks,
                seeds.points[part],
                seeds.owner[part],
                seeds.around[part],
                seeds.usable[index : index + 1],
                seeds.seediness[index : index + 1],
                seeds.known[index : index + 1],
            )
            alone.append(loss(network, only, torch.Generator()))
    for name in ("region", "score", "choice", "iou"):
        mean = sum(float(terms[name]) for terms in alone) / 3
        assert float(together[name]) == pytest.approx(mean, rel=1e-3, abs=1e-5)


def test_the_level_that_would_be_chosen_learns_as_its_choice_is_likely(datasets, network):
    from models.data.crops import draw_crop

    image, target = draw_crop(datasets, CROPS, np.random.default_rng(0))
    batch = collate([(image, target)])
    network.eval()
    terms = {
        weight: SeedLoss(SeedLossSettings(expected=weight, corrected=0.0))(
            network, batch, torch.Generator().manual_seed(0)
        )
        for weight in (0.0, 2.0)
    }
    added = float(terms[2.0]["region"] - terms[0.0]["region"])
    settings = SeedLossSettings()
    seeds = SeedLoss(settings).prepare(batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = network.features(batch.images)
        mirror = network.view(mirror_images(batch.images, network.config.mirror))
        query, logits = network.ask(features.view, seeds.points, mirror)
        answer = network.judge(features, query, logits, seeds.clicks())
        own = seeds.mask_of(seeds.owner)
        cost = (area_bce(answer.logits, own) + dice_loss(answer.logits, own)).numpy()
        scores = answer.scores.ious.amax(dim=2).numpy()
    belief = np.exp(settings.choice_sharpness * scores)
    belief /= belief.sum(axis=1, keepdims=True)
    assert added == pytest.approx(2.0 * float((belief * cost).sum(axis=1).mean()), rel=1e-3)


def test_the_average_forgets_the_beginning():
    layer = torch.nn.Linear(1, 1)
    average = WeightAverage(layer, decay=0.9)
    with torch.no_grad():
        layer.weight.fill_(5.0)
    for _ in range(100):
        average.update(layer)
    assert float(average.values["weight"]) == pytest.approx(5.0, abs=1e-2)


def test_the_rate_warms_up_and_falls_to_zero():
    rates = [learning_rate_factor(step, step / 1000) for step in range(1001)]
    assert rates[0] < rates[50] < rates[99]
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] == 0.0


def test_an_error_while_making_batches_reaches_the_training():
    def broken():
        raise OSError("the picture is gone")

    with Prefetcher(broken) as batches, pytest.raises(OSError, match="the picture is gone"):
        next(iter(batches))


def test_processes_make_batches_as_a_thread_does(datasets, network, tmp_path):
    events = []
    request = request_for(datasets, tmp_path / "run", processes=2, steps=4)
    Training(network, SeedLoss(), request, on_event=events.append).run()
    assert events[-1].steps == 4


def _numbers_of(process):
    count = iter(range(process, 1000, 2))
    return lambda: next(count)


def _broken(_process):
    raise OSError("the picture is gone")


def test_every_process_makes_its_own_batches():
    with ProcessPrefetcher(_numbers_of, processes=2, pinned=False) as batches:
        numbers = [n for n, _ in zip(batches, range(8), strict=False)]
    assert sorted(numbers) == list(range(8))
    with (
        ProcessPrefetcher(_broken, processes=1, pinned=False) as batches,
        pytest.raises(OSError, match="the picture is gone"),
    ):
        next(iter(batches))


def test_corrections_fall_into_what_is_wrong_with_the_right_sign():
    truth = torch.zeros((3, 20, 30), dtype=torch.bool)
    truth[:, 5:15, 5:15] = True
    predicted = truth.clone()
    predicted[0, 5:15, 10:15] = False  # a part is missing
    predicted[1, 5:15, 15:22] = True  # a part is too much
    clicks = draw_corrections(predicted, truth, 4, torch.Generator().manual_seed(0))
    assert clicks.shape == (3, 4, 3)
    x, y, sign = clicks.unbind(dim=2)
    assert set(sign[0].tolist()) <= {0.0, 1.0}
    assert (sign[0] > 0).any()
    assert set(sign[1].tolist()) <= {0.0, -1.0}
    assert (sign[1] < 0).any()
    assert not sign[2].any()
    for s in range(2):
        assert (predicted ^ truth)[s, y[s].long(), x[s].long()].all()


def weights_of(value, *, width=2, categories=("cup",), steps=None):
    tensors = {"layer.weight": torch.full((width,), value)}
    if steps is not None:
        tensors["layer.num_batches_tracked"] = torch.tensor(steps)
    return WeightsInfo("fcn", f"run {value}", {"width": width}, categories), tensors


def test_the_mean_of_several_trainings():
    info, mean = mean_weights([weights_of(1.0, steps=7), weights_of(2.0, steps=8), weights_of(6.0)])
    assert info.version == "run 1.0"
    assert mean["layer.weight"].tolist() == [3.0, 3.0]
    half = weights_of(2.0)[0], {"layer.weight": torch.full((2,), 2.0, dtype=torch.float16)}
    assert mean_weights([half, weights_of(3.0)])[1]["layer.weight"].tolist() == [2.5, 2.5]
    alone = weights_of(4.0)
    assert mean_weights([alone]) == alone


@pytest.mark.parametrize("other", [weights_of(1.0, width=3), weights_of(1.0, categories=("jug",))])
def test_different_networks_have_no_mean(other):
    with pytest.raises(WeightsError, match="of the same network"):
        mean_weights([weights_of(1.0), other])
