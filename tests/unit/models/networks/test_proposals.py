"""Proposals behind the segmenter's face: levels, thresholds, several seeds, rendering."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from converters.annotation import Mask, Seed
from models.errors import SeedOutsideError, ThresholdError, WeightsError
from models.grid.frame import GridFrame
from models.layers.detections import BoxMasks, Detections, PrototypeMasks
from models.networks.loading import load_segmenter
from models.networks.mask_rcnn.family import MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN
from models.networks.mask_rcnn.network import MaskRCNNConfig
from models.networks.proposals.encoding import ProposalEncoding
from models.networks.proposals.soft_masks import soft_masks
from models.networks.yolact.family import YOLACT
from models.weights import save_weights

HEIGHT, WIDTH = 60, 100
FRAME = GridFrame((0, 0, WIDTH, HEIGHT), 120, 200, 128, 224, 1)  # two input pixels per pixel


def detections(*items: tuple[tuple[float, float, float, float], int, float, float]) -> Detections:
    """(picture box, label, score, probability of the whole box) each, best first."""
    boxes = torch.tensor([i[0] for i in items]).view(-1, 4) * 2.0
    probability = torch.tensor([i[3] for i in items])[:, None, None].expand(-1, 28, 28)
    scores = torch.tensor([i[2] for i in items])
    return Detections(
        boxes, torch.tensor([i[1] for i in items], dtype=torch.int64), scores, scores, BoxMasks(probability)
    )


def encode(found: Detections) -> ProposalEncoding:
    return ProposalEncoding(found, FRAME, (HEIGHT, WIDTH), version="test-1", categories=("cup", "table"))


@pytest.fixture
def cup_on_table() -> ProposalEncoding:
    return encode(
        detections(
            ((10, 10, 90, 50), 1, 0.9, 0.95),
            ((20, 15, 40, 35), 0, 0.8, 0.9),
            ((60, 15, 80, 35), 0, 0.7, 0.9),
            ((21, 15, 40, 35), 1, 0.1, 0.9),  # the first cup again, taken for a table
        )
    )


def box_mask(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def test_levels_are_the_proposals_under_the_click_small_to_large(cup_on_table: ProposalEncoding) -> None:
    seeds = [Seed(30.0, 25.0)]
    assert cup_on_table.level_scores(seeds) == pytest.approx((0.8, 0.9, 0.0))
    assert np.array_equal(cup_on_table.mask(seeds, level=0), box_mask(20, 15, 40, 35))
    assert np.array_equal(cup_on_table.mask(seeds, level=1), box_mask(10, 10, 90, 50))
    assert np.array_equal(cup_on_table.mask(seeds, level=2), box_mask(10, 10, 90, 50))
    assert np.array_equal(cup_on_table.mask(seeds), box_mask(10, 10, 90, 50))  # the best score


def test_a_negative_click_chooses_the_smaller_level(cup_on_table: ProposalEncoding) -> None:
    seeds = [Seed(30.0, 25.0), Seed(50.0, 45.0, positive=False)]
    assert np.array_equal(cup_on_table.mask(seeds), box_mask(20, 15, 40, 35))


def test_two_positive_clicks_agree_on_one_proposal_or_unite(cup_on_table: ProposalEncoding) -> None:
    both = [Seed(30.0, 25.0), Seed(70.0, 25.0)]
    assert np.array_equal(cup_on_table.mask(both), box_mask(10, 10, 90, 50))
    assert cup_on_table.level_scores(both) == pytest.approx((0.5, 0.9, 0.0))  # the cup misses one of them
    united = cup_on_table.mask(both, level=0)
    assert np.array_equal(united, box_mask(20, 15, 40, 35) | box_mask(60, 15, 80, 35))


def test_a_click_on_nothing_answers_with_itself(cup_on_table: ProposalEncoding) -> None:
    seeds = [Seed(3.5, 3.5)]
    assert cup_on_table.level_scores(seeds) == (0.0, 0.0, 0.0)
    mask = cup_on_table.mask(seeds)
    assert mask.sum() == 1
    assert mask[3, 3]
    assert encode(detections()).mask(seeds).sum() == 1


def test_similarity_is_one_at_the_seed_and_bounded() -> None:
    gradient = torch.linspace(0.0, 1.0, 28).expand(28, 28)[None]
    found = Detections(
        torch.tensor([[20.0, 20.0, 180.0, 100.0]]),
        torch.tensor([0]),
        torch.tensor([0.9]),
        torch.tensor([0.9]),
        BoxMasks(gradient),
    )
    encoding = encode(found)
    seed = Seed(70.5, 30.5)
    similarity = encoding.similarity([seed])
    assert similarity[30, 70] == 1.0
    assert similarity.min() >= 0.0
    assert similarity.max() <= 1.0
    # The network's own cut, probability 1/2, lies in the middle of the box.
    mask = encoding.mask([seed])
    assert np.flatnonzero(mask[30])[[0, -1]].tolist() == pytest.approx([50, 89], abs=1)
    # Higher τ, smaller region.
    areas = [encoding.mask([seed], tau=tau).sum() for tau in (0.3, 0.5, 0.7, 0.9)]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) == 4


def test_a_seed_that_a_mask_just_misses_still_gets_it() -> None:
    found = detections(((10, 10, 50, 50), 0, 0.9, 0.3))
    mask = encode(found).mask([Seed(30.0, 30.0)])
    assert np.array_equal(mask, box_mask(10, 10, 50, 50))


def test_a_part_of_the_picture_is_the_part_of_the_whole(cup_on_table: ProposalEncoding) -> None:
    seeds = [Seed(30.0, 25.0)]
    whole = cup_on_table.similarity(seeds, level=0)
    part = cup_on_table.similarity(seeds, level=0, region=(15, 12, 55, 40))
    np.testing.assert_allclose(part, whole[12:40, 15:55], atol=1e-5)
    assert cup_on_table.similarity(seeds, region=(0, 0, 100, 60), size=(30, 50)).shape == (30, 50)


def test_predictions_give_their_mask_again(cup_on_table: ProposalEncoding) -> None:
    found = cup_on_table.instances(min_score=0.5)
    assert [(p.label, p.score) for p in found] == [
        ("table", pytest.approx(0.9)),
        ("cup", pytest.approx(0.8)),
        ("cup", pytest.approx(0.7)),
    ]
    for prediction in found:
        again = cup_on_table.mask([prediction.seed], prediction.tau, prediction.level)
        assert Mask.from_full(again) == prediction.mask
    assert len(cup_on_table.instances(min_score=0.05)) == 4
    assert len(cup_on_table.instances(min_score=0.05, max_count=2)) == 2


def test_wrong_questions_are_refused(cup_on_table: ProposalEncoding) -> None:
    with pytest.raises(SeedOutsideError):
        cup_on_table.mask([Seed(100.0, 5.0)])
    with pytest.raises(ThresholdError):
        cup_on_table.mask([Seed(5.0, 5.0)], tau=1.0)


def test_prototype_masks_look_the_same_at_a_point_and_rendered() -> None:
    torch.manual_seed(0)
    prototypes, coefficients = torch.rand(4, 32, 56), torch.randn(2, 4)
    boxes = torch.tensor([[16.0, 16.0, 120.0, 100.0], [80.0, 0.0, 200.0, 60.0]])
    one = torch.ones(2)
    found = Detections(boxes, torch.tensor([0, 1]), one, one, PrototypeMasks(prototypes, coefficients, 4))
    masks = soft_masks(found, FRAME)
    probability = torch.einsum("khw,nk->nhw", prototypes, coefficients).sigmoid().numpy()
    for index in range(2):
        x, y = (42.0, 21.0) if index == 0 else (61.0, 13.0)  # centres of cells 21 and 10, 30 and 6
        rendered = masks.render(index, (0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH))
        row, column = int(y * 2 / 4), int(x * 2 / 4)
        assert masks.at(x, y)[index] == pytest.approx(probability[index, row, column], abs=1e-5)
        centre = (column + 0.5) * 4 / 2, (row + 0.5) * 4 / 2
        window = int(centre[0]) - 1, int(centre[1]) - 1, int(centre[0]) + 1, int(centre[1]) + 1
        sample = masks.render(index, window, (1, 1))
        assert sample[0, 0] == pytest.approx(probability[index, row, column], abs=1e-4)
        box = boxes[index].numpy() / 2 + [-2, -2, 2, 2]
        assert (rendered[:, : max(0, int(box[0]))] == 0).all()
        assert (rendered[int(np.ceil(box[3])) :] == 0).all()


FAMILIES = [MASK_RCNN, MASK_SCORING_RCNN, MASK_X_RCNN, YOLACT]


@pytest.mark.parametrize("family", FAMILIES, ids=[f.name for f in FAMILIES])
def test_saved_weights_open_by_name_with_the_whole_face(family, tmp_path) -> None:
    torch.manual_seed(0)
    sizes = {"backbone": "resnet-18", "resnet_width": 8, "width": 16, "long_side": 96}
    if family is not YOLACT:
        sizes |= {"hidden": 32, "proposals": 50}
    model = family.trainable(("cup", "plate"), pretrained_backbone=False, config=family.config(**sizes))
    path = tmp_path / "weights.safetensors"
    save_weights(path, model.network, model.info)
    segmenter = load_segmenter(family.name, weights=path, device="cpu")
    assert (segmenter.name, segmenter.version) == (family.name, f"{family.name}-1")
    assert segmenter.categories == ("cup", "plate")
    image = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    encoding = segmenter.encode(image)
    seeds = [Seed(45.0, 35.0)]
    assert encoding.similarity(seeds).shape == (70, 90)
    assert encoding.similarity(seeds)[35, 45] == 1.0
    assert len(encoding.level_scores(seeds)) == encoding.level_count == 3
    assert 0.0 < encoding.suggest_tau(seeds) < 1.0
    assert encoding.nbytes > 0
    assert np.array_equal(encoding.mask(seeds), segmenter.encode(image).mask(seeds))
    for prediction in encoding.instances(min_score=0.0, max_count=5):
        assert prediction.label in ("cup", "plate")
    part = segmenter.encode(image, region=(10, 20, 60, 70))
    assert part.mask([Seed(30.0, 40.0)]).shape == (70, 90)


def test_weights_for_other_classes_are_kept_as_far_as_they_fit() -> None:
    config = MaskRCNNConfig(backbone="resnet-18", resnet_width=8, width=16, hidden=32)
    old = MASK_RCNN.trainable(("a", "b"), pretrained_backbone=False, config=config)
    start = old.info, old.network.state_dict()
    new = MASK_RCNN.trainable(("a", "b", "c"), start=start).network.state_dict()
    assert torch.equal(new["rpn.head.conv.weight"], start[1]["rpn.head.conv.weight"])
    assert new["roi_heads.box_predictor.cls_score.weight"].shape == (4, 32)
    with pytest.raises(WeightsError):
        MASK_RCNN.build(
            old.info,
            {k: v for k, v in start[1].items() if "fc6" not in k},
            source="a file",
            device=torch.device("cpu"),
        )
