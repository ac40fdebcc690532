"""Which number format networks without gradients are computed in, by the processor."""

import platform
from pathlib import Path

import pytest
import torch

from models.device import precision
from models.device.precision import inference_precision, reads_faster_in_bfloat16

CPU = torch.device("cpu")
LINUX_AMD, LINUX_INTEL = "vendor_id\t: AuthenticAMD\n", "vendor_id\t: GenuineIntel\n"


@pytest.fixture
def machine(monkeypatch):
    """Pretends another processor: what the system tells of it, and which instructions it has."""

    def pretend(cpuinfo, *, bfloat16=True, amx=False, named=""):
        precision._is_intel.cache_clear()
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bfloat16, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(platform, "processor", lambda: named)

        def read(path, **_more):
            if cpuinfo is None:
                raise FileNotFoundError(path)
            return cpuinfo

        monkeypatch.setattr(Path, "read_text", read)

    yield pretend
    precision._is_intel.cache_clear()


@pytest.mark.parametrize(
    ("cpuinfo", "facts", "expected"),
    [
        (LINUX_AMD, {}, True),
        (LINUX_INTEL, {}, False),
        (LINUX_INTEL, {"amx": True}, True),
        (LINUX_AMD, {"bfloat16": False}, False),
        (None, {"named": "Intel64 Family 6 Model 143 Stepping 8, GenuineIntel"}, False),
        (None, {"named": "AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD"}, True),
    ],
)
def test_bfloat16_where_the_processor_gains_by_it(machine, cpuinfo, facts, expected):
    machine(cpuinfo, **facts)
    assert reads_faster_in_bfloat16(CPU) is expected
    with inference_precision(CPU):
        assert torch.is_autocast_enabled("cpu") is expected
