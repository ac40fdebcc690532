"""Automatic segmentation: seeds from the seediness map, ranked by how far their masks are believed to be
objects and by what the other answers say, duplicates resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from converters.annotation import Mask, Seed
from converters.shapes.geometry import mask_iou
from models.grid.encoding import MIN_CELLS
from models.grid.overlaps import Overlaps, best_first
from models.grid.peaks import seed_peaks
from models.segmenter import Prediction, Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.grid.frame import GridFrame
    from models.seednet.click.seed_answer import SeedAnswer

CHUNK = 64
SAME_IOU = 0.7  # nearly the same mask, reached from several seeds or as several levels of one
LEAST_CANDIDATE = 0.005  # of objectness; average precision counts what is hardly believed in, too
AGREEMENT, USUAL_AGREEMENT = 0.12, 8.0  # logits per natural logarithm; candidates that count neither way
CONTAINMENT = 0.9  # logits
LARGER = 1.3  # times the area, for a mask to count as something that another is a part of


class ClickableEncoding(Protocol):
    """The part of an encoding used here."""

    def answer_points(self, points: Sequence[tuple[float, float]]) -> Sequence[SeedAnswer]: ...

    def suggest_tau(self, seeds: Sequence[Seed], level: int | None = None) -> float: ...

    def reach(self, seed: Seed, tau: float, level: int) -> Region: ...

    def mask(
        self,
        seeds: Sequence[Seed],
        tau: float | None = None,
        level: int | None = None,
        region: Region | None = None,
    ) -> NDArray[np.bool_]: ...


def find_instances(
    encoding: ClickableEncoding,
    frame: GridFrame,
    seediness: NDArray[np.float32],
    *,
    min_score: float,
    max_count: int,
) -> list[Prediction]:
    """Objects without a click, best first; see `Encoding.instances`.

    Every level of every seed is a candidate: a person and the shirt are both objects.
    """
    peaks = seed_peaks(seediness)
    candidates = _candidates(encoding, [frame.cell_center(row, column) for row, column in peaks])
    if not candidates:
        return []
    overlaps = Overlaps.of([c.mask for c in candidates])
    scores = rescored_by_overlaps([c.score for c in candidates], overlaps)
    found: list[Prediction] = []
    for i in best_first(scores, overlaps.iou > SAME_IOU):
        if len(found) == max_count or scores[i] < min_score:
            break
        chosen = candidates[i]
        prediction = predict_point(encoding, float(scores[i]), chosen.mask_score, chosen.point, chosen.level)
        mask = prediction.mask
        # At full size small masks can come closer to each other than they were on the grid.
        if not mask.is_empty and not any(mask_iou(mask, known.mask) > SAME_IOU for known in found):
            found.append(prediction)
    return found


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What a level of a seed answered with.

    Attributes:
        mask: (h, w) bool on the grid.
        score: its objectness; mask_score: predicted IoU.
        point: the seed, x and y in the picture.
    """

    mask: NDArray[np.bool_]
    score: float
    mask_score: float
    point: tuple[float, float]
    level: int


def _candidates(encoding: ClickableEncoding, points: Sequence[tuple[float, float]]) -> list[_Candidate]:
    """Every level of every seed that may be an object."""
    found: list[_Candidate] = []
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK]
        for answer, point in zip(encoding.answer_points(chunk), chunk, strict=True):
            for guess in answer.best_per_level():
                mask, score = answer.mask(guess), answer.objectness_of(guess)
                if score >= LEAST_CANDIDATE and np.count_nonzero(mask) >= MIN_CELLS:
                    found.append(_Candidate(mask, score, guess.score, point, guess.level))
    return found


def rescored_by_overlaps(scores: Sequence[float], overlaps: Overlaps) -> NDArray[np.float32]:
    """Candidates' scores in the light of all the others, (N,) in (0, 1).

    What many seeds and levels answer with is more likely an object, and what lies within something larger
    that is believed in is less likely one. In logits:

        score' = score + AGREEMENT log(n / USUAL_AGREEMENT) - CONTAINMENT max(s_j inside_j)

    where n counts the candidates that are about the same, s_j are scores of larger ones, and inside_j grows
    from 0 to 1 with the share of the candidate that lies in them, from a half to all of it.
    """
    own = np.asarray(scores, np.float32)
    agreeing = np.count_nonzero(overlaps.iou > SAME_IOU, axis=1)  # itself too
    larger = overlaps.area[None, :] > LARGER * overlaps.area[:, None]
    inside = np.clip(2.0 * overlaps.inside - 1.0, 0.0, 1.0)
    believed = np.where(larger, own[None, :] * inside, 0.0).max(axis=1)
    sure = np.clip(own, 1e-4, 1.0 - 1e-4)
    logits = np.log(sure / (1.0 - sure))
    logits += AGREEMENT * np.log(agreeing / USUAL_AGREEMENT) - CONTAINMENT * believed
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def predict_point(
    encoding: ClickableEncoding, score: float, mask_score: float, point: tuple[float, float], level: int
) -> Prediction:
    """The object at full resolution that a level of a point answered with.

    The answers of many points at once, from which it was chosen, differ in the last digits from what the
    point answers by itself, so where it lies is asked for anew.
    """
    seed = Seed(*point)
    tau = encoding.suggest_tau([seed], level)
    region = encoding.reach(seed, tau, level)
    mask = Mask(region[0], region[1], encoding.mask([seed], tau, level, region)).cropped()
    return Prediction(mask, None, score, mask_score, seed, tau, level)
