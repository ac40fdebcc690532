"""The recolouring sliders: names, ranges and defaults. The window builds its sliders from `SETTINGS`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from app.editing.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Setting:
    """One slider.

    Attributes:
        name: the key in `RecolorOperation.settings` and of `--setting NAME=VALUE`.
        title, hint: English texts for the window, to be translated there.
        limits: what its value may be.
    """

    name: str
    title: str
    hint: str
    limits: Limits


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "lightness_match",
        "Lightness match",
        "1 takes the colour as picked; 0 keeps the object as light or dark as it was",
        Limits(0.0, 1.0, default=1.0, step=0.01),
    ),
    Setting(
        "shading_contrast",
        "Shading contrast",
        "How strongly folds and shadows show; 1 leaves them as photographed",
        Limits(0.0, 2.0, default=1.0, step=0.05),
    ),
    Setting(
        "highlight_keep",
        "Highlights",
        "1 keeps highlights in the colour of the light; 0 tints them like metal",
        Limits(0.0, 1.0, default=1.0, step=0.05),
    ),
    Setting(
        "texture_keep",
        "Texture",
        "Strength of fine detail such as weave and grain; 1 leaves it as photographed",
        Limits(0.0, 2.0, default=1.0, step=0.05),
    ),
    Setting(
        "variation_keep",
        "Other colours",
        "1 keeps logos, stains and tinted shadows; 0 paints over them",
        Limits(0.0, 1.0, default=1.0, step=0.05),
    ),
    Setting(
        "max_gain",
        "Noise limit",
        "How often noise may be amplified when a dark object turns light; lower is smoother",
        Limits(1.0, 64.0, default=6.0, step=0.5),
    ),
    Setting(
        "opacity",
        "Opacity",
        "How much of the new colour covers the old",
        Limits(0.0, 1.0, default=1.0, step=0.01),
    ),
)

_BY_NAME: Final[dict[str, Setting]] = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class RecolorSettings:
    """One value for every slider; see `SETTINGS` for meanings and ranges."""

    lightness_match: float
    shading_contrast: float
    highlight_keep: float
    texture_keep: float
    variation_keep: float
    max_gain: float
    opacity: float

    @classmethod
    def from_mapping(cls, values: Mapping[str, float]) -> RecolorSettings:
        """Complete `values` with the defaults.

        Raises:
            ValueError: an unknown name, something that is not a number, or a value out of range.
        """
        for name, value in values.items():
            check_setting(name, value)
        return cls(
            **{f.name: float(values.get(f.name, _BY_NAME[f.name].limits.default)) for f in fields(cls)}
        )


def check_setting(name: str, value: float) -> None:
    """Raise ValueError with a text for the user unless `name` is a setting that may hold `value`."""
    setting = _BY_NAME.get(name)
    if setting is None:
        raise ValueError(f"unknown recolouring setting {name!r}; known are {', '.join(_BY_NAME)}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f"recolouring setting {name} needs a number, got {value!r}")
    if value not in setting.limits:
        raise ValueError(f"recolouring setting {name} must lie between {setting.limits}, got {value:g}")
