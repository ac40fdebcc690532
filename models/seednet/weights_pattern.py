"""How SeedNet's weights look without a header, and where those are that come with SeedHue."""

from __future__ import annotations

from pathlib import Path

from models.seednet.network import SeedNet, SeedNetConfig
from models.weights_pattern import Shapes, Sizes, WeightsPattern, read_backbone


def read_seednet(shapes: Shapes) -> Sizes:
    embedding = shapes.dimension("embedding.weight", 0)
    refined = shapes.count("refiner.detail.{}.weight") > 0
    cuts, calibrator = "level_scorer.cuts.cut.weight", "level_scorer.calibrator.cut.weight"
    objectness = "object_scorer.look.1.weight"
    return {
        "backbone": read_backbone(shapes.below("backbone."))["backbone"],
        "width": shapes.dimension("top_down.lateral.0.weight", 0),
        "embedding": embedding,
        "levels": shapes.dimension("seed_head.answer.weight", 0) // (2 * embedding + 1),
        "query_hidden": shapes.dimension("seed_head.hidden.0.weight", 0),
        "scorer_channels": shapes.dimension("appearance.1.weight", 0),
        "scorer_hidden": shapes.dimension("level_scorer.ious.weight", 1),
        "refiner": shapes.dimension("refiner.stem.weight", 0) if refined else 0,
        "cut_scorer": shapes.dimension(cuts, 0) if cuts in shapes else 0,
        "click_depth": "level_scorer.cuts.depth.weight" in shapes,
        "calibrator": shapes.dimension(calibrator, 0) if calibrator in shapes else 0,
        "objectness": shapes.dimension(objectness, 0) if objectness in shapes else 0,
        "ranges": "ranges.left0" in shapes,
    }, None


def shipped_weights() -> Path:
    """The weights that come with SeedHue."""
    return Path(__file__).resolve().parents[2] / "resources" / "weights" / "seednet.safetensors"


PATTERN = WeightsPattern(
    signs=("top_down.", "embedding.", "seediness.", "seed_head.", "level_scorer."),
    read=read_seednet,
    config=SeedNetConfig,
    network=lambda config, _classes: SeedNet(config, pretrained_backbone=False),
)
