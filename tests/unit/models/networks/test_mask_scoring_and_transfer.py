"""The MaskIoU head of Mask Scoring R-CNN and the weight transfer of Mask^X R-CNN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.layers.detections import BoxMasks
from models.networks.mask_rcnn.loss import MaskRCNNLoss
from models.networks.mask_rcnn.network import BoxPredictor
from models.networks.mask_rcnn.scoring import MaskIoUHead, MaskScoringRCNN
from models.networks.mask_rcnn.scoring_loss import MaskScoringLoss, mask_iou_target
from models.networks.mask_rcnn.transfer import MaskXRCNN, MaskXRCNNConfig, WeightTransfer
from tests.unit.models.networks.mask_rcnn_cases import SMALL, SMALL_SIZES, small_batch, two_squares


def scoring_network() -> MaskScoringRCNN:
    torch.manual_seed(0)
    return MaskScoringRCNN(SMALL, pretrained_backbone=False)


def transfer_network() -> MaskXRCNN:
    torch.manual_seed(0)
    return MaskXRCNN(MaskXRCNNConfig(**SMALL_SIZES), pretrained_backbone=False)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_iou_target_counts_the_object_outside_the_box() -> None:
    """A 40 x 20 object, a box that shows its left half of 20 x 20, a prediction of the box's upper half."""
    wanted = torch.ones((1, 20, 20))
    logits = torch.full((1, 20, 20), -1.0)
    logits[:, :10] = 1.0
    share = torch.tensor([400.0 / 800.0])
    assert mask_iou_target(logits, wanted, share).item() == pytest.approx(200.0 / 800.0)


def test_the_iou_target_is_that_of_full_size_masks() -> None:
    rng = np.random.default_rng(0)
    picture = np.zeros((64, 64), np.bool_)
    picture[10:50, 5:60] = rng.random((40, 55)) < 0.7
    predicted = np.zeros_like(picture)
    predicted[16:44, 20:48] = rng.random((28, 28)) < 0.6  # the box is (20, 16, 48, 44)
    expected = (picture & predicted).sum() / (picture | predicted).sum()
    logits = torch.tensor(np.where(predicted[16:44, 20:48], 2.0, -2.0))[None]
    wanted = torch.tensor(picture[16:44, 20:48], dtype=torch.float32)[None]
    share = torch.tensor([28.0 * 28.0 / picture.sum()])
    assert mask_iou_target(logits, wanted, share).item() == pytest.approx(expected, abs=1e-5)


def test_the_head_reads_features_and_mask_side_by_side() -> None:
    head = MaskIoUHead(16, 3, hidden=8)
    assert head.convolutions[0].weight.shape == (16, 17, 3, 3)
    pooled, mask = torch.rand(2, 16, 14, 14), torch.rand(2, 28, 28)
    seen: list[torch.Tensor] = []
    head.convolutions[0].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    assert head(pooled, mask).shape == (2, 3)
    assert torch.equal(seen[0][:, :16], pooled)
    assert torch.equal(seen[0][1, 16, 3, 5], mask[1, 6:8, 10:12].max())


def test_the_score_is_class_score_times_predicted_iou() -> None:
    network = scoring_network().eval()
    nn.init.constant_(network.mask_iou_head.iou.bias, 0.4)
    nn.init.zeros_(network.mask_iou_head.iou.weight)
    images = small_batch(two_squares()).images
    with torch.inference_mode():
        found = network.detect(images)[0]
        network.mask_iou_head.iou.bias.fill_(1.7)  # limited to 1
        plain = network.detect(images)[0]
    assert len(found.scores) > 0
    torch.testing.assert_close(found.mask_scores, torch.full_like(found.scores, 0.4))
    torch.testing.assert_close(found.scores, 0.4 * plain.scores)
    assert (plain.mask_scores == 1).all()


def test_the_detections_are_ranked_by_the_product() -> None:
    network = scoring_network().eval()
    with torch.inference_mode():
        found = network.detect(small_batch(two_squares()).images)[0]
    assert torch.equal(found.scores, found.scores.sort(descending=True).values)


def test_judging_masks_does_not_change_them() -> None:
    network = scoring_network()
    terms = MaskScoringLoss()(network, small_batch(two_squares()), generator())
    assert terms["mask_iou"].item() > 0
    terms["mask_iou"].backward()
    assert all(p.grad is None for p in network.roi_heads.mask_head.parameters())
    assert all(p.grad is None for p in network.roi_heads.mask_predictor.parameters())
    assert all(p.grad is not None and p.grad.any() for p in network.mask_iou_head.parameters())


def test_the_iou_term_is_the_squared_error_of_the_true_class() -> None:
    network = scoring_network()
    nn.init.zeros_(network.mask_iou_head.iou.weight)
    with torch.no_grad():
        network.mask_iou_head.iou.bias.copy_(torch.tensor([0.3, 0.9]))
    target = two_squares(has_mask=(False, True))  # only the second object, of the second class, has a mask
    terms = MaskScoringLoss()(network, small_batch(target), generator())
    # Untrained masks of full boxes: whatever the IoU is, the error is measured from 0.9.
    low, high = 0.9**2, 0.1**2
    assert min(low, high) - 1e-6 <= terms["mask_iou"].item() <= max(low, high) + 1e-6
    terms["mask_iou"].backward()
    assert network.mask_iou_head.iou.bias.grad is not None
    assert network.mask_iou_head.iou.bias.grad[0] == 0
    assert network.mask_iou_head.iou.bias.grad[1] != 0


def test_no_masks_no_judgement() -> None:
    target = two_squares(has_mask=(False, False))
    terms = MaskScoringLoss()(scoring_network(), small_batch(target), generator())
    assert terms["masks"].item() == 0
    assert terms["mask_iou"].item() == 0


def test_filters_are_transferred_from_class_and_box_weights() -> None:
    torch.manual_seed(1)
    boxes, transfer = BoxPredictor(6, 3), WeightTransfer(6, 10, 4)
    nn.init.normal_(transfer.fc1.bias)
    filters = transfer(boxes).detach().numpy()
    for c in range(3):
        described = np.concatenate(
            [
                boxes.cls_score.weight[c].detach().numpy(),
                *(boxes.bbox_pred.weight[4 * c + k].detach().numpy() for k in range(4)),
            ]
        )
        hidden = transfer.fc1.weight.detach().numpy() @ described + transfer.fc1.bias.detach().numpy()
        hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
        expected = transfer.fc2.weight.detach().numpy() @ hidden + transfer.fc2.bias.detach().numpy()
        np.testing.assert_allclose(filters[c], expected, atol=1e-5)


def test_the_gist_is_added_to_every_class() -> None:
    network = transfer_network()
    predictor, boxes = network.roi_heads.mask_predictor, network.roi_heads.box_predictor
    features = torch.rand(2, 16, 14, 14)
    before = predictor(features, boxes)
    assert before.shape == (2, 3, 28, 28)
    with torch.no_grad():
        predictor.gist.fc.bias.add_(torch.arange(28.0 * 28.0))
    difference = predictor(features, boxes) - before
    expected = torch.arange(28.0 * 28.0).view(28, 28).expand(2, 3, 28, 28)
    torch.testing.assert_close(difference, expected, atol=1e-3, rtol=0)


def test_mask_gradients_stop_before_the_box_weights() -> None:
    network = transfer_network()
    terms = MaskRCNNLoss()(network, small_batch(two_squares()), generator())
    terms["masks"].backward(retain_graph=True)
    assert all(p.grad is None for p in network.roi_heads.box_predictor.parameters())
    assert all(p.grad is None for p in network.roi_heads.box_head.parameters())
    heard = dict(network.roi_heads.mask_predictor.named_parameters())
    assert all(p.grad is not None and p.grad.any() for p in heard.values()), heard.keys()
    terms["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in network.roi_heads.box_predictor.parameters())


def test_an_object_without_a_mask_teaches_boxes_only() -> None:
    """The mask term is the same whatever the filled box of a box-only object looks like."""
    terms = []
    for fill in (1.0, 0.6):
        target = two_squares(has_mask=(True, False))
        target.masks[1, 18:30, 16:28] = fill
        target.masks[1, 20:24, 20:24] = 0.0 if fill < 1 else 1.0
        terms.append(MaskRCNNLoss()(transfer_network(), small_batch(target), generator()))
    assert terms[0]["masks"].item() == pytest.approx(terms[1]["masks"].item())
    assert terms[0]["masks"].item() > 0
    assert terms[0]["classes"].item() > 0


def test_a_class_without_masks_still_gets_some() -> None:
    network = transfer_network().eval()
    with torch.inference_mode():
        found = network.detect(small_batch(two_squares()).images)[0]
    assert isinstance(found.masks, BoxMasks)
    assert found.masks.probability.shape[1:] == (28, 28)
    # The transfer function reads each class's own weights: filters of two classes differ.
    filters = network.roi_heads.mask_predictor.transfer(network.roi_heads.box_predictor)
    assert not torch.allclose(F.normalize(filters[1], dim=0), F.normalize(filters[2], dim=0))
