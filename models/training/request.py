"""Everything a training depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.data.crops import CropSettings

if TYPE_CHECKING:
    from pathlib import Path

    from models.data.copy_paste import CutoutLibrary
    from models.data.dataset import Dataset
    from models.weights import WeightsInfo


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to learn from, how, for how long, and where the result goes.

    Attributes:
        datasets: drawn from by weight.
        output: folder for the checkpoint and the weights; a checkpoint found there is resumed.
        weights_name: file name of the result inside `output`.
        info: header of the result.
        minutes, steps: the budget; the first one reached ends the training.
        frozen_blocks: so many early blocks of a pretrained backbone keep their weights.
        batch_size, crops: size of a step.
        cutouts: objects to paste into the crops.
        rate, backbone_rate: learning rates at their highest, of the heads and of the backbone.
        processes: so many processes make the batches; 0 for a thread.
        half: store the weights as float16.
        seed: of every random choice.

    Raises:
        ValueError: no budget, no pictures, or several whole pictures a step.
    """

    datasets: tuple[Dataset, ...]
    output: Path
    info: WeightsInfo
    weights_name: str = "weights.safetensors"
    minutes: float | None = None
    steps: int | None = None
    batch_size: int = 6
    crops: CropSettings = field(default_factory=CropSettings)
    cutouts: CutoutLibrary | None = None
    rate: float = 1e-3
    backbone_rate: float = 2e-4
    weight_decay: float = 1e-4
    frozen_blocks: int = 3
    half: bool = False
    seed: int = 0
    processes: int = 0

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise ValueError("a training needs a budget: minutes, steps or both")
        if not any(d.pictures for d in self.datasets):
            raise ValueError("a training needs at least one annotated picture")
        if self.crops.whole and self.batch_size != 1:
            raise ValueError("whole pictures differ in size, so a step takes one of them")
