"""A batch means the same as its pictures one by one, to every network's answers and to its loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from models.data.sample import Batch
from models.layers.detections import BoxMasks, Detections
from models.networks.deep_metric_learning.loss import DeepMetricLoss, DeepMetricSettings
from models.networks.mask_rcnn.loss import MaskRCNNLoss, TwoStageSettings
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss
from models.networks.panoptic.loss import PanopticLoss
from models.networks.yolact.loss import YolactLoss, YolactLossSettings
from tests.unit.models.data.crop_targets import crop_target, rectangles
from tests.unit.models.networks.small_networks import SMALL, TWO_STAGE, shake, small_network

SIZE = 64
# So many that nothing is left to chance: every anchor, region, pixel and mask takes part.
ALL = 1_000_000
EVERY_BOX = TwoStageSettings(anchors=ALL, regions=ALL)
LOSSES: dict[str, Any] = {
    "deep-metric-learning": DeepMetricLoss(DeepMetricSettings(pixels=ALL, ramp_steps=1)),
    "mask-rcnn": MaskRCNNLoss(EVERY_BOX),
    "mask-scoring-rcnn": MaskScoringLoss(EVERY_BOX),
    "mask-x-rcnn": MaskRCNNLoss(EVERY_BOX),
    "yolact": YolactLoss(YolactLossSettings(masks_per_picture=ALL)),
    "panoptic": PanopticLoss("mask-rcnn", instance_loss=MaskRCNNLoss(EVERY_BOX)),
}


def picture(seed: int) -> torch.Tensor:
    """(3, SIZE, SIZE) noise with a bright and a dark part."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 120, (3, SIZE, SIZE), generator=generator)
    image[:, 8:40, 8:30] += torch.randint(60, 130, (3, 1, 1), generator=generator)
    return image.to(torch.uint8)


def crops(stride: int) -> list[tuple[torch.Tensor, Any]]:
    """Two pictures with different objects, of different number, kind and size."""
    first = rectangles(SIZE, (6, 4, 34, 28), (32, 36, 56, 60))
    second = rectangles(SIZE, (10, 10, 50, 58), (2, 2, 14, 16), (40, 4, 62, 24))
    targets = [
        crop_target(F.avg_pool2d(first, stride), [0, 1]),
        crop_target(F.avg_pool2d(second, stride), [2, 0, 1], has_mask=[True, True, False]),
    ]
    return [(picture(1), targets[0]), (picture(2), targets[1])]


def terms_of(name: str, network: Any, loss: Any, chosen: list[tuple[torch.Tensor, Any]]) -> dict[str, float]:
    if isinstance(loss, DeepMetricLoss):
        loss.steps = 1
    batch = Batch(torch.stack([image for image, _ in chosen]), tuple(target for _, target in chosen))
    with torch.no_grad():
        terms = loss(network, batch, torch.Generator().manual_seed(0))
    single = {k: float(v) for k, v in terms.items() if k != "loss"}
    return single or {"loss": float(terms["loss"])}


@pytest.mark.parametrize("name", SMALL)
def test_each_term_of_the_loss_is_a_weighted_mean_over_the_pictures(name):
    """From one picture each and both together follows how much each one counts; with that weight twice the
    one and once the other has to follow too."""
    network, _ = small_network(name)
    shake(network)
    loss = LOSSES.get(name) or SMALL[name][0].loss(network.config)
    a, b = crops(SMALL[name][0].mask_stride)
    measure = {
        key: terms_of(name, network, loss, [{"a": a, "b": b}[letter] for letter in key])
        for key in ("a", "b", "ab", "ba", "aa", "aab", "abb")
    }
    differing = 0
    for term in measure["a"]:
        of = {key: terms[term] for key, terms in measure.items()}
        close = {"rel": 2e-5, "abs": 1e-7}
        assert of["ab"] == pytest.approx(of["ba"], **close), term
        assert of["aa"] == pytest.approx(of["a"], **close), term
        assert min(of["a"], of["b"]) - 1e-5 <= of["ab"] <= max(of["a"], of["b"]) + 1e-5, term
        if abs(of["a"] - of["b"]) < 1e-4 * of["a"]:
            continue
        differing += 1
        weight = (of["a"] - of["ab"]) / (of["ab"] - of["b"])  # of b, relative to a
        assert of["aab"] == pytest.approx((2 * of["a"] + weight * of["b"]) / (2 + weight), **close), term
        assert of["abb"] == pytest.approx((of["a"] + 2 * weight * of["b"]) / (1 + 2 * weight), **close), term
    assert differing == len(measure["a"]), "else nothing was compared"


def assert_same_detections(together: Detections, alone: Detections) -> None:
    assert len(alone.scores) > 3
    torch.testing.assert_close(together.boxes, alone.boxes, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(together.scores, alone.scores, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.mask_scores, alone.mask_scores, atol=1e-5, rtol=1e-4)
    assert torch.equal(together.labels, alone.labels)
    assert isinstance(together.masks, BoxMasks)
    assert isinstance(alone.masks, BoxMasks)
    torch.testing.assert_close(together.masks.probability, alone.masks.probability, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["mask-rcnn", "mask-scoring-rcnn", "mask-x-rcnn"])
def test_a_batch_is_answered_like_its_pictures_one_by_one(name):
    network, _ = small_network(name)
    shake(network)
    images = torch.stack([picture(seed) for seed in (1, 2, 3)])
    with torch.inference_mode():
        together = network.detect(images)
        alone = [network.detect(image[None])[0] for image in images]
    for found, expected in zip(together, alone, strict=True):
        assert_same_detections(found, expected)
    assert not torch.equal(alone[0].boxes, alone[1].boxes)


@pytest.mark.parametrize("instance", ["mask-rcnn", "mask-scoring-rcnn"])
def test_the_panoptic_network_answers_a_batch_like_its_pictures_one_by_one(instance):
    network, _ = small_network("panoptic", instance=instance, stuff=(2,), instance_sizes=TWO_STAGE)
    shake(network)
    images = torch.stack([picture(seed) for seed in (1, 2, 3)])
    with torch.inference_mode():
        things, logits = network.detect_both(images)
        for index, image in enumerate(images):
            own_things, own_logits = network.detect_both(image[None])
            assert_same_detections(things[index], own_things[0])
            torch.testing.assert_close(logits[index], own_logits[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
