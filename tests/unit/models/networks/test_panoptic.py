"""Panoptic quality by hand and by pixels, the fusion, and the network that does both."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch

from converters.annotation import Mask, Seed
from models.data.dataset import AnnotatedObject, AnnotatedPicture
from models.evaluation.panoptic import PanopticCounts, summarize_panoptic, true_panoptic_map
from models.networks.loading import load_segmenter
from models.networks.panoptic.fusion import UNKNOWN, PanopticMap, fuse_panoptic
from models.networks.panoptic.loss import PanopticLoss, only_things
from models.networks.panoptic.network import INSTANCE_NETWORKS, PanopticConfig, PanopticNetwork
from models.segmenter import Prediction
from models.weights import WeightsInfo, save_weights
from tests.unit.models.networks.mask_rcnn_cases import SMALL_SIZES, small_batch, two_squares


def counted(*pairs: tuple[PanopticMap, PanopticMap], categories: int = 3) -> PanopticCounts:
    counts = PanopticCounts.empty(categories)
    for truth, found in pairs:
        counts.add(truth, found)
    return counts


def rows(*values: str) -> np.ndarray:
    """One character per pixel: "." void, "?" unknown, digits are segments."""
    table = {".": 0, "?": UNKNOWN}
    return np.array([[table.get(c, int(c) if c.isdigit() else 0) for c in row] for row in values], np.int32)


def test_quality_of_a_hand_made_picture() -> None:
    """Two cats and a sky in the truth; one cat found at IoU 4/6, one missed, a dog too many, sky at 8/9."""
    truth = PanopticMap(rows("1111.", "..22.", "33333", "3333."), (0, 0, 2))
    found = PanopticMap(rows("111..", "1..44", "22222", "2223."), (0, 2, 1, 0))
    # cat: {1111} against {111, 1}: 3 common of 5; sky: 8 of 9; segment 3 (a dog) and 4 (a cat of 1 common).
    counts = counted((truth, found))
    report = summarize_panoptic(counts, ("cat", "dog", "sky"), ("sky",), 1)
    cat_pq = (3 / 5) / (1 + 0.5 + 0.5)
    assert report.per_category == pytest.approx({"cat": cat_pq, "dog": 0.0, "sky": 8 / 9})
    assert report.all.pq == pytest.approx((cat_pq + 8 / 9) / 3)
    assert report.things.pq == pytest.approx(cat_pq / 2)
    assert (report.stuff.pq, report.stuff.sq, report.stuff.rq) == pytest.approx((8 / 9, 8 / 9, 1.0))
    assert (report.things.sq, report.things.rq) == pytest.approx((0.3, 0.25))


def test_the_same_map_is_perfect() -> None:
    truth = PanopticMap(rows("112", "132", "332"), (0, 1, 1))
    counts = counted((truth, truth), (truth, truth), categories=2)
    report = summarize_panoptic(counts, ("a", "b"), (), 2)
    assert (report.all.pq, report.all.sq, report.all.rq) == (1.0, 1.0, 1.0)
    assert report.stuff.categories == 0


def test_an_iou_of_one_half_does_not_match() -> None:
    truth = PanopticMap(rows("1111"), (0,))
    found = PanopticMap(rows("11.."), (0,))
    counts = counted((truth, found), categories=1)
    assert (counts.hits[0], counts.surplus[0], counts.missed[0]) == (0, 1, 1)


def test_unknown_ground_counts_neither_for_nor_against() -> None:
    truth = PanopticMap(rows("11????", "11...."), (0,))
    found = PanopticMap(rows("111222", "11..3."), (0, 0, 0))
    counts = counted((truth, found), categories=1)
    assert counts.iou[0] == pytest.approx(1.0)  # the fifth pixel is on unknown ground
    assert (counts.hits[0], counts.surplus[0], counts.missed[0]) == (1, 1, 0)  # segment 3 is surplus


def square(x: int, y: int, side: int) -> Mask:
    return Mask(x, y, np.ones((side, side), np.bool_))


def test_the_truth_joins_stuff_and_keeps_things_apart(tmp_path) -> None:
    objects = (
        AnnotatedObject(square(0, 0, 4), 0),
        AnnotatedObject(square(2, 2, 2), 0),
        AnnotatedObject(square(6, 0, 2), 1),
        AnnotatedObject(square(6, 6, 2), 1),
        AnnotatedObject(square(0, 6, 2), 0, has_mask=False),
    )
    picture = AnnotatedPicture(tmp_path / "a.png", 8, 8, objects, exhaustive=True)
    truth = true_panoptic_map(picture, [1])
    assert sorted(truth.categories) == [0, 0, 1]
    assert truth.ids[0, 6] == truth.ids[7, 7]
    assert truth.ids[0, 0] != truth.ids[2, 2]
    assert truth.ids[7, 0] == UNKNOWN
    assert truth.ids[5, 4] == 0


def test_an_object_hidden_entirely_is_no_segment(tmp_path) -> None:
    objects = (AnnotatedObject(square(2, 2, 2), 0), AnnotatedObject(square(2, 2, 2), 1))
    truth = true_panoptic_map(AnnotatedPicture(tmp_path / "a.png", 8, 8, objects, True), [])
    assert truth.categories == (1,)


def thing(mask: Mask, score: float, label: str = "cat") -> Prediction:
    return Prediction(mask, label, score, score, Seed(mask.x0 + 0.5, mask.y0 + 0.5), 0.5)


def test_better_things_come_first_and_stuff_takes_what_is_left() -> None:
    classes = np.zeros((10, 10), np.int32)
    classes[:, 5:] = 2
    things = [
        thing(square(0, 0, 6), 0.9),
        thing(square(1, 1, 6), 0.8),
        thing(square(4, 4, 4), 0.7, "dog"),
    ]
    segments, sources = fuse_panoptic(things, classes, ("cat", "sky", "dog"), [1])
    assert segments.categories == (0, 2, 1)
    assert [s.score if s else None for s in sources] == [0.9, 0.7, None]
    assert segments.ids[5, 5] == 1
    assert segments.ids[7, 7] == 2
    assert segments.ids[0, 9] == 3
    assert segments.ids[9, 0] == 0


def test_small_patches_of_stuff_stay_void() -> None:
    classes = np.zeros((100, 100), np.int32)
    classes[:9, :9] = 1
    segments, _ = fuse_panoptic([], classes, ("sky",), [0])
    assert segments.categories == ()
    classes[:10, :10] = 1
    assert fuse_panoptic([], classes, ("sky",), [0])[0].categories == (0,)


def test_only_things_reach_the_instance_network() -> None:
    target = only_things(two_squares(), (1,))
    assert target.categories.tolist() == [0]
    assert torch.equal(target.masks[0], two_squares().masks[1])
    assert only_things(two_squares(), (0, 1)).categories.tolist() == [0, 1]


INSTANCE_SIZES = {k: v for k, v in SMALL_SIZES.items() if k != "classes"}
YOLACT_SIZES = {
    "backbone": "resnet-18",
    "resnet_width": 8,
    "width": 16,
    "prototypes": 8,
    "anchor_sizes": (16, 24, 32, 48, 64),
}


def small_config(instance: str) -> PanopticConfig:
    sizes = YOLACT_SIZES if instance == "yolact" else INSTANCE_SIZES
    return PanopticConfig(
        classes=2, stuff=(1,), instance=instance, instance_sizes=sizes, hidden=16, long_side=64
    )


@pytest.mark.parametrize("instance", list(INSTANCE_NETWORKS))
def test_any_instance_network_learns_beside_the_fcn(instance: str) -> None:
    torch.manual_seed(0)
    network = PanopticNetwork(small_config(instance), pretrained_backbone=False).train()
    terms = PanopticLoss(instance)(network, small_batch(two_squares()), torch.Generator().manual_seed(0))
    assert torch.isfinite(terms["loss"])
    terms["loss"].backward()
    assert all(p.grad is not None for p in network.semantic.parameters())
    assert any(p.grad is not None and p.grad.any() for p in network.instance.parameters())
    assert network.semantic.score.out_channels == 3


def test_the_segmenter_parts_the_picture_and_answers_clicks(tmp_path) -> None:
    torch.manual_seed(0)
    config = small_config("mask-rcnn")
    network = PanopticNetwork(config, pretrained_backbone=False)
    info = WeightsInfo("panoptic", "panoptic-1", asdict(config), ("cat", "sky"))
    save_weights(tmp_path / "weights.safetensors", network, info)
    segmenter = load_segmenter("panoptic", weights=tmp_path / "weights.safetensors", device="cpu")
    assert segmenter.categories == ("cat", "sky")
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    encoding = segmenter.encode(image)
    segments = encoding.panoptic(0.1)
    assert segments.ids.shape == (50, 70)
    assert segments.ids.max() == len(segments.categories)
    seeds = [Seed(35.0, 25.0)]
    similarity = encoding.similarity(seeds)
    assert similarity.shape == (50, 70)
    assert similarity[25, 35] == 1.0
    assert len(encoding.level_scores(seeds)) == encoding.level_count
    found = encoding.instances(min_score=0.05)
    covered = sum(p.mask.to_full(50, 70).astype(int) for p in found)
    assert np.max(covered) <= 1
