"""What an architecture hands to a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.data.crops import CropSettings
    from models.data.sample import Batch
    from models.weights import WeightsInfo

Loss: TypeAlias = Callable[[Any, Any, torch.Generator], dict[str, Tensor]]


@runtime_checkable
class PreparingLoss(Protocol):
    """A loss that wants to know more of a batch, which can be found out where batches are made."""

    def prepare(self, batch: Batch, generator: torch.Generator) -> Any:
        """What the loss is called with instead of the batch."""


@runtime_checkable
class GatheringLoss(Protocol):
    """A loss that gathers as long as the budget lasts and then teaches what it has.

    To teach it is called with None for a batch; without a "loss" among the terms there is nothing to teach.

    Attributes:
        steps: that teach, after the budget; they should not take long.
    """

    steps: int

    def gather(self, network: Any, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Take a batch in; named measurements."""


@runtime_checkable
class RangedNetwork(Protocol):
    """A network whose weights tell how large its activations get."""

    @property
    def wants_ranges(self) -> bool:
        """Whether they have to be measured anew."""

    def widen_ranges(self, images: Tensor) -> None:
        """Take in what (B, 3, H, W) uint8 RGB images lead to."""


@dataclass(frozen=True, slots=True)
class TrainableModel:
    """A network ready for a `Training`.

    Attributes:
        network: on the CPU, in float32. If it has a `backbone` with `freeze_early_blocks`, that is called.
        loss: maps (network, batch, generator) to named scalar terms; "loss" is minimised. The batch is a
            `Batch`, or of a `PreparingLoss` what that makes of one.
        info: header of the weights to be written.
        crops: the crops this architecture wants (size, mask stride).
    """

    network: nn.Module
    loss: Loss
    info: WeightsInfo
    crops: CropSettings
