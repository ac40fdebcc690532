"""Which device computes: CUDA, then Apple MPS, then the CPU."""

from __future__ import annotations

import torch

from models.errors import SegmenterError


def choose_device(device: str = "auto") -> torch.device:
    """CUDA, then Apple's MPS, then the CPU; or the named one.

    Raises:
        SegmenterError: the named device does not exist here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise SegmenterError(f'the device "{device}" cannot be used here ({error}).') from error
    return chosen
