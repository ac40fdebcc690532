"""How fast SeedNet reads a picture, in every way of running it that was considered.

Run `python -m pytest tests/benchmarks/bench_encode.py -m benchmark -o python_files='bench_*.py' -s`.
Medians in one run, on a picture of 4 : 3 and its mirror image, at the sizes the shipped network sees.
torch.compile needs a C++ compiler, ONNX Runtime the packages onnxruntime, onnx and onnxscript, which SeedHue
does not depend on; a way that is not installed is left out.
"""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.batch_norm_folding import fuse_batch_norms
from models.backbones.int8 import Int8Backbone, can_compute_int8
from models.device.precision import has_fast_bfloat16, reads_faster_in_bfloat16
from models.networks.loading import load_segmenter
from models.seednet.network import SeedNet, SeedNetConfig
from models.seednet.weights_pattern import shipped_weights
from models.weights import load_into, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]


class Features(nn.Module):
    """The tensors that a click reads, of a picture and of its mirror image, as a plain tuple."""

    def __init__(self, network: SeedNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor, mirrored: Tensor) -> tuple[Tensor, ...]:
        return *self.network.features(picture).tensors, *self.network.view(mirrored).tensors


def network() -> SeedNet:
    info, tensors = read_weights(shipped_weights())
    net = SeedNet(SeedNetConfig.stored(info.config), pretrained_backbone=False)
    load_into(net, tensors, source="shipped weights")
    return fuse_batch_norms(net.eval()).requires_grad_(False)


def picture_of(side: float, draw: torch.Generator) -> Tensor:
    """(1, 3, H, W) uint8 of about 4 : 3, as wide as that and padded."""
    width = -(-round(side) // 32) * 32
    height = -(-round(side) * 3 // 4 // 32) * 32
    return torch.randint(0, 256, (1, 3, height, width), generator=draw).to(torch.uint8)


def milliseconds(act: Callable[[], object], *, repeats: int = 9) -> float:
    """Median after two runs that warm up."""
    act()
    act()
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        act()
        times.append(perf_counter() - begin)
    return 1000.0 * median(times)


def onnx_session(model: nn.Module, images: tuple[Tensor, ...], path: Path) -> Callable[[], object]:
    import onnxruntime

    model.requires_grad_(True)  # pads the maps: the exporter loses filters that are padded
    images = tuple(one.float() for one in images)
    torch.onnx.export(model, images, path, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = {put.name: one.numpy() for put, one in zip(session.get_inputs(), images, strict=True)}
    return lambda: session.run(None, given)


@pytest.mark.filterwarnings("ignore")
def test_ways_to_encode(tmp_path):
    config = network().config
    draw = torch.Generator().manual_seed(0)
    images = tuple(picture_of(side, draw) for side in (config.long_side, config.long_side * config.mirror))
    plain = Features(network()).eval()
    last = Features(network()).eval().to(memory_format=torch.channels_last)
    bfloat = torch.autocast("cpu", torch.bfloat16)
    ways: dict[str, tuple[nn.Module, object]] = {
        "eager float32": (plain, nullcontext()),
        "channels-last float32": (last, nullcontext()),
    }
    if has_fast_bfloat16(torch.device("cpu")):
        ways["eager bfloat16"] = (plain, bfloat)
        ways["channels-last bfloat16"] = (last, bfloat)
        ways["compiled bfloat16"] = (torch.compile(last), bfloat)
    ways["compiled float32"] = (torch.compile(last), nullcontext())
    if can_compute_int8():
        integers = Features(network()).eval().to(memory_format=torch.channels_last)
        integers.network.backbone = Int8Backbone(integers.network.backbone, integers.network.ranges)
        ways["backbone in 8 bits"] = (integers, nullcontext())
        if has_fast_bfloat16(torch.device("cpu")):
            ways["backbone in 8 bits, rest bfloat16"] = (integers, bfloat)
    shipped = "bfloat16" if reads_faster_in_bfloat16(torch.device("cpu")) else "float32"
    shipped += ", backbone in 8 bits" if can_compute_int8() else ""
    sizes = " and ".join(f"{one.shape[3]} x {one.shape[2]}" for one in images)
    print(f"\n{torch.get_num_threads()} threads, {sizes}")
    print(f"shipped: channels-last {shipped}")
    with torch.inference_mode():
        for name, (model, precision) in ways.items():
            with precision:
                print(f"{name:34} {milliseconds(lambda model=model: model(*images)):7.0f} ms")
    if all(importlib.util.find_spec(package) for package in ("onnxruntime", "onnx", "onnxscript")):
        run = onnx_session(plain, images, tmp_path / "features.onnx")
        print(f"{'ONNX Runtime float32':34} {milliseconds(run):7.0f} ms")


def test_a_photograph_of_twelve_megapixels():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    image = np.ascontiguousarray(np.repeat(np.repeat(image, 50, 0), 50, 1))
    segmenter = load_segmenter("seednet")
    print(f"\nencode 4000 x 3000: {milliseconds(lambda: segmenter.encode(image)):.0f} ms")
