"""What SeedNet's losses are called with: tensors that travel together."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import torch


class TensorBatch:
    """Base of dataclasses of which every field is a tensor."""

    __slots__ = ()

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in self._tensors()))

    def pin_memory(self) -> Self:
        """The same where a graphics card can fetch it by itself."""
        return type(self)(*(tensor.pin_memory() for tensor in self._tensors()))

    def _tensors(self) -> list[torch.Tensor]:
        return [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
