"""A row of the registry: how a network is built from weights, recognised, and made ready for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from models.backbones.choice import BACKBONES, CLASSIFIER
from models.backbones.efficientnet_lite import EfficientNetLite
from models.backbones.resnet import ResNet
from models.data.crops import CropSettings
from models.errors import WeightsError
from models.training.sizes_as_text import change_sizes
from models.training.trainable import Loss, TrainableModel
from models.weights import WeightsInfo, check_on_paper, load_into, load_matching, stored_sizes
from models.weights_pattern import Shapes, Sizes, WeightsPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.segmenter import Segmenter

Categories: TypeAlias = tuple[str, ...]
Weights: TypeAlias = tuple[WeightsInfo, dict[str, Tensor]]


def fit_classes(config: Any, _old: Categories, new: Categories) -> Any:
    """The sizes for a number of categories; configs that do not count them stay as they are."""
    counts = any(field.name == "classes" for field in fields(config))
    return replace(config, classes=len(new)) if counts else config


def choose_backbone(config: Any, name: str, width: int) -> Any:
    """The sizes with another backbone.

    Raises:
        WeightsError: the network has a backbone of its own.
    """
    if all(field.name != "backbone" for field in fields(config)):
        raise WeightsError("this network has a backbone of its own and takes no other.")
    return replace(config, backbone=name, resnet_width=width)


@dataclass(frozen=True, slots=True)
class NetworkFamily:
    """All that SeedHue wants to know of one network.

    Attributes:
        name, title: in the registry and for people.
        config: dataclass of sizes, all with defaults; one of them is `long_side`.
        network: (config, classes, pretrained_backbone) -> network.
        loss: (config) -> its objective.
        segmenter: (network, version=, categories=, device=, long_side=) -> the network behind its face.
        mask_stride: of the crops it learns from.
        relatives: registry names whose weights are a good start: the same names and shapes, as far as
            they go.
        fit: (config, old categories, new categories) -> config for the new ones.
        with_backbone: (config, backbone, width) -> config with that backbone.
        change: (config, sizes as text, categories) -> config with these sizes.
        signs, read_sizes: `WeightsPattern.signs` and `read`, by which a weights file without a header is
            recognised; a network without them is only known by its header.
    """

    name: str
    title: str
    config: Callable[..., Any]
    network: Callable[[Any, int, bool], nn.Module]
    loss: Callable[[Any], Loss]
    segmenter: Callable[..., Segmenter]
    mask_stride: int
    relatives: tuple[str, ...] = ()
    fit: Callable[[Any, Categories, Categories], Any] = fit_classes
    with_backbone: Callable[[Any, str, int], Any] = choose_backbone
    change: Callable[[Any, Mapping[str, str], Categories], Any] = change_sizes
    signs: tuple[str, ...] = ()
    read_sizes: Callable[[Shapes], Sizes] | None = None

    @property
    def pattern(self) -> WeightsPattern | None:
        """How its weights look without a header; None if nothing tells them."""
        if self.read_sizes is None:
            return None
        return WeightsPattern(
            self.signs,
            self.read_sizes,
            self.config,
            lambda config, classes: self.network(config, classes, False),
        )

    def build(
        self, info: WeightsInfo, tensors: dict[str, Tensor], *, source: str, device: torch.device
    ) -> Segmenter:
        """The segmenter for a weights file.

        Raises:
            WeightsError: the sizes in the header are unknown, or the tensors do not fit them.
        """
        config = self._config_of(info, source)
        if not info.categories or self.fit(config, info.categories, info.categories) != config:
            raise WeightsError(f"{source}: the header names {len(info.categories)} categories, not its own.")
        classes = len(info.categories)
        check_on_paper(lambda: self.network(config, classes, False), tensors, source=source)
        network = self.network(config, classes, False)
        load_into(network, tensors, source=source)
        return self.segmenter(
            network,
            version=info.version,
            categories=info.categories,
            device=device,
            long_side=config.long_side,
        )

    def trainable(
        self,
        categories: Categories,
        *,
        pretrained_backbone: bool = True,
        start: Weights | None = None,
        config: Any = None,
        sizes: Mapping[str, str] | None = None,
    ) -> TrainableModel:
        """The network for a training.

        Args:
            start: weights to continue from: of this network, of a relative, or of a backbone alone. What
                depends on categories that they do not know begins fresh.
            config: sizes, by default those of `start`, or else the network's own.
            sizes: some of them, by name and as text.

        Raises:
            WeightsError: `start` belongs to another network.
            SegmenterError: there is no such size.
        """
        if start is not None and start[0].architecture in BACKBONES:
            config = self.change(config or self.config(), sizes or {}, categories)
            return self._on_backbone(categories, start, config)
        if start is not None and start[0].architecture not in (self.name, *self.relatives):
            raise WeightsError(f"these are weights of {start[0].architecture}, no start for {self.name}.")
        own = self._config_of(start[0], "starting weights") if start else None
        if config is None and start is not None:
            config = self.fit(own, start[0].categories, categories)
        config = self.change(config or self.config(), sizes or {}, categories)
        config = self.fit(config, categories, categories)
        network = self.network(config, len(categories), pretrained_backbone and start is None)
        if start is not None:
            same = start[0].architecture == self.name and start[0].categories == categories
            if same and config == own:
                load_into(network, start[1], source="starting weights")
            else:
                load_matching(network, start[1])
            _count_as_pretrained(network)
        return self._ready(network, config, categories)

    def _on_backbone(self, categories: Categories, start: Weights, config: Any) -> TrainableModel:
        """Fresh heads on the weights of a backbone, for example a ResNet's from ImageNet."""
        name, width = start[0].architecture, int(start[0].config.get("width", 64))
        config = self.fit(self.with_backbone(config, name, width), categories, categories)
        network = self.network(config, len(categories), False)
        body: Any = getattr(network.backbone, "body", network.backbone)
        tensors = {k: v for k, v in start[1].items() if not k.startswith(CLASSIFIER)}
        load_into(body, tensors, source=f"weights of {name}")
        _count_as_pretrained(network)
        return self._ready(network, config, categories)

    def _ready(self, network: nn.Module, config: Any, categories: Categories) -> TrainableModel:
        info = WeightsInfo(self.name, f"{self.name}-1", asdict(config), categories)
        return TrainableModel(network, self.loss(config), info, CropSettings(mask_stride=self.mask_stride))

    def _config_of(self, info: WeightsInfo, source: str) -> Any:
        return stored_sizes(self.config, info.config, source=source)


def _count_as_pretrained(network: nn.Module) -> None:
    """Loaded weights are worth keeping: a training may freeze their early part and their statistics."""
    for module in network.modules():
        if isinstance(module, EfficientNetLite | ResNet):
            module.from_scratch = False
