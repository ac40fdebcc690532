"""The lesson "objects": what tells objects from other masks learns, from pictures without a click.

Seeds are asked at the peaks of the seediness map, as the automatic segmentation asks them, on whole pictures
of which all objects are known. As for the calibrator, pictures are asked first, what was seen of their
answers goes into a replay buffer, and then every step learns from many of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.device.precision import full_precision
from models.grid.peaks import seed_peaks
from models.seednet.object_scorer import ObjectScorer, facts_of
from models.seednet.training.replay_buffer import ReplayBuffer
from models.seednet.training.seed_loss import mirror_images
from models.seednet.training.tensor_batch import TensorBatch

if TYPE_CHECKING:
    from models.data.sample import Batch
    from models.seednet.features import SeedMasks
    from models.seednet.network import SeedNet

REMEMBERED = 60_000  # seeds
REPLAYED = 384  # of them, that a step learns from
SOUGHT = 40  # seeds of a picture
CREDITS = tuple(0.5 + 0.05 * step for step in range(10))  # COCO's thresholds of IoU


@dataclass(frozen=True, slots=True)
class KnownPictures(TensorBatch):
    """B pictures and their objects.

    Attributes:
        images: (B, 3, H, W) uint8 RGB.
        objects: (N, h, w) bool, of all pictures.
        picture: (N,) int64, of each.
        exhaustive: (B,) bool, whether a picture has no other objects.
    """

    images: Tensor
    objects: Tensor
    picture: Tensor
    exhaustive: Tensor

    @classmethod
    def of(cls, batch: Batch) -> KnownPictures:
        """A batch; an object of which there is no mask may be anywhere, so its picture is not known."""
        counts = torch.tensor([len(target.masks) for target in batch.targets])
        return cls(
            images=batch.images,
            objects=torch.cat([target.masks >= 0.5 for target in batch.targets]),
            picture=torch.arange(len(counts)).repeat_interleave(counts),
            exhaustive=torch.tensor([t.exhaustive and bool(t.has_mask.all()) for t in batch.targets]),
        )


class ObjectnessLoss:
    """Only the object scorer learns, from masks that were found without a click.

    A mask is worth the share of COCO's thresholds that its IoU with some object reaches: what average
    precision counts.

    Args:
        remembered, replayed: so many seeds are kept for replay, and drawn for a step.
        sought: of a picture so many seeds are asked.

    Attributes:
        steps: that teach.
    """

    steps = 2000

    def __init__(
        self, *, remembered: int = REMEMBERED, replayed: int = REPLAYED, sought: int = SOUGHT
    ) -> None:
        self.buffer = ReplayBuffer(remembered)
        self.replayed, self.sought = replayed, sought

    def prepare(self, batch: Batch, _generator: torch.Generator) -> KnownPictures:
        """The batch's objects, which may be done beside the steps."""
        return KnownPictures.of(batch)

    def __call__(self, network: SeedNet, _batch: object, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of answers that were gathered; no term without any. No batch is needed."""
        scorer = _scorer_of(network)
        if not len(self.buffer):
            return {}
        facts, worth = self.buffer.draw(self.replayed, generator)
        device = scorer.correction.weight.device
        facts, worth = facts.to(device).flatten(0, 1).float(), worth.to(device).flatten()
        with full_precision(device):
            return {"loss": F.binary_cross_entropy_with_logits(scorer(facts), worth)}

    def gather(
        self, network: SeedNet, batch: Batch | KnownPictures, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Remember what is found in the batch's known pictures; "seeds", how many there are now."""
        if not isinstance(batch, KnownPictures):
            batch = self.prepare(batch, generator)
        for index in torch.nonzero(batch.exhaustive).flatten().tolist():
            objects = batch.objects[batch.picture == index]
            self._remember(network, batch.images[index : index + 1], objects, generator)
        return {"seeds": torch.tensor(float(len(self.buffer)))}

    @torch.no_grad()
    def _remember(self, network: SeedNet, image: Tensor, objects: Tensor, generator: torch.Generator) -> None:
        """What the seeds of one picture (1, 3, H, W) with objects (N, h, w) are answered with."""
        device = next(network.parameters()).device
        with full_precision(device):
            found = self._sought(network, image.to(device), generator)
        if found is not None:
            masks, facts = found
            self.buffer.add(facts.half().cpu(), credits_of(masks, objects.to(device)).cpu())

    def _sought(
        self, network: SeedNet, image: Tensor, generator: torch.Generator
    ) -> tuple[SeedMasks, Tensor] | None:
        """Masks of some of the seeds that would be asked without a click, and the facts of each; None without
        any."""
        features = network.features(image)
        seediness = network.seediness_of(features.view)[:, 0].sigmoid()
        peaks = torch.tensor(seed_peaks(seediness[0].cpu().numpy()), dtype=torch.float32).view(-1, 2)
        if not len(peaks):
            return None
        drawn = torch.randperm(len(peaks), generator=generator)[: self.sought]
        seeds = peaks[drawn].flip(1).to(image.device) + 0.5
        shares = seeds / seeds.new_tensor(seediness.shape[:0:-1])
        mirror = network.view(mirror_images(image, network.config.mirror))
        query, logits = network.ask(features.view, shares, mirror)
        clicks = torch.cat([seeds, torch.ones_like(seeds[:, :1])], dim=1)[:, None]
        masks = network.judge(features, query, logits, clicks)
        return masks, facts_of(masks, seediness, seeds)


def credits_of(masks: SeedMasks, objects: Tensor) -> Tensor:
    """(S, K): what each level at its best threshold is worth, beside objects (N, h, w) bool."""
    cuts = masks.logits > masks.scores.threshold[..., None, None]
    if not len(objects):
        return masks.logits.new_zeros(cuts.shape[:2])
    found, true = cuts.flatten(2).float(), objects.flatten(1).float()
    common = found @ true.T
    either = found.sum(dim=2)[..., None] + true.sum(dim=1) - common
    best = (common / either.clamp(min=1.0)).amax(dim=2)
    return (best[..., None] >= best.new_tensor(CREDITS)).float().mean(dim=2)


def _scorer_of(network: SeedNet) -> ObjectScorer:
    if network.object_scorer is None:
        raise ValueError("a network without an object scorer has none to teach")
    return network.object_scorer
