"""The lesson "calibrator": it learns from whole pictures, and from each answer many times by replay.

Whether a click means a part or the whole is also a matter of how large things are in pictures, so a picture
is asked as a whole. That takes half a second; but what the calibrator sees of an answer is a few numbers,
which a replay buffer keeps. So pictures are asked first, and then every step learns from many: learning
beside asking, from the few pictures that were asked so far, ends up worse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.device.precision import full_precision
from models.seednet.scores import THRESHOLDS
from models.seednet.training.mask_losses import threshold_ious
from models.seednet.training.replay_buffer import ReplayBuffer
from models.seednet.training.seed_loss import SeedLoss, SeedLossSettings, choice_terms, on_device

if TYPE_CHECKING:
    from models.data.sample import Batch
    from models.seednet.cut_calibrator import CutCalibrator
    from models.seednet.features import SeedMasks
    from models.seednet.network import SeedNet
    from models.seednet.training.seed_batch import SeedBatch

REMEMBERED = 60_000  # answers
REPLAYED = 256  # of them, that a step learns from
# Choosing well is taught with a light hand: more of it raises all predictions above what is true.
CALIBRATION = SeedLossSettings(
    seeds=3, central=1 / 3, deepest=1 / 3, corrected=1 / 3, choice=0.15, choice_sharpness=40.0
)


class CalibrationLoss(SeedLoss):
    """Only the calibrator learns, from answers that were gathered before.

    A third of the seeds is drawn where objects are thickest, a third near there, a third anywhere in them; a
    third is answered once more with further clicks.

    Args:
        remembered, replayed: so many answers are kept, and drawn for a step.

    Attributes:
        steps: that teach. Four times as many learn too much about few pictures.
    """

    steps = 2000

    def __init__(
        self,
        settings: SeedLossSettings | None = None,
        *,
        remembered: int = REMEMBERED,
        replayed: int = REPLAYED,
    ) -> None:
        super().__init__(settings or CALIBRATION)
        self.buffer = ReplayBuffer(remembered)
        self.replayed = replayed

    def __call__(
        self, network: SeedNet, _batch: Batch | SeedBatch | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms as of `SeedLoss`, of answers that were gathered; none without any. No batch is needed."""
        calibrator = _calibrator_of(network)
        if not len(self.buffer):
            return {}  # a budget that was spent before, or nothing large enough to click on
        device = calibrator.correction.weight.device
        facts, truth = self.buffer.draw(self.replayed, on_device(generator, device))
        with full_precision(device):  # IoUs that are close to each other are compared
            predicted = calibrator(facts).sigmoid()
        terms = choice_terms(predicted, truth, self.settings.choice_sharpness)
        score, choice, iou = (term.mean() for term in terms)
        loss = self.settings.score * score + self.settings.choice * choice
        return {"loss": loss, "score": score.detach(), "choice": choice.detach(), "iou": iou.detach()}

    def gather(
        self, network: SeedNet, batch: Batch | SeedBatch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Remember what the batch is answered with; how many answers there are now."""
        self._remember(network, batch, generator)
        return {"answers": torch.tensor(float(len(self.buffer)))}

    @torch.no_grad()
    def _remember(self, network: SeedNet, batch: Batch | SeedBatch, generator: torch.Generator) -> None:
        batch, generator = self._begun(network, batch, generator)
        with full_precision(batch.images.device):
            self._remember_answers(network, batch, generator)

    def _remember_answers(self, network: SeedNet, batch: SeedBatch, generator: torch.Generator) -> None:
        asked = self._ask(network, batch)
        answer = asked.judged(batch.clicks())
        seen = [(answer, batch.mask_of(batch.owner))]
        if network.refiner is not None and self.settings.corrected > 0:
            seen.append(self._mended(asked, answer, generator))
        of_each = [_by_picture(batch, *_seen_of(*one)) for one in seen]
        for index in torch.nonzero(batch.usable).flatten().tolist():
            facts, truth = (torch.cat(parts) for parts in zip(*(one[index] for one in of_each), strict=True))
            self.buffer.add(facts, truth)


def _calibrator_of(network: SeedNet) -> CutCalibrator:
    calibrator = network.level_scorer.calibrator
    if calibrator is None:
        raise ValueError("a network without a calibrator has none to teach")
    return calibrator


def _seen_of(answer: SeedMasks, own: Tensor) -> tuple[Tensor, Tensor]:
    """What a calibrator went by, and the true IoUs."""
    facts = answer.scores.facts
    if facts is None:
        raise ValueError("a network without a calibrator tells no facts")
    return facts, threshold_ious(answer.logits, own, THRESHOLDS)


def _by_picture(batch: SeedBatch, facts: Tensor, truth: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of equally many seeds of each picture, picture by picture: those of each."""
    count = len(batch.images)
    return list(zip(facts.chunk(count), truth.chunk(count), strict=True))
