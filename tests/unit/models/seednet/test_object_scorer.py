"""What tells objects from other masks where nobody has clicked: what it goes by, and that it alone learns."""

from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from models.data.crops import CropSettings, WholePictures, draw_crop
from models.data.dataset import load_dataset
from models.data.sample import collate
from models.errors import SegmenterError
from models.grid.peaks import seed_peaks
from models.seednet.features import SeedMasks
from models.seednet.network import SeedNet
from models.seednet.object_scorer import ObjectScorer, believed_without_click, facts_count, facts_of
from models.seednet.segmenter import SeedNetSegmenter
from models.seednet.training.lessons import trainable_seednet
from models.seednet.training.objectness import KnownPictures, ObjectnessLoss, credits_of
from models.training.request import TrainingRequest
from models.training.training import Training
from models.weights import WeightsInfo, read_weights
from tests.unit.models.evaluation.coco_folders import draw_discs, write_coco_folder
from tests.unit.models.seednet.seednet_cases import COMPLETE, ask, small_seednet

WHOLE = CropSettings(long_side=(128, 128), whole=WholePictures())


@pytest.fixture
def network():
    return small_seednet()


@pytest.fixture
def datasets(tmp_path):
    return tuple(load_dataset(write_coco_folder(tmp_path / "discs", pictures=4)))


def drawn(datasets, seed=0):
    return collate([draw_crop(datasets, WHOLE, np.random.default_rng(seed))])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def asked(network, images, seeds):
    """What (S, 2) seeds in cells are answered with; the seediness."""
    height, width = images.shape[2] // 4, images.shape[3] // 4
    return ask(network, images, seeds / torch.tensor([width, height]))


def test_a_fresh_one_believes_in_what_fits_well_and_was_asked_in_the_middle_of_something(network, datasets):
    seeds = torch.tensor([[3.5, 4.5], [20.5, 9.5]])
    masks, seediness = asked(network, drawn(datasets).images, seeds)
    expected = masks.scores.iou * torch.stack([seediness[0, 4, 3], seediness[0, 9, 20]]).sqrt()[:, None]
    torch.testing.assert_close(believed_without_click(masks.scores, seediness, seeds), expected)
    torch.testing.assert_close(network.objectness(masks, seediness, seeds), expected, atol=1e-3, rtol=1e-3)
    without = SeedNet(replace(COMPLETE, objectness=0), pretrained_backbone=False).eval()
    torch.testing.assert_close(without.objectness(masks, seediness, seeds), expected)


def test_it_goes_by_what_was_seen_of_each_level_s_best_cut(network, datasets):
    seeds = torch.tensor([[3.5, 4.5], [20.5, 9.5], [29.5, 20.5]])
    masks, seediness = asked(network, drawn(datasets).images, seeds)
    facts = facts_of(masks, seediness, seeds)
    assert facts.shape == (3, 3, facts_count(network.level_scorer))
    best = masks.scores.ious.argmax(dim=2)
    for seed in range(3):
        for level in range(3):
            cut = int(best[seed, level])
            told = torch.cat([masks.scores.facts[seed, level, cut], masks.scores.seen[seed, level, cut]])
            torch.testing.assert_close(facts[seed, level, -len(told) :], told)
    torch.testing.assert_close(facts[:, :, 4:7], torch.eye(3).expand(3, -1, -1))  # which level it is
    with pytest.raises(ValueError, match="calibrator"):
        facts_of(SeedMasks(masks.logits, replace(masks.scores, seen=None)), seediness, seeds)


def test_it_sees_the_seediness_inside_and_around(network, datasets):
    seeds = torch.tensor([[8.5, 8.5]])
    masks, seediness = asked(network, drawn(datasets).images, seeds)
    logits = torch.full_like(masks.logits, -9.0)
    logits[:, :, 4:12, 4:12] = 9.0
    map_ = torch.zeros_like(seediness)
    map_[:, 4:12, 4:12] = 0.75
    facts = facts_of(replace(masks, logits=logits), map_, seeds)
    torch.testing.assert_close(facts[..., 2], torch.full((1, 3), 0.75), atol=2e-4, rtol=0.0)
    torch.testing.assert_close(facts[..., 3], torch.zeros((1, 3)))
    outside = facts_of(replace(masks, logits=logits), 0.75 - map_, seeds)
    torch.testing.assert_close(outside[..., 3], torch.full((1, 3), 0.75), atol=2e-4, rtol=0.0)


def test_pictures_side_by_side_are_told_apart(network, datasets):
    both = torch.cat([drawn(datasets, seed).images for seed in (0, 1)])
    seeds = torch.tensor([[3.5, 4.5], [20.5, 9.5]])
    masks, seediness = asked(network, both, seeds.repeat(2, 1))
    facts = facts_of(masks, seediness, seeds.repeat(2, 1))
    for index in range(2):
        alone, own = asked(network, both[index : index + 1], seeds)
        torch.testing.assert_close(
            facts[2 * index : 2 * index + 2], facts_of(alone, own, seeds), atol=1e-3, rtol=1e-3
        )


def test_masks_are_worth_the_thresholds_that_they_reach(network, datasets):
    masks, _ = asked(network, drawn(datasets).images, torch.tensor([[3.5, 4.5]]))
    logits = torch.full_like(masks.logits, -9.0)
    logits[0, 0, 0:10, 0:10] = 9.0
    logits[0, 1, 0:10, 0:8] = 9.0
    logits[0, 2, 0:10, 0:4] = 9.0
    true = torch.zeros((2, *logits.shape[2:]), dtype=torch.bool)
    true[0, 0:10, 0:10] = True
    true[1, 12:14, 12:14] = True
    found = replace(masks, logits=logits)
    torch.testing.assert_close(credits_of(found, true), torch.tensor([[1.0, 0.7, 0.0]]))
    assert not credits_of(found, true[:0]).any()


def test_what_is_remembered_is_what_the_search_would_ask_for(network, datasets):
    batch = drawn(datasets)
    loss = ObjectnessLoss(sought=5)
    told = loss.gather(network, batch, generator())
    assert len(loss.buffer) == 5 == float(told["seeds"])
    with torch.no_grad():
        seediness = network.seediness_of(network.features(batch.images).view)[0, 0].sigmoid().numpy()
    peaks = torch.tensor(seed_peaks(seediness), dtype=torch.float32)
    masks, maps = asked(network, batch.images, peaks.flip(1) + 0.5)
    facts = facts_of(masks, maps, peaks.flip(1) + 0.5)
    worth = credits_of(masks, batch.targets[0].masks >= 0.5)
    for seen, true in zip(*loss.buffer.draw(30, generator(1)), strict=True):
        distance = (facts - seen.float()).abs().amax(dim=(1, 2))
        assert float(distance.min()) < 0.05  # remembered with half the digits
        torch.testing.assert_close(worth[distance.argmin()], true)


def test_only_pictures_of_which_everything_is_known_teach(network, tmp_path):
    partial = tuple(load_dataset(write_coco_folder(tmp_path / "partial", partial=True)))
    loss = ObjectnessLoss()
    loss.gather(network, drawn(partial), generator())
    assert len(loss.buffer) == 0
    assert loss(network, None, generator()) == {}
    whole = tuple(load_dataset(write_coco_folder(tmp_path / "whole")))
    batch = drawn(whole)
    [target] = batch.targets
    boxed = replace(target, has_mask=torch.zeros(len(target.masks), dtype=torch.bool))
    assert KnownPictures.of(batch).exhaustive.all()
    assert not KnownPictures.of(replace(batch, targets=(boxed,))).exhaustive.any()


def test_pictures_without_a_seed_teach_nothing(network, datasets):
    torch.nn.init.constant_(network.seediness[1].bias, -50.0)
    loss = ObjectnessLoss()
    loss.gather(network, drawn(datasets), generator())
    assert len(loss.buffer) == 0
    with pytest.raises(ValueError, match="none to teach"):
        loss(SeedNet(replace(COMPLETE, objectness=0), pretrained_backbone=False), None, generator())


def test_it_learns_which_masks_are_objects():
    torch.manual_seed(0)
    scorer = ObjectScorer(facts=8, width=16)
    facts = torch.randn((4000, 8), generator=generator())
    facts[:, 3:] = facts[:, 3:] * 40.0 + 7.0  # in other units
    object_ = (facts[:, 3] > 7.0).float()  # however much is believed in it
    torch.testing.assert_close(scorer.eval()(facts), facts[:, 0])
    optimizer = torch.optim.Adam(scorer.parameters(), 1e-2)
    scorer.train()
    for _ in range(200):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scorer(facts), object_)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (scorer.eval()(facts) > 0.0) == object_.bool()
    assert right.float().mean() > 0.9


def three_steps(model, datasets, folder):
    """The header and the weights that a training of three steps leaves."""
    request = TrainingRequest(
        datasets=datasets,
        output=folder,
        info=model.info,
        batch_size=1,
        crops=replace(model.crops, size=96, long_side=WHOLE.long_side),
        steps=3,
    )
    return read_weights(Training(model.network, model.loss, request).run())


def taught_objects(network, datasets, folder, **sizes):
    state = {k: v.clone() for k, v in network.state_dict().items() if not k.startswith("object_scorer")}
    info = WeightsInfo("seednet", "seednet-test", asdict(replace(COMPLETE, objectness=0)))
    model = trainable_seednet(
        ("disc",),
        pretrained_backbone=False,
        start=(info, state),
        teach="objects",
        sizes={"ranges": "false", **sizes},
    )
    model.loss.steps = 10
    return state, model, three_steps(model, datasets, folder)


def test_teaching_objects_changes_nothing_else(network, datasets, tmp_path):
    state, model, (info, tensors) = taught_objects(network, datasets, tmp_path / "run", objectness="14")
    assert info.config["objectness"] == 14
    assert model.crops.whole is not None
    learnt = {k for k, v in tensors.items() if k not in state or not torch.equal(v, state[k])}
    own = {k for k in model.network.state_dict() if k.startswith("object_scorer.")}
    assert learnt == {k for k in own if not k.endswith("num_batches_tracked")}
    assert tensors["object_scorer.correction.weight"].any()


@pytest.mark.parametrize("teach", ["masks", "refiner", "calibrator"])
def test_the_other_lessons_leave_it_as_it_is(network, datasets, tmp_path, teach):
    _, _, start = taught_objects(network, datasets, tmp_path / "run")
    model = trainable_seednet(("disc",), pretrained_backbone=False, start=start, teach=teach)
    assert model.network.config.objectness == start[0].config["objectness"]
    if teach == "calibrator":
        model.loss.steps = 3
    _, tensors = three_steps(model, datasets, tmp_path / "more")
    own = [k for k in start[1] if k.startswith("object_scorer.")]
    assert own
    for name in own:
        torch.testing.assert_close(tensors[name], start[1][name], atol=0.0, rtol=0.0)


def test_in_another_size_it_is_left_out(network, datasets, tmp_path):
    _, _, start = taught_objects(network, datasets, tmp_path / "run")
    wider = {"scorer_hidden": "20"}
    model = trainable_seednet(("disc",), pretrained_backbone=False, start=start, sizes=wider)
    assert model.network.object_scorer is None
    assert model.network.config.objectness == 0


def test_what_was_learnt_is_a_start_for_learning_more(network, datasets, tmp_path):
    _, _, start = taught_objects(network, datasets, tmp_path / "run")
    missing = {k: v for k, v in start[1].items() if k != "embedding.weight"}
    with pytest.raises(SegmenterError, match=r"embedding\.weight"):
        trainable_seednet(("disc",), pretrained_backbone=False, start=(start[0], missing))
    again = trainable_seednet(("disc",), pretrained_backbone=False, start=start, teach="objects")
    torch.testing.assert_close(
        again.network.object_scorer.correction.weight, start[1]["object_scorer.correction.weight"]
    )


def test_it_wants_a_calibrator_that_was_taught(network):
    plain = SeedNet(replace(COMPLETE, calibrator=0, objectness=0), pretrained_backbone=False)
    start = (WeightsInfo("seednet", "seednet-test", asdict(plain.config)), plain.state_dict())
    with pytest.raises(SegmenterError, match="--teach calibrator"):
        trainable_seednet((), pretrained_backbone=False, start=start, teach="objects")
    with pytest.raises(SegmenterError, match="--teach objects"):
        trainable_seednet((), pretrained_backbone=False, start=start, sizes={"objectness": "8"})


def test_the_search_asks_it_and_a_click_does_not(network):
    image, _ = draw_discs(0)
    doubter = deepcopy(network)
    torch.nn.init.constant_(doubter.object_scorer.correction.bias, -2.0)
    doubting, trusting = (
        SeedNetSegmenter(n, version="small", device=torch.device("cpu")).encode(image)
        for n in (doubter, network)
    )
    points = [(20.0, 40.0), (100.0, 50.0)]
    pairs = zip(doubting.answer_points(points), trusting.answer_points(points), strict=True)
    for less, more in pairs:
        np.testing.assert_allclose(less.ious, more.ious, rtol=1e-5)
        odds = [a / (1.0 - a) for a in (less.objectness, more.objectness)]
        np.testing.assert_allclose(odds[0], odds[1] * np.exp(-2.0), rtol=1e-3)
        for guess in less.best_per_level():
            assert less.objectness_of(guess) == pytest.approx(float(less.objectness[guess.level]))
    scores = [max(p.score for p in e.instances(0.0)) for e in (doubting, trusting)]
    assert scores[0] < scores[1]
