"""Errors of the networks' floor; each message says what is wrong and can be shown as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class SegmenterError(Exception):
    """A picture cannot be segmented or a model cannot be used."""


class WeightsError(SegmenterError):
    """A weights file is missing, damaged, unsafe or belongs to another network."""


class SeedOutsideError(SegmenterError, ValueError):
    """A seed does not lie on the encoded part of the picture."""


class ThresholdError(SegmenterError, ValueError):
    """τ is not strictly between 0 and 1."""


class CheckpointError(SegmenterError):
    """A training cannot go on from what lies on the disk.

    Attributes:
        path: the checkpoint.
        problem: what is wrong with it.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"{path}: {problem}. Remove the file to begin the training anew, or write into another folder."
        )


class TrainingError(SegmenterError):
    """A training learnt nothing that could be kept."""


class Cancelled(Exception):  # noqa: N818  a request, not a fault
    """`should_stop` answered True."""
