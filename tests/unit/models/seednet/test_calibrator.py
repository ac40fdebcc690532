"""What has the last word on SeedNet's scores: what it goes by, what it remembers, that it alone learns."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from models.data.crops import CropSettings, WholePictures, draw_crop
from models.data.dataset import load_dataset
from models.data.sample import collate
from models.errors import SegmenterError
from models.seednet.cut_calibrator import CutCalibrator
from models.seednet.network import SeedNet
from models.seednet.scores import THRESHOLDS
from models.seednet.training.calibration import CalibrationLoss
from models.seednet.training.lessons import trainable_seednet
from models.seednet.training.mask_losses import threshold_ious
from models.seednet.training.replay_buffer import ReplayBuffer
from models.seednet.training.seed_loss import SeedLossSettings
from models.training.request import TrainingRequest
from models.training.training import Training
from models.weights import WeightsInfo, read_weights
from tests.unit.models.evaluation.coco_folders import write_coco_folder
from tests.unit.models.seednet.seednet_cases import COMPLETE, ask, small_seednet

SMALL = replace(COMPLETE, objectness=0)
WHOLE = CropSettings(long_side=(90, 130), whole=WholePictures())


@pytest.fixture
def calibrator():
    torch.manual_seed(0)
    return CutCalibrator(shape_facts=4, levels=3, thresholds=6, width=10)


@pytest.fixture
def network():
    return small_seednet(SMALL)


@pytest.fixture
def datasets(tmp_path):
    return tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=4)))


def facts_of(seeds):
    return torch.randn((seeds, 3, 6, 5), generator=torch.Generator().manual_seed(seeds))


def seeds_of(datasets, loss, seed=0):
    batch = collate([draw_crop(datasets, WHOLE, np.random.default_rng(seed))])
    return loss.prepare(batch, torch.Generator().manual_seed(seed))


def answers(network, seeds):
    return ask(network, seeds.images, seeds.points)[0]


def test_a_fresh_one_corrects_nothing(calibrator):
    torch.testing.assert_close(calibrator(facts_of(5)), facts_of(5)[..., 0])


def test_each_cut_is_seen_among_the_others_of_its_seed_alone(calibrator):
    torch.nn.init.normal_(calibrator.correction.weight)
    facts = facts_of(4)
    before = calibrator(facts) - facts[..., 0]
    changed = facts.clone()
    changed[2, 1, 3, 2] += 4.0
    after = calibrator(changed) - changed[..., 0]
    torch.testing.assert_close(after[[0, 1, 3]], before[[0, 1, 3]])
    assert (after[2] != before[2]).float().mean() > 0.9
    torch.testing.assert_close(calibrator(facts[1:2]) - facts[1:2, ..., 0], before[1:2])


def test_it_goes_by_the_other_scorers_the_shapes_and_the_depth_of_the_click(network, datasets):
    seeds = seeds_of(datasets, CalibrationLoss())
    answer = answers(network, seeds)
    facts = answer.scores.facts
    assert facts.shape == (len(seeds.points), 3, len(THRESHOLDS), 1 + 2 + 6)
    torch.testing.assert_close(facts[..., 0].sigmoid(), answer.scores.ious)  # a fresh one corrects nothing
    without = SeedNet(replace(SMALL, calibrator=0), pretrained_backbone=False).eval()
    without.load_state_dict(network.state_dict(), strict=False)
    other = answers(without, seeds)
    torch.testing.assert_close(other.scores.ious, answer.scores.ious)
    assert other.scores.facts is None
    torch.nn.init.constant_(network.level_scorer.calibrator.correction.bias, 1.5)
    torch.testing.assert_close(answers(network, seeds).scores.ious, (facts[..., 0] + 1.5).sigmoid())


def test_the_latest_answers_are_remembered():
    memory = ReplayBuffer(5)
    for number in range(4):
        facts = torch.full((2, 1, 1, 1), float(number))
        memory.add(facts, facts[..., 0] / 10.0)
        assert len(memory) == min(5, 2 * (number + 1))
    facts, truth = memory.draw(400, torch.Generator().manual_seed(0))
    assert set(facts.flatten().tolist()) == {1.0, 2.0, 3.0}  # of the second picture one answer is left
    torch.testing.assert_close(truth, facts[..., 0] / 10.0)


def test_pictures_weigh_the_same_however_many_answers_they_have():
    memory = ReplayBuffer(100)
    memory.add(torch.zeros((1, 1, 1, 1)), torch.zeros((1, 1, 1)))
    memory.add(torch.ones((9, 1, 1, 1)), torch.ones((9, 1, 1)))
    facts, _ = memory.draw(4000, torch.Generator().manual_seed(0))
    assert float(facts.mean()) == pytest.approx(0.5, abs=0.05)


def test_what_is_remembered_is_what_was_answered_and_what_was_true(network, datasets):
    loss = CalibrationLoss(SeedLossSettings(seeds=2, corrected=0.0))
    seeds = seeds_of(datasets, loss)
    told = loss.gather(network, seeds, torch.Generator().manual_seed(0))
    answer = answers(network, seeds)
    truth = threshold_ious(answer.logits, seeds.mask_of(seeds.owner), THRESHOLDS)
    assert len(loss.buffer) == len(seeds.points) == float(told["answers"])
    facts, true = loss.buffer.draw(50, torch.Generator().manual_seed(1))
    for seen, iou in zip(facts, true, strict=True):
        distance = (answer.scores.facts - seen).abs().amax(dim=(1, 2, 3))
        assert float(distance.min()) < 1e-4
        torch.testing.assert_close(truth[distance.argmin()], iou)


def test_a_third_is_answered_again_with_further_clicks(network, datasets):
    torch.nn.init.normal_(network.refiner.delta.weight)
    loss = CalibrationLoss()
    seeds = seeds_of(datasets, loss)
    loss.gather(network, seeds, torch.Generator().manual_seed(0))
    assert len(loss.buffer) == len(seeds.points) + round(len(seeds.points) / 3)


def test_pictures_without_anything_to_click_on_teach_nothing(network, datasets):
    loss = CalibrationLoss()
    empty = replace(seeds_of(datasets, loss), usable=torch.tensor([False]))
    loss.gather(network, empty, torch.Generator())
    assert len(loss.buffer) == 0
    assert loss(network, None, torch.Generator()) == {}
    with pytest.raises(ValueError, match="without a calibrator"):
        loss(SeedNet(replace(SMALL, calibrator=0), pretrained_backbone=False), None, torch.Generator())


def test_it_learns_which_cuts_the_other_scorers_are_wrong_about(network, datasets):
    network.freeze_all_but(network.level_scorer.calibrator)
    loss = CalibrationLoss()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 3e-3)
    generator, scores = torch.Generator().manual_seed(0), []
    for seed in range(6):
        loss.gather(network, seeds_of(datasets, loss, seed), generator)
    known = len(loss.buffer)
    for _ in range(100):
        terms = loss(network, None, generator)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        scores.append(float(terms["score"]))
        assert 0.0 <= float(terms["iou"]) <= 1.0
    assert np.mean(scores[-20:]) < 0.5 * np.mean(scores[:5])
    assert len(loss.buffer) == known


def test_teaching_the_calibrator_changes_nothing_else(network, datasets, tmp_path):
    state = {k: v.clone() for k, v in network.state_dict().items() if ".calibrator." not in k}
    info = WeightsInfo("seednet", "seednet-test", asdict(replace(SMALL, calibrator=0)))
    model = trainable_seednet(
        ("disc",),
        pretrained_backbone=False,
        start=(info, state),
        teach="calibrator",
        sizes={"ranges": "false"},
    )
    assert model.network.config.calibrator > 0
    assert model.crops.whole is not None
    model.loss.steps = 10
    request = TrainingRequest(
        datasets=datasets,
        output=tmp_path / "run",
        info=model.info,
        batch_size=1,
        crops=replace(model.crops, long_side=WHOLE.long_side),
        steps=2,
    )
    _, tensors = read_weights(Training(model.network, model.loss, request).run())
    learnt = {k for k, v in tensors.items() if k not in state or not torch.equal(v, state[k])}
    assert learnt == {k for k in model.network.state_dict() if ".calibrator." in k}
    assert tensors["level_scorer.calibrator.correction.weight"].any()
    with pytest.raises(ValueError, match="takes one of them"):
        replace(request, batch_size=2)
    # The same budget again has nothing left to ask, so nothing is taught.
    again = trainable_seednet(
        ("disc",),
        pretrained_backbone=False,
        start=(info, state),
        teach="calibrator",
        sizes={"ranges": "false"},
    )
    _, after = read_weights(Training(again.network, again.loss, request).run())
    for name, value in tensors.items():
        torch.testing.assert_close(after[name], value, rtol=0.0, atol=0.0)


def test_the_calibrator_wants_a_refiner_that_was_taught(network):
    plain = SeedNet(replace(SMALL, cut_scorer=0, calibrator=0), pretrained_backbone=False)
    info = WeightsInfo("seednet", "seednet-test", asdict(plain.config))
    start = (info, plain.state_dict())
    with pytest.raises(SegmenterError, match="--teach refiner"):
        trainable_seednet((), pretrained_backbone=False, start=start, teach="calibrator")
    with pytest.raises(SegmenterError, match="cut_scorer"):
        trainable_seednet((), pretrained_backbone=False, sizes={"calibrator": "8"})
