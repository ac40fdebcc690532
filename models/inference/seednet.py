"""SeedNet behind the segmenter's face: encode once, then every click is a distance."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from converters.annotation import Seed
from models.architectures.seednet import STRIDE, SeedFeatures, SeedNet, SeedNetConfig, seed_logits
from models.data.crops import CropSettings
from models.errors import Cancelled, WeightsError
from models.inference.automatic import find_instances
from models.inference.fusion import fuse_batch_norms
from models.inference.raster import GridFrame
from models.losses.seed_loss import ScorerLoss, SeedLoss, SeedLossSettings
from models.precision import mixed_precision
from models.segmenter import (
    Encoding,
    Prediction,
    Region,
    RgbImage,
    Segmenter,
    check_image,
    check_tau,
    clip_region,
)
from models.training.trainable import TrainableModel
from models.weights import WeightsInfo, load_into

logger = logging.getLogger(__name__)

LONG_SIDE = 768
# The slider's unit: similarity is the logistic function of logit / TEMPERATURE, so that τ from 0.05 to
# 0.95 spans about twelve logits instead of six.
TEMPERATURE = 2.0
SEED_CLEARANCE = 0.4  # logits; a seed always belongs to its own mask
TAU_RANGE = (0.02, 0.98)
CACHED_SEEDS = 64
SCORER_SETTINGS = SeedLossSettings(objects=12, seeds=2, central=0.6, score=1.0, choice=1.0)
# Click consistency: how much a level gains for covering the other positive seeds, loses for negative ones.
COVERED_POSITIVES, COVERED_NEGATIVES = 0.3, 0.6


@dataclass(frozen=True, slots=True)
class SeedAnswer:
    """A seed's nested masks on the grid, small to large.

    Attributes:
        logits: (K, h, w) float32.
        scores: (K,) predicted IoU.
        thresholds: (K,) logit at which the network would cut each level.
        at_seed: (K,) logit at the seed itself.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    at_seed: NDArray[np.float32]

    @property
    def masks(self) -> NDArray[np.bool_]:
        """(K, h, w), each level at its own threshold."""
        return self.logits > self.thresholds[:, None, None]

    def peak(self, level: int) -> float:
        """The logit that counts as similarity 1: the seed's, but safely above the threshold."""
        return float(max(self.at_seed[level], self.thresholds[level] + SEED_CLEARANCE))


def _sigmoid(x: NDArray[np.float32] | np.float32 | float) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))), np.float32)


class SeedNetEncoding(Encoding):
    """The features of one picture; see `Encoding` for the face."""

    def __init__(
        self, network: SeedNet, features: SeedFeatures, frame: GridFrame, size: tuple[int, int], version: str
    ) -> None:
        self.height, self.width = size
        self.region = frame.region
        self.version = version
        self.level_count = network.config.levels
        self._network = network
        self._features = features
        self._frame = frame
        rows, columns = frame.grid_size
        self._embedding = features.embedding[0, :, :rows, :columns]
        self._answers: OrderedDict[tuple[float, float], SeedAnswer] = OrderedDict()

    @property
    def nbytes(self) -> int:
        features = self._features
        tensors = (*features.pyramid, features.embedding, features.seediness, features.appearance)
        answers = sum(a.logits.nbytes for a in self._answers.values())
        return sum(t.nbytes for t in tensors) + answers

    def answer_points(self, points: Sequence[tuple[float, float]]) -> list[SeedAnswer]:
        """Nested masks for picture coordinates (x, y), all in one pass, each sorted by area."""
        device = self._embedding.device
        shares = torch.tensor([self._frame.to_share(x, y) for x, y in points], device=device)
        with torch.inference_mode():
            query = self._network.query(self._features, 0, shares)
            logits = seed_logits(query, self._embedding)
            scores = self._network.score_levels(self._features, 0, query, logits)
            area = (logits > scores.threshold[:, :, None, None]).sum(dim=(2, 3))
            order = area.argsort(dim=1, stable=True)
            logits = logits.gather(1, order[:, :, None, None].expand_as(logits))
            iou, threshold = scores.iou.gather(1, order), scores.threshold.gather(1, order)
        maps, ious, thresholds = (t.float().cpu().numpy() for t in (logits, iou, threshold))
        return [
            SeedAnswer(maps[i], ious[i], thresholds[i], self._logits_at(maps[i], x, y))
            for i, (x, y) in enumerate(points)
        ]

    def _answer(self, seed: Seed) -> SeedAnswer:
        key = (seed.x, seed.y)
        if key not in self._answers:
            self._answers[key] = self.answer_points([key])[0]
            if len(self._answers) > CACHED_SEEDS:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key]

    def _logits_at(self, logits: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
        """(K,) nearest-cell logits at picture coordinates."""
        column, row = self._frame.to_grid(x, y)
        rows, columns = logits.shape[1:]
        return logits[:, min(int(row), rows - 1), min(int(column), columns - 1)]

    def _consistent_scores(self, seed: Seed, seeds: Sequence[Seed]) -> NDArray[np.float32]:
        """(K,) predicted IoU, corrected by which of the other clicks each level covers."""
        answer = self._answer(seed)
        scores = answer.scores.copy()
        for wanted, weight in ((True, COVERED_POSITIVES), (False, -COVERED_NEGATIVES)):
            others = [s for s in seeds if s.positive == (wanted == seed.positive) and s != seed]
            if others:
                covered = [self._logits_at(answer.logits, s.x, s.y) > answer.thresholds for s in others]
                scores += np.float32(weight) * np.mean(covered, axis=0, dtype=np.float32)
        return scores

    def _level_of(self, seed: Seed, seeds: Sequence[Seed], level: int | None) -> int:
        if level is not None and seed.positive:
            return min(max(level, 0), self.level_count - 1)
        return int(self._consistent_scores(seed, seeds).argmax())

    def level_scores(self, seeds: Sequence[Seed]) -> tuple[float, ...]:
        self.check_seeds(seeds)
        positives = [s for s in seeds if s.positive]
        scores = np.mean([self._consistent_scores(s, seeds) for s in positives], axis=0)
        return tuple(float(v) for v in np.clip(scores, 0.0, 1.0))

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float:
        self.check_seeds(seeds)
        first = next(s for s in seeds if s.positive)
        answer, k = self._answer(first), self._level_of(first, seeds, level)
        tau = float(_sigmoid(answer.thresholds[k] / TEMPERATURE) / _sigmoid(answer.peak(k) / TEMPERATURE))
        return min(max(tau, TAU_RANGE[0]), TAU_RANGE[1])

    def _similarity_on_grid(
        self, seeds: Sequence[Seed], all_seeds: Sequence[Seed], level: int | None
    ) -> NDArray[np.float32]:
        """Largest similarity to any of `seeds`, (h, w)."""
        maps = []
        for seed in seeds:
            answer = self._answer(seed)
            k = self._level_of(seed, all_seeds, level)
            scale = _sigmoid(answer.peak(k) / TEMPERATURE)
            maps.append(np.minimum(_sigmoid(answer.logits[k] / TEMPERATURE) / scale, np.float32(1.0)))
        return np.asarray(np.maximum.reduce(maps), np.float32)

    def similarity(
        self,
        seeds: Sequence[Seed],
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        self.check_seeds(seeds)
        wanted = clip_region(region, self.height, self.width)
        size = size or (wanted[3] - wanted[1], wanted[2] - wanted[0])
        positives = [s for s in seeds if s.positive]
        grid = self._similarity_on_grid(positives, seeds, level)
        out = self._frame.resample(grid, wanted, size, outside=0.0)
        self._mark(out, positives, wanted, 1.0)
        return out

    @staticmethod
    def _mark(out: NDArray[np.float32], seeds: Sequence[Seed], wanted: Region, value: float) -> None:
        """Write a value at the samples that show the seeds."""
        rows, columns = out.shape
        for seed in seeds:
            column = int((seed.x - wanted[0]) * columns / (wanted[2] - wanted[0]))
            row = int((seed.y - wanted[1]) * rows / (wanted[3] - wanted[1]))
            if seed.x >= wanted[0] and seed.y >= wanted[1] and row < rows and column < columns:
                out[row, column] = value

    def mask(
        self,
        seeds: Sequence[Seed],
        tau: float | None = None,
        level: int | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.bool_]:
        self.check_seeds(seeds)
        if tau is None:
            tau = self.suggest_tau(seeds, level)
        check_tau(tau)
        positive = self.similarity(seeds, level, region, size)
        out: NDArray[np.bool_] = positive >= tau
        negatives = [s for s in seeds if not s.positive]
        if negatives:
            wanted = clip_region(region, self.height, self.width)
            grid = self._similarity_on_grid(negatives, seeds, None)
            claimed = self._frame.resample(grid, wanted, out.shape, outside=0.0)
            self._mark(claimed, negatives, wanted, 2.0)
            self._mark(claimed, [s for s in seeds if s.positive], wanted, 0.0)
            out &= ~(claimed > positive)
        return out

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        rows, columns = self._frame.grid_size
        seediness = self._features.seediness[0, 0, :rows, :columns].sigmoid().cpu().numpy()
        return find_instances(self, self._frame, seediness, min_score=min_score, max_count=max_count)


class SeedNetSegmenter(Segmenter):
    """Holds the network on its device; falls back to the CPU when the device's memory is full."""

    name = "seednet"

    def __init__(self, network: SeedNet, *, version: str, device: torch.device) -> None:
        self.version = version
        self.device = device.type
        self._device = device
        self._network = fuse_batch_norms(network.eval()).to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.requires_grad_(False)

    def encode(
        self,
        image: RgbImage,
        region: Region | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> SeedNetEncoding:
        check_image(image)
        height, width = image.shape[:2]
        frame = GridFrame.fit(clip_region(region, height, width), long_side=LONG_SIDE, stride=STRIDE)
        pixels = torch.from_numpy(frame.prepare(image)).permute(2, 0, 1)[None]
        if should_stop is not None and should_stop():
            raise Cancelled
        features = self._run(pixels)
        if should_stop is not None and should_stop():
            raise Cancelled
        return SeedNetEncoding(self._network, features, frame, (height, width), self.version)

    def _run(self, pixels: Tensor) -> SeedFeatures:
        try:
            with torch.inference_mode(), mixed_precision(self._device):
                features: SeedFeatures = self._network.features(pixels.to(self._device))
            return features
        except torch.OutOfMemoryError:
            if self._device.type == "cpu":
                raise
            self.notice = f"The memory of {self._device.type} is full; SeedHue goes on with the CPU."
            logger.warning(self.notice)
            self._device, self.device = torch.device("cpu"), "cpu"
            self._network.to(self._device)
            return self._run(pixels)


def build_seednet(
    info: WeightsInfo, tensors: dict[str, Tensor], *, source: str, device: torch.device
) -> SeedNetSegmenter:
    """The segmenter for a weights file.

    Raises:
        WeightsError: the sizes in the header are unknown, or the tensors do not fit them.
    """
    try:
        network = SeedNet(SeedNetConfig(**info.config), pretrained_backbone=False)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{source}: its sizes fit no SeedNet of this version ({error}).") from error
    load_into(network, tensors, source=source)
    return SeedNetSegmenter(network, version=info.version, device=device)


def trainable_seednet(
    categories: tuple[str, ...],
    *,
    pretrained_backbone: bool = True,
    start: tuple[WeightsInfo, dict[str, Tensor]] | None = None,
    stage: int = 1,
) -> TrainableModel:
    """SeedNet for the training engine; it is class-agnostic, `categories` are only noted in the header.

    Stage 2 teaches the level scorer alone, on crops as large as the pictures are encoded.
    """
    config = SeedNetConfig(**start[0].config) if start else SeedNetConfig()
    network = SeedNet(config, pretrained_backbone=pretrained_backbone and start is None)
    if start:
        load_into(network, start[1], source="starting weights")
    info = WeightsInfo("seednet", "seednet-1", asdict(config), facts={"categories": list(categories)})
    if stage == 2:
        network.freeze_masks()
        crops = CropSettings(size=640, long_side=(560, 900), mask_stride=STRIDE)
        return TrainableModel(network, ScorerLoss(SCORER_SETTINGS), info, crops)
    return TrainableModel(network, SeedLoss(), info, CropSettings(mask_stride=STRIDE))


def shipped_weights() -> Path:
    """The weights that come with SeedHue."""
    return Path(__file__).resolve().parents[2] / "resources" / "weights" / "seednet.safetensors"
