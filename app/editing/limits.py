"""How large and how small what a user sets may be: one row each, for tools, panels, settings and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that may be set.

    Attributes:
        minimum, maximum: both allowed.
        default: where nobody has set anything.
        step: of a slider; values between steps are fine.
    """

    minimum: float
    maximum: float
    default: float
    step: float

    def __contains__(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum

    def clamped(self, value: float) -> float:
        """The nearest value that is allowed."""
        return min(self.maximum, max(self.minimum, value))

    def __str__(self) -> str:
        return f"{self.minimum:g} and {self.maximum:g}"


TAU: Final = Limits(0.01, 0.99, default=0.5, step=0.01)
"""The similarity threshold; its ends are those of a level: scrolling on leads to the next one. The default
stands where the model has suggested nothing yet."""

THRESHOLD_RULE: Final = "strictly between 0 and 1"
"""Which τ a segmenter takes (`is_threshold`); the window's slider ends a little before."""

BRUSH_RADIUS: Final = Limits(0.5, 100.0, default=12.0, step=0.5)
"""In picture pixels."""

SUPERPIXEL_SIZE: Final = Limits(6.0, 200.0, default=24.0, step=1.0)
"""How wide a superpixel may be wished, in picture pixels."""

OVERLAY_OPACITY: Final = Limits(0.0, 1.0, default=0.4, step=0.05)
"""Of the fill over an object."""

FOUND_SCORE: Final = Limits(0.0, 1.0, default=0.5, step=0.01)
"""The smallest score of objects found automatically that are shown, or written."""

SIMILARITY: Final = Limits(0.0, 1.0, default=0.5, step=0.01)
"""The smallest similarity of objects like one that are shown."""

ZOOM: Final = Limits(0.0, 64.0, default=1.0, step=1.25)
"""Device pixels per picture pixel; the step is a factor. How far one can zoom out, the picture's size
says (app/pixels/viewport.py)."""


def is_threshold(tau: float) -> bool:
    """Whether a segmenter takes this τ (`THRESHOLD_RULE`)."""
    return 0.0 < tau < 1.0
