"""The names in torchvision's published `maskrcnn_resnet50_fpn` checkpoint.

The published file's names are the ones `MaskRCNN` uses. Newer versions of torchvision write the same
tensors under longer names (`fpn.inner_blocks.0.0.weight`); both are understood here.
"""

from __future__ import annotations

import re

RENAMED = (
    (re.compile(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.0\."), r"\1."),
    (re.compile(r"^rpn\.head\.conv\.0\.0\."), "rpn.head.conv."),
)
NUMBERED_MASK_LAYER = re.compile(r"^roi_heads\.mask_head\.(\d+)\.0\.")

# COCO's 91 category numbers; eleven of them were never annotated.
_COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
N/A 12, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra,
giraffe, N/A 26, backpack, umbrella, N/A 29, N/A 30, handbag, tie, suitcase, frisbee, skis,
snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket,
bottle, N/A 45, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli,
carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, N/A 66, dining table, N/A 68,
N/A 69, toilet, N/A 71, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster,
sink, refrigerator, N/A 83, book, clock, vase, scissors, teddy bear, hair drier, toothbrush
"""
COCO_CATEGORIES = tuple(name.strip() for name in _COCO.split(","))


def published_name(name: str) -> str:
    """The name of a tensor as the published file has it, given either spelling."""
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return NUMBERED_MASK_LAYER.sub(
        lambda match: f"roi_heads.mask_head.mask_fcn{int(match.group(1)) + 1}.", name
    )
