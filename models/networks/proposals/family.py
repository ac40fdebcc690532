"""What the registry's rows of proposal networks have in common."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from models.networks.family import NetworkFamily
from models.networks.proposals.encoding import ProposalSegmenter

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from models.training.trainable import Loss

MASK_STRIDE = 2


def proposal_family(
    name: str,
    config: Callable[..., Any],
    network: Callable[..., nn.Module],
    loss: Callable[[], Loss],
    **rest: Any,
) -> NetworkFamily:
    """The row of a network that is built from its sizes alone and has `detect` (`ProposalSegmenter`).

    Args:
        rest: further fields of the row.
    """
    return NetworkFamily(
        name=name,
        config=config,
        network=lambda sizes, _classes, pretrained: network(sizes, pretrained_backbone=pretrained),
        loss=lambda _sizes: loss(),
        segmenter=partial(ProposalSegmenter, name, stride=1),
        mask_stride=MASK_STRIDE,
        **rest,
    )
