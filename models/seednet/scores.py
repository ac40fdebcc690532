"""What the level scorers predict for a seed's answers, and what they see of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # logits among which a level's own threshold lies


# Of a click's depth in a cut and of the cut's thickness: as they come, a training hardly sees the difference
# between the middle and almost the middle.
DEPTH_CENTER, DEPTH_SCALE = (2.0 / 3.0, 0.35), (3.0, 6.0)


THRESHOLD_SHARPNESS = 40.0  # inverse temperature of the choice among them, in units of IoU


@dataclass(frozen=True, slots=True)
class LevelScores:
    """What the network thinks of S seeds' masks.

    Attributes:
        ious: (S, K, T) predicted IoU in (0, 1) of each level cut at each of THRESHOLDS.
        facts: (S, K, T, F), what the calibrator went by; None without one.
        seen: (S, K, T, D), the features that the cut scorer saw in and around each cut; None without one.
    """

    ious: Tensor
    facts: Tensor | None = None
    seen: Tensor | None = None

    @property
    def iou(self) -> Tensor:
        """(S, K) predicted IoU of each level at its best threshold."""
        return self.ious.amax(dim=2)

    @property
    def threshold(self) -> Tensor:
        """(S, K) best threshold in logits, between THRESHOLDS: the learned margin."""
        weight = (self.ious * THRESHOLD_SHARPNESS).softmax(dim=2)
        return weight @ weight.new_tensor(THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the scorer may look at, of B pictures; prepared once for all clicks.

    Attributes:
        appearance: (B, h/2 w/2, C) float32 for masks of (h, w) at stride 4.
        squares: of `appearance`.
        size: (h/2, w/2).
        whole: (B, C), the mean of the appearance.
        backbone_features: (B, H/16, W/16, C') float32, each cell's of mean 0 and deviation 1; begins at the
            picture's corner, may reach further.
    """

    appearance: Tensor
    squares: Tensor
    size: tuple[int, int]
    whole: Tensor
    backbone_features: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.appearance, self.squares, self.whole, self.backbone_features

    @classmethod
    def of(cls, appearance: Tensor, whole: Tensor, backbone_features: Tensor) -> Surroundings:
        """Of appearance maps (B, C, h/2, w/2), their means (B, C) and the backbone's (B, C', H/16, W/16)."""
        cells = appearance.float().flatten(2).transpose(1, 2).contiguous()
        backbone_features = backbone_features.permute(0, 2, 3, 1).float().contiguous()
        height, width = appearance.shape[2:]
        return cls(
            cells,
            cells.square(),
            (height, width),
            whole.float(),
            F.layer_norm(backbone_features, backbone_features.shape[3:]),
        )
