"""Which number format a device computes fastest in."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware: AVX-512 BF16 or AMX on a CPU, Ampere or newer on CUDA."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return bool(probe()) if probe is not None else False
    return False


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is fast, otherwise nothing."""
    if has_fast_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """No autocast inside: for distances, whose terms cancel, and for sums over many pixels."""
    return torch.autocast(device.type, enabled=False)
