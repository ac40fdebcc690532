"""One label per pixel: who wins where objects overlap, and what counts as unknown."""

from __future__ import annotations

import torch

from models.data.label_map import BACKGROUND, UNKNOWN, instance_labels
from tests.unit.models.data.crop_targets import crop_target, rectangles


def test_the_smaller_object_wins_an_overlap():
    labels = instance_labels(crop_target(rectangles(6, (0, 0, 5, 5), (1, 1, 3, 3))))
    assert labels[0, 0] == 1
    assert labels[2, 2] == 2
    assert labels[5, 5] == BACKGROUND


def test_half_a_pixel_is_enough():
    masks = torch.tensor([[[0.49, 0.5, 1.0]]])
    assert instance_labels(crop_target(masks)).tolist() == [[0, 1, 1]]


def test_outside_is_unknown_unless_everything_is_annotated():
    target = crop_target(rectangles(4, (0, 0, 2, 2)), exhaustive=False)
    labels = instance_labels(target)
    assert labels[3, 3] == UNKNOWN
    assert labels[0, 0] == 1
    empty = crop_target(torch.zeros(0, 4, 4))
    assert (instance_labels(empty) == BACKGROUND).all()


def test_a_box_without_mask_is_unknown_but_never_hides_an_outlined_object():
    masks = rectangles(8, (0, 0, 3, 3), (1, 1, 7, 7))
    labels = instance_labels(crop_target(masks, has_mask=[False, True]))
    assert labels[0, 0] == UNKNOWN
    assert labels[2, 2] == 2
    assert labels[7, 7] == BACKGROUND
