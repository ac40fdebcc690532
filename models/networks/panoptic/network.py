"""Panoptic segmentation: an instance network and an FCN on one backbone (Kirillov et al., arXiv 1901.02446).

The instance network finds things, the FCN gives every pixel a class; how the two become one segmentation is
in `models.networks.panoptic.encoding`. Any of the proposal networks takes the first part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from models.networks.fcn.network import FCNHead
from models.networks.mask_rcnn.network import MaskRCNN, MaskRCNNConfig
from models.networks.mask_rcnn.scoring import MaskScoringRCNN
from models.networks.mask_rcnn.transfer import MaskXRCNN, MaskXRCNNConfig
from models.networks.yolact.network import Yolact, YolactConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from models.layers.detections import Detections

InstanceNetwork = MaskRCNN | Yolact

INSTANCE_NETWORKS: Mapping[str, tuple[Callable[..., Any], Callable[..., InstanceNetwork]]] = {
    "mask-rcnn": (MaskRCNNConfig, MaskRCNN),
    "mask-scoring-rcnn": (MaskRCNNConfig, MaskScoringRCNN),
    "mask-x-rcnn": (MaskXRCNNConfig, MaskXRCNN),
    "yolact": (YolactConfig, Yolact),
}


@dataclass(frozen=True, slots=True)
class PanopticConfig:
    """Sizes of the network; stored beside its weights.

    Attributes:
        classes: categories without the background, things and stuff.
        stuff: which of them are amorphous, by index; the others are things.
        instance: which network finds the things.
        instance_sizes: its config, apart from `classes`.
        variant, hidden, dropout: of the FCN.
        long_side: of the picture as the network sees it, pixels.
    """

    classes: int = 1
    stuff: tuple[int, ...] = ()
    instance: str = "mask-scoring-rcnn"
    instance_sizes: dict[str, Any] = field(default_factory=dict)
    variant: int = 8
    hidden: int = 256
    dropout: float = 0.1
    long_side: int = 768

    def __post_init__(self) -> None:
        object.__setattr__(self, "stuff", tuple(self.stuff))  # a list in a weights header
        if self.instance not in INSTANCE_NETWORKS:
            raise TypeError(f'there is no instance network called "{self.instance}"')
        if not set(self.stuff) <= set(range(self.classes)):
            raise TypeError("stuff names categories that do not exist")

    @property
    def things(self) -> tuple[int, ...]:
        """Category indices of the things, in order."""
        return tuple(i for i in range(self.classes) if i not in self.stuff)


class PanopticNetwork(nn.Module):
    """One pass of the backbone, two answers."""

    def __init__(self, config: PanopticConfig | None = None, *, pretrained_backbone: bool = True) -> None:
        super().__init__()
        self.config = config = config or PanopticConfig()
        sizes, build = INSTANCE_NETWORKS[config.instance]
        instance_config = sizes(**{**config.instance_sizes, "classes": max(1, len(config.things))})
        self.instance = build(instance_config, pretrained_backbone=pretrained_backbone)
        self.semantic = FCNHead(
            self.instance.feature_channels,
            config.classes + 1,
            variant=config.variant,
            hidden=config.hidden,
            dropout=config.dropout,
        )

    @property
    def backbone(self) -> nn.Module:
        """The pretrained part, for a training."""
        return self.instance.backbone

    def body_features(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 255], H and W multiples of 32 -> C2..C5."""
        return self.instance.body_features(images)

    def semantic_logits(self, body_features: Sequence[Tensor]) -> Tensor:
        """C2..C5 -> (B, classes + 1, H, W)."""
        logits: Tensor = self.semantic(body_features)
        return logits

    def detect_both(self, images: Tensor) -> tuple[list[Detections], Tensor]:
        """Things per picture, their labels counted among the things; and the class logits."""
        features = self.body_features(images)
        things = self.instance.detect_from(features, (images.shape[2], images.shape[3]))
        return things, self.semantic_logits(features)
