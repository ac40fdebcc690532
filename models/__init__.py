"""Segmentation by networks. `load_segmenter` and `Seed` are all that most callers need."""

from converters.annotation import Seed
from models.errors import Cancelled, SeedOutsideError, SegmenterError, ThresholdError, WeightsError
from models.networks.loading import load_segmenter
from models.segmenter import Encoding, Prediction, Segmenter

__all__ = [
    "Cancelled",
    "Encoding",
    "Prediction",
    "Seed",
    "SeedOutsideError",
    "Segmenter",
    "SegmenterError",
    "ThresholdError",
    "WeightsError",
    "load_segmenter",
]
