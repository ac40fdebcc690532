"""The one error type that converters raise for anything wrong with a file or its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class ConverterError(Exception):
    """A file cannot be read, written or understood.

    Attributes:
        path: the file at fault, if there is one.
        problem: what is wrong, in one sentence a user understands.
        remedy: what to do about it; may be empty.
        where: the place inside the file ("shapes[3].points"); may be empty.
    """

    def __init__(
        self, problem: str, *, path: Path | str | None = None, remedy: str = "", where: str = ""
    ) -> None:
        self.path = None if path is None else Path(path)
        self.problem = problem
        self.remedy = remedy
        self.where = where
        place = ": ".join(part for part in (str(path) if path else "", where) if part)
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text} {remedy}".strip())

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel whole from one process to another."""
        return _rebuilt, (type(self), self.problem, self.path, self.remedy, self.where)


class UnknownFormatError(ConverterError):
    """A file is sound, but not of the format it was taken for; a folder's other files may be."""


def _rebuilt(
    kind: type[ConverterError], problem: str, path: Path | None, remedy: str, where: str
) -> ConverterError:
    return kind(problem, path=path, remedy=remedy, where=where)
