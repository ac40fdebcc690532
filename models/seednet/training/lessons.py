"""SeedNet's lessons: what each teaches, on which crops, and what it adds to the network."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

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

Lesson: TypeAlias = Literal["distill", "masks", "refiner", "calibrator", "objects"]
LESSONS: tuple[Lesson, ...] = get_args(Lesson)  # in the order of their old numbers, 0 to 4

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
    teach: Lesson = "masks",
    sizes: Mapping[str, str] | None = None,
) -> TrainableModel:
    """SeedNet for a training; it is class-agnostic, `categories` are only noted in the header.

    "masks" teaches the whole network. "refiner" teaches what judges finished masks, the refiner and the level
    scorer, on crops as large as the pictures are encoded; "calibrator", on whole pictures, what has the last
    word on the scores; "objects" what tells objects from other masks where nobody has clicked. Each adds the
    parts that it teaches. What "objects" taught stays as it is in the other lessons, as long as the sizes
    stay. "distill" gives the network of `start` another backbone, which learns by distillation from the old
    one; everything behind it stays.

    Args:
        sizes: fields of SeedNetConfig, by name and as text. What `start` has in another size begins fresh;
            of another backbone nothing is taken over, it begins with its own ImageNet weights.

    Raises:
        WeightsError: `start` belongs to another network, or ImageNet weights are not installed.
        SegmenterError: there is no such size, or not that small or large; distillation without another
            backbone; what the lesson builds upon is missing.
    """
    own, learnt = _beginning(start)
    config: SeedNetConfig = change_sizes(own or SeedNetConfig(), sizes or {}, categories)
    if teach != "objects" and config != own:
        config = replace(config, objectness=0)
    _check(config, teach, sizes or {})
    begins_anew = own is None or own.backbone != config.backbone
    network = SeedNet(config, pretrained_backbone=pretrained_backbone and begins_anew)
    if own is not None and own == config:
        load_into(network, learnt, source="starting weights")
    elif own is not None:
        dropped = (OF_BACKBONE if begins_anew else ()) + (() if config.objectness else (OF_OBJECT_SCORER,))
        kept = {k: v for k, v in learnt.items() if not k.startswith(dropped)}
        load_matching(network, kept)
    if teach == "distill":
        if own is None or not begins_anew or own.width != config.width:
            raise SegmenterError(
                "distillation needs weights to start from, and another backbone than theirs."
            )
        teacher = SeedNet(own, pretrained_backbone=False)
        load_into(teacher, learnt, source="starting weights")
        network.freeze_heads()
        loss: Loss = DistillationLoss(fuse_batch_norms(teacher.eval()))
    else:
        network, loss = _taught(network, teach)
    info = WeightsInfo("seednet", "seednet-1", asdict(network.config), facts={"categories": list(categories)})
    return TrainableModel(network, loss, info, _crops_of(teach, config.long_side))


def _beginning(
    start: tuple[WeightsInfo, dict[str, Tensor]] | None,
) -> tuple[SeedNetConfig | None, dict[str, Tensor]]:
    """Sizes and weights to begin with."""
    if start is None:
        return None, {}
    info, tensors = start
    if info.architecture != "seednet":
        raise WeightsError(f"these are weights of {info.architecture}, no start for seednet.")
    return SeedNetConfig.checked(info.config, source="starting weights"), up_to_date(tensors)


def _check(config: SeedNetConfig, teach: Lesson, sizes: Mapping[str, str]) -> None:
    """Whether there are networks of these sizes, with the parts that a lesson builds upon."""
    if config.backbone not in STAGES:
        raise SegmenterError(f'"backbone" cannot be {config.backbone}; there are: {", ".join(STAGES)}.')
    if config.long_side < SMALLEST_SIDE:
        raise SegmenterError(f'"long_side" must be at least {SMALLEST_SIDE} pixels, not {config.long_side}.')
    if not SMALLEST_MIRROR <= config.mirror * config.long_side <= config.long_side:
        least = SMALLEST_MIRROR / config.long_side
        raise SegmenterError(f'"mirror" must lie between {least:.2f} and 1, not be {config.mirror}.')
    if config.calibrator and not config.cut_scorer:
        raise SegmenterError('"calibrator" needs a "cut_scorer", which `--teach refiner` adds.')
    if "objectness" in sizes and teach != "objects":
        raise SegmenterError('"objectness" is what `--teach objects` adds.')
    if teach == "calibrator" and not config.cut_scorer:
        raise SegmenterError(
            "the calibrator needs weights to start from that `--teach refiner` has finished."
        )
    if teach == "objects" and not config.calibrator:
        raise SegmenterError(
            "the object scorer needs weights to start from that `--teach calibrator` has finished."
        )


def _taught(network: SeedNet, teach: Lesson) -> tuple[SeedNet, Loss]:
    """The network, perhaps grown, of which only what the lesson teaches will learn, and its loss."""
    if teach == "refiner":
        network = network.with_second_look(refiner=REFINER_CHANNELS, cut_scorer=CUT_SCORER_WIDTH)
        network.freeze_masks()
        return network, SecondLookLoss(SECOND_LOOK)
    if teach == "calibrator":
        network = network.with_calibrator(CALIBRATOR_WIDTH)
        network.freeze_all_but(network.level_scorer.calibrator)
        return network, CalibrationLoss()
    if teach == "objects":
        network = network.with_object_scorer(OBJECTNESS_WIDTH)
        network.freeze_all_but(network.object_scorer)
        return network, ObjectnessLoss()
    return network, SeedLoss()


def _crops_of(teach: Lesson, long_side: int) -> CropSettings:
    if teach == "refiner":
        return _crops(long_side, 0.83, (0.73, 1.17))
    if teach == "calibrator":
        plain = _crops(long_side, 1.0, (1.0, 1.0))
        return replace(plain, whole=ASKED_FOR_SCORES, jitter=ColorJitter().times(0.0))
    if teach == "objects":
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
