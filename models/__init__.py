"""Segmentation by networks. `load_segmenter` and `Seed` are all that most callers need.

torch is imported with the first of the names below, not with the package: how its threads wait is settled
before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.device.waiting import wait_shortly

if TYPE_CHECKING:
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
_HOMES = {
    "Seed": "converters.annotation",
    "Encoding": "models.segmenter",
    "Prediction": "models.segmenter",
    "Segmenter": "models.segmenter",
    "load_segmenter": "models.networks.loading",
}

wait_shortly()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "models.errors")), name)
