"""EmbedMask behind the segmenter's face: a click asks the detected proposal that claims its pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.grid.encoding import MIN_CELLS, FoundCells, GridAnswer, GridEncoding
from models.layers.boxes import clip_boxes
from models.layers.nms import grouped_nms
from models.networks.embedmask.fcos import sides_to_boxes
from models.networks.embedmask.network import EMBEDDING_STRIDE, embedding_distance

if TYPE_CHECKING:
    from models.grid.frame import GridFrame
    from models.networks.embedmask.network import EmbedMaskConfig, EmbedMaskFeatures
    from models.segmenter import Prediction

MIN_CLASS_SCORE = 0.05
MAX_CANDIDATES = 1000
NMS_IOU = 0.6
MAX_PROPOSALS = 100
BOX_SLACK = 2.0  # pixels that a mask may leave its box by
CLAIM = 0.3  # phi from which a proposal may answer for a pixel
CLEARANCE = 1.2  # the seed's phi counts as at least so many times the threshold


@dataclass(frozen=True, slots=True)
class Proposals:
    """Detected objects of one picture, best first.

    Attributes:
        boxes: (K, 4) in pixels of the network's input.
        scores: (K,), sqrt(class probability * centerness).
        classes: (K,) int64.
        queries, margins: (K, D) and (K, M).
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor
    queries: Tensor
    margins: Tensor


def select_proposals(features: EmbedMaskFeatures, index: int, height: int, width: int) -> Proposals:
    """The detections of picture `index`: class score > 0.05, best 1000, NMS per class, best 100.

    Args:
        height, width: of the part of the input that shows the picture.
    """
    probability = features.classes[index].sigmoid()
    ranked = probability * features.centerness[index].sigmoid()[:, None]
    ranked = ranked.masked_fill(probability <= MIN_CLASS_SCORE, -1.0).flatten()
    scores, order = ranked.topk(min(MAX_CANDIDATES, len(ranked)))
    order, scores = order[scores > 0.0], scores[scores > 0.0]
    place, classes = order // probability.shape[1], order % probability.shape[1]
    boxes = sides_to_boxes(features.locations.points[place], features.sides[index, place])
    boxes = clip_boxes(boxes, height, width)
    kept = grouped_nms(boxes, scores, classes, NMS_IOU)[:MAX_PROPOSALS]
    return Proposals(
        boxes=boxes[kept],
        scores=scores[kept].sqrt(),
        classes=classes[kept],
        queries=features.queries[index, place[kept]],
        margins=features.margins[index, place[kept]],
    )


class EmbedMaskEncoding(GridEncoding):
    """Pixel embedding and proposals of one picture.

    A click belongs to the proposal with the largest score * phi at its pixel; where none claims the pixel,
    the pixel's own embedding is asked, with the margin that the network gives at that place.
    """

    def __init__(
        self,
        features: EmbedMaskFeatures,
        frame: GridFrame,
        size: tuple[int, int],
        version: str,
        *,
        categories: tuple[str, ...],
        config: EmbedMaskConfig,
    ) -> None:
        super().__init__(frame, size, version)
        rows, columns = frame.grid_size
        self._categories, self._threshold = categories, config.mask_threshold
        self._pixels = features.pixels[0, :, :rows, :columns]
        self._proposals = select_proposals(features, 0, frame.input_height, frame.input_width)
        fine = features.finest[0] * features.finest[1]
        self._margins = features.margins[0, :fine].T.reshape(-1, *features.finest)

    @property
    def feature_bytes(self) -> int:
        p = self._proposals
        held = (self._pixels, self._margins, p.boxes, p.scores, p.classes, p.queries, p.margins)
        return sum(t.nbytes for t in held)

    def _phi(self, wanted: Tensor) -> Tensor:
        """(S, h, w) phi of proposals, 0 outside their boxes."""
        p = self._proposals
        distance = embedding_distance(p.queries[wanted], p.margins[wanted], self._pixels.flatten(1))
        phi = torch.exp(-distance).view(-1, *self._pixels.shape[1:])
        rows, columns = phi.shape[1:]
        x = (torch.arange(columns, device=phi.device) + 0.5) * EMBEDDING_STRIDE
        y = (torch.arange(rows, device=phi.device) + 0.5) * EMBEDDING_STRIDE
        boxes = p.boxes[wanted]
        low, high = boxes[:, :2] - BOX_SLACK, boxes[:, 2:] + BOX_SLACK
        in_x = (x >= low[:, :1]) & (x <= high[:, :1])
        in_y = (y >= low[:, 1:]) & (y <= high[:, 1:])
        return phi * (in_y[:, :, None] & in_x[:, None, :])

    def _claims(self, phi: Tensor) -> Tensor:
        """(K, ...) score * phi where a proposal claims the pixel, else 0, for (K, ...) phi."""
        scores = self._proposals.scores.view(-1, *(1 for _ in phi.shape[1:]))
        return scores * phi * (phi >= CLAIM)

    def _claimant(self, row: int, column: int) -> int | None:
        """The proposal that a cell belongs to."""
        p = self._proposals
        if len(p.scores) == 0:
            return None
        here = self._pixels[:, row, column]
        phi = torch.exp(-embedding_distance(p.queries, p.margins, here[:, None])[:, 0])
        x, y = ((value + 0.5) * EMBEDDING_STRIDE for value in (column, row))
        low, high = p.boxes[:, :2] - BOX_SLACK, p.boxes[:, 2:] + BOX_SLACK
        point = torch.tensor([x, y], device=here.device)
        claims = self._claims(phi * ((point >= low) & (point <= high)).all(dim=1))
        best = int(claims.argmax())
        return best if float(claims[best]) > 0.0 else None

    def answer_cell(self, row: int, column: int) -> GridAnswer:
        with torch.inference_mode():
            best = self._claimant(row, column)
            if best is None:
                return self._own_answer(row, column)
            index = torch.tensor([best], device=self._pixels.device)
            phi = self._phi(index)[0].cpu().numpy()
        peak = self._peak(float(phi[row, column]))
        similarity = np.minimum(phi / np.float32(peak), np.float32(1.0))
        similarity[row, column] = 1.0
        return GridAnswer(similarity, self._threshold / peak, float(self._proposals.scores[best]))

    def _peak(self, phi: float) -> float:
        """The phi that counts as similarity 1."""
        return max(phi, CLEARANCE * self._threshold)

    def _own_answer(self, row: int, column: int) -> GridAnswer:
        """Distance to the pixel's own embedding."""
        coarse_row = min(row // 2, self._margins.shape[1] - 1)
        coarse_column = min(column // 2, self._margins.shape[2] - 1)
        margin = self._margins[:, coarse_row, coarse_column][None]
        query = self._pixels[:, row, column][None]
        phi = torch.exp(-embedding_distance(query, margin, self._pixels.flatten(1)))
        similarity = phi.view(self._pixels.shape[1:]).cpu().numpy()
        similarity[row, column] = 1.0
        return GridAnswer(similarity, self._threshold, 0.0)

    def instances(self, min_score: float = 0.5, max_count: int = 100) -> list[Prediction]:
        p = self._proposals
        if len(p.scores) == 0:
            return []
        with torch.inference_mode():
            phi = self._phi(torch.arange(len(p.scores), device=p.scores.device))
            claims, owner = self._claims(phi).max(dim=0)
            numbers = torch.arange(len(p.scores), device=p.scores.device)[:, None, None]
            own = torch.where((owner == numbers) & (claims > 0.0), phi, -1.0).flatten(1)
            peak, cell = own.max(dim=1)
            inside = torch.where(phi >= self._threshold, phi, 0.0)
            count = (inside > 0.0).sum(dim=(1, 2))
            certainty = inside.sum(dim=(1, 2)) / count.clamp(min=1)
            wanted = (peak > 0.0) & (count >= MIN_CELLS) & (p.scores >= min_score)
        columns = self._pixels.shape[2]
        found = [
            FoundCells(
                row=cell_index // columns,
                column=cell_index % columns,
                tau=self._threshold / self._peak(value),
                label=self._categories[category],
                score=score,
                mask_score=sure,
            )
            for cell_index, value, category, score, sure in zip(
                *(t[wanted][:max_count].tolist() for t in (cell, peak, p.classes, p.scores, certainty)),
                strict=True,
            )
        ]
        return [self.predict(f) for f in found]
