"""What SeedNet answers to the clicks on one picture: asked once per place, judged once per set of clicks.

    ask      the distance of every pixel to the seed, three levels; depends on the place alone
    judge    the refiner's and the scorer's look at these masks, in the light of the other clicks

Of several clicks, the first positive one's masks are judged in the light of all of them; if the last are
negative, also in the light of those before these, which is mostly known already. The other clicks are judged
by themselves, if they are asked for at all: their answers say what the picture is like there.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from converters.annotation import Seed
from models.device.precision import full_precision, inference_precision
from models.seednet.click.seed_answer import Grid, SeedAnswer
from models.seednet.click.speckles import area_without_specks
from models.seednet.features import SeedFeatures, SeedMasks, SeedQuery, SeedView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.grid.frame import GridFrame
    from models.seednet.network import SeedNet

CACHED_ANSWERS = 64
CACHED_ASKS = 4
ABOUT_AS_LARGE = 1.1  # times the area of a mask, which specks can make up for


@dataclass(frozen=True, slots=True)
class _Request:
    """A seed's masks, judged in the light of other clicks."""

    seed: Seed
    others: frozenset[Seed] = frozenset()


def up_to_last_positive(seeds: Sequence[Seed]) -> Sequence[Seed]:
    """Of clicks with at least one positive: those whose mask the negative ones after them only take from."""
    return seeds[: 1 + max(i for i, s in enumerate(seeds) if s.positive)]


class ClickAnswers:
    """Answers to clicks on one encoded picture; a search may run beside the clicks.

    Args:
        features: of the picture, without padding.
        mirror: of its mirror image, likewise.
    """

    def __init__(self, network: SeedNet, features: SeedFeatures, mirror: SeedView, frame: GridFrame) -> None:
        self._network, self._features, self._mirror, self._frame = network, features, mirror, frame
        self._surroundings = features.surroundings()
        self._answers: OrderedDict[_Request, SeedAnswer] = OrderedDict()
        self._asks: OrderedDict[Seed, tuple[SeedQuery, Tensor]] = OrderedDict()
        self._seediness: Grid | None = None
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Memory held."""
        with self._lock:
            answers = sum(a.logits.nbytes for a in self._answers.values())
            asks = sum(logits.nbytes for _, logits in self._asks.values())
        seen = (*self._features.tensors, *self._mirror.tensors, *self._surroundings.tensors)
        seediness = self._seediness.nbytes if self._seediness is not None else 0
        return answers + asks + seediness + sum(t.nbytes for t in seen)

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the grid cell that shows picture coordinates."""
        column, row = self._frame.to_grid(x, y)
        rows, columns = self._frame.grid_size
        return min(int(row), rows - 1), min(int(column), columns - 1)

    @property
    def seediness(self) -> Grid:
        """(h, w) in [0, 1], how good a seed each cell is."""
        if self._seediness is None:
            rows, columns = self._frame.grid_size
            with torch.inference_mode(), inference_precision(self._device):
                logits = self._network.seediness_of(self._features.view)
            self._seediness = logits[0, 0, :rows, :columns].sigmoid().cpu().numpy()
        return self._seediness

    def at_points(self, points: Sequence[tuple[float, float]]) -> list[SeedAnswer]:
        """Nested masks for picture coordinates (x, y), each judged by itself, all in one pass, and what is
        believed of them as nobody has clicked.

        Many points at once, as the automatic search asks for, are worth the coarser numbers.
        """
        shown = self._shown([[self._click(Seed(x, y))] for x, y in points])
        seediness = torch.from_numpy(self.seediness)[None].to(self._device)
        with torch.inference_mode(), inference_precision(self._device):
            query, logits = self._ask(points)
            masks = self._judge(query, logits, shown)
            objectness = self._network.objectness(masks, seediness, shown[:, 0, :2])
            return self._read(masks, points, objectness)

    def answer(self, seed: Seed, seeds: Sequence[Seed]) -> SeedAnswer:
        """What one of several clicks is answered with, sorted by area."""
        return self.answers([seed], seeds)[0]

    def answers(self, wanted: Sequence[Seed], seeds: Sequence[Seed]) -> list[SeedAnswer]:
        """`answer` of some of several clicks; what is not known yet is judged in one pass."""
        requests = [self._request(s, seeds) for s in wanted]
        first = next(s for s in seeds if s.positive)
        together = [self._request(first, up_to_last_positive(seeds))] if first in wanted else []
        with self._lock:
            found = {r: self._answers[r] for r in (*requests, *together) if r in self._answers}
            for known in found:
                self._answers.move_to_end(known)
        missing = [r for r in dict.fromkeys((*requests, *together)) if r not in found]
        if missing:
            found |= zip(missing, self._judged(missing), strict=True)
            with self._lock:
                self._answers |= found
                while len(self._answers) > CACHED_ANSWERS:
                    self._answers.popitem(last=False)
        return [found[r] for r in requests]

    def _request(self, seed: Seed, seeds: Sequence[Seed]) -> _Request:
        if self._network.refiner is None or seed != next(s for s in seeds if s.positive):
            # What a negative click lies on is asked for as what a positive one does.
            return _Request(seed if seed.positive else replace(seed, positive=True))
        return _Request(seed, frozenset(seeds) - {seed})

    def _judged(self, requests: Sequence[_Request]) -> list[SeedAnswer]:
        own = [self._click(r.seed) for r in requests]
        clicks = [[c, *(self._click(s) for s in r.others)] for c, r in zip(own, requests, strict=True)]
        longest = max(len(c) for c in clicks)
        padded = [c + [(0.0, 0.0, 0.0)] * (longest - len(c)) for c in clicks]
        with torch.inference_mode(), full_precision(self._device):
            query, logits = self._asked([r.seed for r in requests])
            masks = self._judge(query, logits, self._shown(padded))
            return self._read(masks, [(r.seed.x, r.seed.y) for r in requests])

    def _asked(self, seeds: Sequence[Seed]) -> tuple[SeedQuery, Tensor]:
        """What the seeds ask for, from the last asks where it is there."""
        with self._lock:
            known = {s: self._asks[s] for s in seeds if s in self._asks}
        new = list(dict.fromkeys(s for s in seeds if s not in known))
        if new:
            query, logits = self._ask([(s.x, s.y) for s in new])
            parts = zip(query.split(1), torch.split(logits, 1), strict=True)
            known |= dict(zip(new, parts, strict=True))
        with self._lock:
            for seed in reversed(seeds):  # the first click last: it is asked for again with every further one
                self._asks[seed] = known[seed]
                self._asks.move_to_end(seed)
            while len(self._asks) > CACHED_ASKS:
                self._asks.popitem(last=False)
        if len(seeds) == 1:
            return known[seeds[0]]
        queries, logits_of = zip(*(known[s] for s in seeds), strict=True)
        return SeedQuery.joined(queries), torch.cat(logits_of)

    def _ask(self, points: Sequence[tuple[float, float]]) -> tuple[SeedQuery, Tensor]:
        shares = [self._frame.to_share(x, y) for x, y in points]
        at = torch.tensor(shares, dtype=torch.float32, device=self._device)  # NumPy's numbers are float64
        return self._network.ask(self._features.view, at, self._mirror)

    def _judge(self, query: SeedQuery, logits: Tensor, clicks: Tensor) -> SeedMasks:
        return self._network.judge(self._features, query, logits, clicks, self._surroundings)

    def _read(
        self, masks: SeedMasks, points: Sequence[tuple[float, float]], objectness: Tensor | None = None
    ) -> list[SeedAnswer]:
        """The answers, each one's levels from small to large."""
        maps, ious = (x.float().cpu().numpy() for x in (masks.logits, masks.scores.ious))
        of_levels = objectness.float().cpu().numpy() if objectness is not None else [None] * len(points)
        cells = [self.cell(x, y) for x, y in points]
        return [
            _from_small_to_large(
                SeedAnswer(maps[i], ious[i], maps[i][:, row, column], of_levels[i]), (row, column)
            )
            for i, (row, column) in enumerate(cells)
        ]

    def _shown(self, clicks: Sequence[Sequence[tuple[float, float, float]]]) -> Tensor:
        """(S, P, 3), see `MaskRefiner.forward`."""
        return torch.tensor(clicks, dtype=torch.float32, device=self._device)

    def _click(self, seed: Seed) -> tuple[float, float, float]:
        """x and y in cells, and the sign."""
        return (*self._frame.to_grid(seed.x, seed.y), 1.0 if seed.positive else -1.0)

    @property
    def _device(self) -> torch.device:
        return self._features.appearance.device


def _from_small_to_large(answer: SeedAnswer, cell: tuple[int, int]) -> SeedAnswer:
    """The levels in the order of their suggested masks' areas; of masks about as large, without specks."""
    fields = [answer.logits[h.level] - np.float32(h.threshold) for h in answer.best_per_level()]
    areas = np.array([np.count_nonzero(field > 0) for field in fields])
    ascending = np.sort(areas)
    if (ascending[1:] < ABOUT_AS_LARGE * ascending[:-1]).any():
        areas = np.array([area_without_specks(field, [cell]) for field in fields])
    order = np.argsort(areas, kind="stable")
    return answer.in_order(order)
