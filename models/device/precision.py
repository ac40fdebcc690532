"""Which number format a device computes fastest in."""

from __future__ import annotations

import contextlib
import platform
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

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
    """Autocast to bfloat16 where there is hardware for it, otherwise nothing; for training."""
    if has_fast_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def reads_faster_in_bfloat16(device: torch.device) -> bool:
    """Whether a network without gradients takes less time in bfloat16.

    AMD's AVX-512 BF16 is nearly twice as fast as float32 (93 instead of 170 ms for a picture). Intel's is not
    faster and has to convert besides (320 instead of 250 ms), unless there is AMX.
    """
    if device.type != "cpu" or not has_fast_bfloat16(device):
        return has_fast_bfloat16(device)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(amx is not None and amx()) or not _is_intel()


def inference_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where networks without gradients are faster in it."""
    return mixed_precision(device) if reads_faster_in_bfloat16(device) else contextlib.nullcontext()


@cache
def _is_intel() -> bool:
    """Whether Intel made the processor; False where that cannot be told."""
    name = platform.processor()
    with contextlib.suppress(OSError):
        name += Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")[:4000]
    return "GenuineIntel" in name


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """No autocast inside: for distances, whose terms cancel, and for sums over many pixels."""
    return torch.autocast(device.type, enabled=False)
