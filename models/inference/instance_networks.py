"""How each proposal network is built from a weights file and made ready for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.architectures.mask_rcnn import MaskRCNN, MaskRCNNConfig
from models.architectures.mask_scoring_rcnn import MaskScoringRCNN
from models.architectures.mask_x_rcnn import MaskXRCNN, MaskXRCNNConfig
from models.architectures.yolact import Yolact, YolactConfig
from models.data.crops import CropSettings
from models.errors import WeightsError
from models.inference.proposals import ProposalSegmenter
from models.losses.mask_iou import MaskScoringLoss
from models.losses.two_stage import MaskRCNNLoss
from models.losses.yolact import YolactLoss
from models.training.trainable import Loss, TrainableModel
from models.weights import WeightsInfo, load_into, load_matching

MASK_STRIDE = 2


@dataclass(frozen=True, slots=True)
class ProposalFamily:
    """One registry name.

    Attributes:
        config: dataclass of sizes with `classes` and `long_side`.
        network: (config, pretrained_backbone=) -> network with `detect`.
        loss: () -> its objective.
    """

    name: str
    config: Callable[..., Any]
    network: Callable[..., nn.Module]
    loss: Callable[[], Loss]

    def build(
        self, info: WeightsInfo, tensors: dict[str, Tensor], *, source: str, device: torch.device
    ) -> ProposalSegmenter:
        """The segmenter for a weights file.

        Raises:
            WeightsError: the sizes in the header are unknown, or the tensors do not fit them.
        """
        try:
            config = self.config(**info.config)
        except TypeError as error:
            raise WeightsError(f"{source}: written by another version of SeedHue ({error}).") from error
        network = self.network(config, pretrained_backbone=False)
        load_into(network, tensors, source=source)
        return ProposalSegmenter(
            self.name,
            network,
            version=info.version,
            categories=info.categories,
            device=device,
            long_side=config.long_side,
        )

    def trainable(
        self,
        categories: tuple[str, ...],
        *,
        pretrained_backbone: bool = True,
        start: tuple[WeightsInfo, dict[str, Tensor]] | None = None,
        config: Any = None,
    ) -> TrainableModel:
        """The network for the training engine.

        Args:
            start: weights to continue from. If they know other categories, what depends on the categories
                begins fresh.
            config: sizes, by default the ones of `start`, or else the family's own.
        """
        if config is None:
            config = self.config(**start[0].config) if start else self.config()
        config = replace(config, classes=len(categories))
        network = self.network(config, pretrained_backbone=pretrained_backbone and start is None)
        if start and start[0].categories == categories:
            load_into(network, start[1], source="starting weights")
        elif start:
            load_matching(network, start[1])
        info = WeightsInfo(self.name, f"{self.name}-1", asdict(config), categories)
        return TrainableModel(network, self.loss(), info, CropSettings(mask_stride=MASK_STRIDE))


MASK_RCNN = ProposalFamily("mask-rcnn", MaskRCNNConfig, MaskRCNN, MaskRCNNLoss)
MASK_SCORING_RCNN = ProposalFamily("mask-scoring-rcnn", MaskRCNNConfig, MaskScoringRCNN, MaskScoringLoss)
MASK_X_RCNN = ProposalFamily("mask-x-rcnn", MaskXRCNNConfig, MaskXRCNN, MaskRCNNLoss)
YOLACT = ProposalFamily("yolact", YolactConfig, Yolact, YolactLoss)
