"""How large EfficientNet-Lite's activations get: what is needed to compute them in 8 bits.

Integers of 8 bits are spread between zero, or minus the largest value, and the largest value that is to be
expected. Channels differ a hundredfold in that, so it is measured for each (Nagel et al., arXiv 1906.04721,
section 4.1, even channels out from the weights alone; of the deep blocks these say too little).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.backbones.efficientnet_lite import EfficientNetLite


class ActivationRanges(nn.Module):
    """Largest absolute value of each channel in all pictures seen so far; zeros before the first.

    Three (C,) buffers for each block: `expanded`, after its expansion, `filtered`, after its depthwise
    convolution, and `left`, what it leaves to the next block.
    """

    def __init__(self, backbone: EfficientNetLite) -> None:
        super().__init__()
        for index, block in enumerate(backbone.blocks):
            hidden, outputs = block.filtering.out_channels, block.projection.out_channels
            for name, channels in (("expanded", hidden), ("filtered", hidden), ("left", outputs)):
                self.register_buffer(f"{name}{index}", torch.zeros(channels))

    def of(self, name: str, index: int) -> Tensor:
        """One of a block's buffers."""
        found: Tensor = getattr(self, f"{name}{index}")
        return found

    @property
    def measured(self) -> bool:
        """Whether any picture was seen."""
        return bool(self.of("left", 0).any())

    @torch.no_grad()
    def widen(self, backbone: EfficientNetLite, images: Tensor) -> None:
        """Take in what normalised (B, 3, H, W) images lead to, in a backbone that is not learning."""
        x = backbone.stem(images)
        for index, block in enumerate(backbone.blocks):
            expanded = block.expanded(x)
            filtered = block.filtered(expanded)
            x = block.projected(filtered, x)
            for name, values in (("expanded", expanded), ("filtered", filtered), ("left", x)):
                self._see(name, index, values)

    def _see(self, name: str, index: int, values: Tensor) -> None:
        known = self.of(name, index)
        torch.maximum(known, values.abs().amax(dim=(0, 2, 3)).to(known.dtype), out=known)
