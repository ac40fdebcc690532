"""Errors of the networks' floor; each message says what is wrong and can be shown as it is."""

from __future__ import annotations


class SegmenterError(Exception):
    """A picture cannot be segmented or a model cannot be used."""


class WeightsError(SegmenterError):
    """A weights file is missing, damaged, unsafe or belongs to another network."""


class SeedOutsideError(SegmenterError, ValueError):
    """A seed does not lie on the encoded part of the picture."""


class ThresholdError(SegmenterError, ValueError):
    """τ is not strictly between 0 and 1."""


class Cancelled(Exception):  # noqa: N818  a request, not a fault
    """`should_stop` answered True."""
