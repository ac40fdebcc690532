"""What reading a file may take: bytes, pixels, points, levels of nesting, digits, seconds.

A small file can claim a picture of any size. So whatever a file declares is held against a budget before
anything is allocated, and some budgets grow with the bytes that the file has to back its claims. What all
shapes of one picture take together is added up by `spending`.
"""

from __future__ import annotations

import contextlib
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from converters.errors import ConverterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BudgetError(ConverterError):
    """A file asks for more than reading it may take."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much there is of one thing.

    Attributes:
        unit: what is counted, as a message names it.
        most: there is never more.
        remedy: what a user can do about a file that asks for more.
        free: so much is there for any file, however small; None: `most`.
        per_byte: so much more for each byte of the file.
    """

    unit: str
    most: int
    remedy: str = ""
    free: int | None = None
    per_byte: int = 0

    def allowed(self, backing: int | None = None) -> int:
        """How much a file of so many bytes may take; None: its size does not matter."""
        if self.free is None or backing is None:
            return self.most
        return min(self.most, self.free + self.per_byte * backing)

    def check(
        self,
        amount: float,
        *,
        backing: int | None = None,
        path: Path | str | None = None,
        where: str = "",
        asks: str = "it asks for",
    ) -> None:
        """Says nothing, or which budget is exceeded and by how much.

        Args:
            backing: bytes of the file that makes the claim.
            asks: how the message begins.

        Raises:
            BudgetError: there is less than `amount`.
        """
        allowed = self.allowed(backing)
        if amount <= allowed:
            return
        whose = "" if allowed == self.most else f" a file of {backing:,} bytes is given"
        problem = (
            f"{asks} {_shown(amount)} {self.unit}, {_shown(amount - allowed)} more than the"
            f" {allowed:,}{whose or ' there are'}."
        )
        raise BudgetError(problem, path=path, where=where, remedy=self.remedy)


DEPTH: Final = Budget("levels of nesting", 200, "It is damaged, or was not made by an annotation program.")
DIGITS: Final = Budget(
    "digits in one number", 4300, "It is damaged, or was not made by an annotation program."
)
YAML_NODES: Final = Budget("YAML values", 300_000, "Write what aliases stand for, and only what is needed.")
SHAPE_POINTS: Final = Budget("points in one shape", 1_000_000, "Simplify the outline.")
POINTS: Final = Budget("points in one picture", 10_000_000, "Simplify the outlines.")
MASK_PIXELS: Final = Budget(
    "pixels of masks in one picture",
    1 << 32,
    "Check the sizes it states; masks that are real take more bytes.",
    free=1 << 28,
    per_byte=1024,
)
"""The boxes of all masks, whose pixels lie in memory. A mask's border costs about a byte a column."""
SECONDS: Final = Budget("seconds for one picture's labels", 60, "Split the file, or simplify its outlines.")


class Spending:
    """What one picture's labels have taken so far.

    Attributes:
        backing: bytes of the label file; None where that is not known.
    """

    def __init__(self, backing: int | None) -> None:
        self.backing = backing
        self._begun = time.monotonic()
        self._spent: dict[Budget, int] = {}

    def take(self, budget: Budget, amount: int) -> None:
        """Adds to what was taken.

        Raises:
            BudgetError: there is not so much left, or time is up.
        """
        total = self._spent.get(budget, 0) + amount
        budget.check(total, backing=self.backing)
        self._spent[budget] = total
        SECONDS.check(time.monotonic() - self._begun, asks="it has taken")


_current: ContextVar[Spending | None] = ContextVar("spending", default=None)


@contextlib.contextmanager
def spending(file: Path | str) -> Iterator[None]:
    """Everything that is read inside counts together, as the labels of one picture in that file."""
    try:
        backing = os.stat(file).st_size
    except (OSError, ValueError):
        backing = 0
    token = _current.set(Spending(backing))
    try:
        yield
    finally:
        _current.reset(token)


def spend(budget: Budget, amount: int) -> None:
    """Takes from the budget of the picture that is being read; outside of `spending` only this counts.

    Raises:
        BudgetError: there is not so much left, or reading has taken too long.
    """
    current = _current.get()
    if current is None:
        budget.check(amount)
    else:
        current.take(budget, amount)


def _shown(amount: float) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{amount:,.1f}"
