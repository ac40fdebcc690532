"""Dividing pictures into a training and a validation part, the same way every time."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converters.errors import ConverterError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Split:
    """How to divide.

    Attributes:
        val: the share of pictures for validation, in (0, 1).
        seed: the same seed and names give the same division.
        group: a regular expression searched in each picture's name; pictures with the same match (its
            first group, if it has one) stay together. "" groups nothing.
    """

    val: float
    seed: int = 0
    group: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.val < 1:
            raise ConverterError(f"the validation share lies between 0 and 1, not at {self.val}.")
        try:
            re.compile(self.group)
        except re.error as error:
            raise ConverterError(f"{self.group!r} is no regular expression ({error}).") from error

    def parts(self, names: Sequence[str]) -> list[str]:
        """ "train" or "val" for each name.

        Groups are shuffled and go to validation until its share is reached; a group that would overshoot
        by more than it helps is passed over. Both parts get something when there are two groups.
        """
        groups: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            groups.setdefault(self._group_of(name), []).append(index)
        order = sorted(groups)
        random.Random(self.seed).shuffle(order)
        wanted = self.val * len(names)
        parts = ["train"] * len(names)
        taken = chosen = 0
        for key in order:
            size = len(groups[key])
            helps = abs(taken + size - wanted) < abs(taken - wanted)
            first = chosen == 0 and key == order[-1] and len(order) > 1
            if (helps or first) and chosen < len(order) - 1:
                for index in groups[key]:
                    parts[index] = "val"
                taken, chosen = taken + size, chosen + 1
        return parts

    def _group_of(self, name: str) -> str:
        found = re.search(self.group, name) if self.group else None
        if found is None:
            return f"picture:{name}"
        return f"group:{found.group(1) if found.re.groups else found.group(0)}"
