"""A replay buffer: what a scorer went by in many answers and what was true of these, learnt from often."""

from __future__ import annotations

import torch
from torch import Tensor


class ReplayBuffer:
    """The latest `size` answers: what a scorer went by, and what was true."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._added = 0
        self._kept: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return min(self._added, self.size)

    def add(self, facts: Tensor, truth: Tensor) -> None:
        """Remember facts (S, ...) and truths (S, ...) of a picture, which weighs as much as any other."""
        weight = torch.full((len(facts),), 1.0 / max(1, len(facts)), device=facts.device)
        new = (facts, truth, weight)
        if not self._kept:
            self._kept = tuple(part.new_zeros((self.size, *part.shape[1:])) for part in new)
        places = torch.arange(self._added, self._added + len(facts), device=facts.device) % self.size
        for kept, part in zip(self._kept, new, strict=True):
            kept[places] = part
        self._added += len(facts)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Facts and truths of so many answers, some perhaps several times; something must be remembered."""
        facts, truth, weight = self._kept
        index = torch.multinomial(weight[: len(self)], count, replacement=True, generator=generator)
        return facts[index], truth[index]
