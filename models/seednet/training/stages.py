"""SeedNet's stages: what each teaches, on which crops, and what it adds to the network."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from models.backbones.batch_norm_folding import fuse_batch_norms
from models.backbones.efficientnet_lite import STAGES
from models.data.augment import ColorJitter
from models.data.crops import CropSettings, WholePictures
from models.errors import SegmenterError, WeightsError
from models.seednet.network import STRIDE, SeedNet, SeedNetConfig
from models.seednet.older_weights import up_to_date
from models.seednet.training.calibration import CalibrationLoss
from models.seednet.training.distillation import DistillationLoss
from models.seednet.training.objectness import ObjectnessLoss
from models.seednet.training.seed_loss import SecondLookLoss, SeedLoss, SeedLossSettings
from models.training.sizes_as_text import change_sizes
from models.training.trainable import Loss, TrainableModel
from models.weights import WeightsInfo, load_into, load_matching

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

COLOR_CHANGES = 2.0  # times the usual ones: without classes, no colour has a meaning
SMALLEST_SIDE, SMALLEST_MIRROR = 64, 32  # pixels; what a picture and its mirror image may be scaled to
SECOND_LOOK = SeedLossSettings(central=0.3, deepest=0.35, choice=1.0, expected=0.5, seeds=2)
# Tiny things in plain pictures: there are many, and people mostly click on others.
ASKED_FOR_SCORES = WholePictures(sheets=0.2, least_share=0.001)
SEARCHED = WholePictures(sheets=0.1)
SEARCHED_SIZES = (0.6, 1.1)  # times the usual one; few pictures teach what an object is, so they vary
MOST_OBJECTS = 400  # of a sheet of four pictures; with fewer than there are not all would be known
OF_BACKBONE = ("backbone.", "ranges.")  # how names of weights begin that mean nothing without it
OF_OBJECT_SCORER = "object_scorer."
REFINER_CHANNELS = 32
CUT_SCORER_WIDTH = 128
CALIBRATOR_WIDTH = 64
OBJECTNESS_WIDTH = 128


def trainable_seednet(
    categories: tuple[str, ...],
    *,
    pretrained_backbone: bool = True,
    start: tuple[WeightsInfo, dict[str, Tensor]] | None = None,
    stage: int = 1,
    sizes: Mapping[str, str] | None = None,
) -> TrainableModel:
    """SeedNet for a training; it is class-agnostic, `categories` are only noted in the header.

    Stage 1 teaches the whole network. Stage 2 teaches what judges finished masks, the refiner and the level
    scorer, on crops as large as the pictures are encoded; stage 3, on whole pictures, what has the last word
    on the scores; stage 4 what tells objects from other masks where nobody has clicked. Each adds the parts
    that it teaches. What stage 4 taught stays as it is in the other stages, as long as the sizes stay. Stage
    0 gives the network of `start` another backbone: that learns to imitate the old one, everything behind it
    stays.

    Args:
        sizes: fields of SeedNetConfig, by name and as text. What `start` has in another size begins fresh;
            of another backbone nothing is taken over, it begins with its own ImageNet weights.

    Raises:
        WeightsError: `start` belongs to another network, or ImageNet weights are not installed.
        SegmenterError: there is no such size, or not that small or large; stage 0 without another backbone;
            what the stage builds upon is missing.
    """
    own, learnt = _beginning(start)
    config: SeedNetConfig = change_sizes(own or SeedNetConfig(), sizes or {}, categories)
    if stage != 4 and config != own:
        config = replace(config, objectness=0)
    _check(config, stage, sizes or {})
    begins_anew = own is None or own.backbone != config.backbone
    network = SeedNet(config, pretrained_backbone=pretrained_backbone and begins_anew)
    if own is not None and own == config:
        load_into(network, learnt, source="starting weights")
    elif own is not None:
        dropped = (OF_BACKBONE if begins_anew else ()) + (() if config.objectness else (OF_OBJECT_SCORER,))
        kept = {k: v for k, v in learnt.items() if not k.startswith(dropped)}
        load_matching(network, kept)
    if stage == 0:
        if own is None or not begins_anew or own.width != config.width:
            raise SegmenterError("stage 0 needs weights to start from, and another backbone than theirs.")
        teacher = SeedNet(own, pretrained_backbone=False)
        load_into(teacher, learnt, source="starting weights")
        network.freeze_heads()
        loss: Loss = DistillationLoss(fuse_batch_norms(teacher.eval()))
    else:
        network, loss = _taught(network, stage)
    info = WeightsInfo("seednet", "seednet-1", asdict(network.config), facts={"categories": list(categories)})
    return TrainableModel(network, loss, info, _crops_of(stage, config.long_side))


def _beginning(
    start: tuple[WeightsInfo, dict[str, Tensor]] | None,
) -> tuple[SeedNetConfig | None, dict[str, Tensor]]:
    """Sizes and weights to begin with."""
    if start is None:
        return None, {}
    info, tensors = start
    if info.architecture != "seednet":
        raise WeightsError(f"these are weights of {info.architecture}, no start for seednet.")
    return SeedNetConfig.stored(info.config), up_to_date(tensors)


def _check(config: SeedNetConfig, stage: int, sizes: Mapping[str, str]) -> None:
    """Whether there are networks of these sizes, with the parts that a stage builds upon."""
    if config.backbone not in STAGES:
        raise SegmenterError(f'"backbone" cannot be {config.backbone}; there are: {", ".join(STAGES)}.')
    if config.long_side < SMALLEST_SIDE:
        raise SegmenterError(f'"long_side" must be at least {SMALLEST_SIDE} pixels, not {config.long_side}.')
    if not SMALLEST_MIRROR <= config.mirror * config.long_side <= config.long_side:
        least = SMALLEST_MIRROR / config.long_side
        raise SegmenterError(f'"mirror" must lie between {least:.2f} and 1, not be {config.mirror}.')
    if config.calibrator and not config.cut_scorer:
        raise SegmenterError('"calibrator" needs a "cut_scorer", which stage 2 adds.')
    if "objectness" in sizes and stage != 4:
        raise SegmenterError('"objectness" is what stage 4 adds.')
    if stage == 3 and not config.cut_scorer:
        raise SegmenterError("stage 3 needs weights to start from that stage 2 has finished.")
    if stage == 4 and not config.calibrator:
        raise SegmenterError("stage 4 needs weights to start from that stage 3 has finished.")


def _taught(network: SeedNet, stage: int) -> tuple[SeedNet, Loss]:
    """The network, perhaps grown, of which only what stage 1, 2, 3 or 4 teaches will learn, and its loss."""
    if stage == 2:
        network = network.with_second_look(refiner=REFINER_CHANNELS, cut_scorer=CUT_SCORER_WIDTH)
        network.freeze_masks()
        return network, SecondLookLoss(SECOND_LOOK)
    if stage == 3:
        network = network.with_calibrator(CALIBRATOR_WIDTH)
        network.freeze_all_but(network.level_scorer.calibrator)
        return network, CalibrationLoss()
    if stage == 4:
        network = network.with_object_scorer(OBJECTNESS_WIDTH)
        network.freeze_all_but(network.object_scorer)
        return network, ObjectnessLoss()
    return network, SeedLoss()


def _crops_of(stage: int, long_side: int) -> CropSettings:
    if stage == 2:
        return _crops(long_side, 0.83, (0.73, 1.17))
    if stage == 3:
        plain = _crops(long_side, 1.0, (1.0, 1.0))
        return replace(plain, whole=ASKED_FOR_SCORES, jitter=ColorJitter().times(0.0))
    if stage == 4:
        varied = _crops(long_side, 1.0, SEARCHED_SIZES)
        return replace(varied, whole=SEARCHED, max_objects=MOST_OBJECTS, jitter=ColorJitter())
    crops = _crops(long_side, 0.65, (0.6, 1.28))
    return replace(crops, cutout_probability=0.35, quarter_turn_probability=0.05)


def _crops(long_side: int, size: float, scales: tuple[float, float]) -> CropSettings:
    """Crops for a network that sees pictures at `long_side`; all other sizes as shares of it."""
    low, high = (round(long_side * scale) for scale in scales)
    return CropSettings(
        size=32 * round(long_side * size / 32),
        long_side=(low, high),
        mask_stride=STRIDE,
        jitter=ColorJitter().times(COLOR_CHANGES),
    )
