"""The user's settings: typed, checked value by value, kept in one JSON file.

A value of the wrong kind falls back to its default alone; keys of a later version are kept and
written back; a file that is no JSON at all is renamed, never overwritten.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from app.appearance.i18n import LANGUAGES
from app.editing.limits import BRUSH_RADIUS, OVERLAY_OPACITY, SUPERPIXEL_SIZE, Limits
from app.project.folders import settings_file
from app.project.labels import checked_color
from converters.errors import ConverterError
from converters.files.files import parse_json, read_bytes, set_aside, write_atomic
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from pathlib import Path

MAX_RECENT: Final = 12
_MAX_BYTES: Final = 4_000_000
THEMES: Final = ("system", "light", "dark")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the application remembers about its user's wishes.

    Attributes:
        theme: "system", "light" or "dark".
        language: "system", or "en", "zh_CN" (`app.appearance.i18n.LANGUAGES`).
        recent: files and folders opened last, newest first, absolute.
        include_subfolders: whether opening a folder also takes the pictures in folders below it.
        ask_about_masks: whether the window asks before it keeps a mask that was clicked and not yet kept,
            when something else begins.
        autosave: whether labels are written to the annotation file without being asked.
        model: name of the segmenter to load.
        look_closer: whether the automatic search looks at parts of the picture, too.
        brush_radius: in picture pixels.
        superpixel_size: how wide a superpixel is, in picture pixels.
        overlay_opacity: of the fill over objects, in [0, 1].
        label: the label given to new objects last.
        labels: used before, in any folder; offered beside the open folder's own (app/project/labels.py).
        label_colors: label to "#rrggbb", for folders that have chosen no colour for it.
        color: the colour the recolour tool applied last, "#rrggbb".
        recent_colors: the colours recoloured with last, newest first.
        window_geometry, window_state: Qt's own byte strings, base64; "" before the first run.
        shortcuts: action id to key sequences, for those the user changed.
    """

    theme: str = "system"
    language: str = "system"
    recent: tuple[str, ...] = ()
    include_subfolders: bool = False
    ask_about_masks: bool = False
    autosave: bool = True
    model: str = "seednet"
    look_closer: bool = False
    brush_radius: float = BRUSH_RADIUS.default
    superpixel_size: float = SUPERPIXEL_SIZE.default
    overlay_opacity: float = OVERLAY_OPACITY.default
    label: str = "object"
    labels: tuple[str, ...] = ()
    label_colors: FrozenMap[str] = field(default_factory=FrozenMap)
    color: str = "#c8442e"
    recent_colors: tuple[str, ...] = ()
    window_geometry: str = ""
    window_state: str = ""
    shortcuts: FrozenMap[tuple[str, ...]] = field(default_factory=FrozenMap)


class SettingsStore:
    """The settings in force, and their file.

    Attributes:
        file: where they are kept.
        problem: what was wrong with the file, for the user; empty if nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Reads the file; a missing one means defaults."""
        self.file = settings_file() if file is None else file
        self.problem = ""
        self._unknown: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._written = self._settings = self._read()

    @property
    def settings(self) -> Settings:
        """The settings in force; immutable."""
        return self._settings

    @property
    def is_changed(self) -> bool:
        """Whether there is something that the file does not hold."""
        return self._settings != self._written

    def change(self, **values: Any) -> Settings:
        """Sets fields by name; the file follows with the next `save`.

        Raises:
            ValueError: a value is not allowed.
            KeyError: there is no such setting.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            checked[name] = _CHECKS[name](value)
            if checked[name] is None:
                raise ValueError(f"{value!r} is no value for the setting {name}")
        self._settings = replace(self._settings, **checked)
        return self._settings

    def add_recent(self, path: Path) -> Settings:
        """Puts a file or folder at the head of the recent ones."""
        name = os.path.abspath(path)
        others = [each for each in self._settings.recent if each != name]
        return self.change(recent=(name, *others)[:MAX_RECENT])

    def save(self) -> None:
        """Writes the file if anything changed; may be called from any thread.

        Raises:
            ConverterError: the folder cannot be written, or the disk is full.
        """
        with self._lock:
            settings = self._settings
            if settings == self._written:
                return
            values = {f.name: _plain(getattr(settings, f.name)) for f in fields(Settings)}
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConverterError(
                    "the folder of the settings cannot be made.", path=self.file.parent
                ) from error
            text = json.dumps({**self._unknown, **values}, ensure_ascii=False, indent=2)
            write_atomic(self.file, text + "\n")
            self._written = settings

    def _read(self) -> Settings:
        if not self.file.exists():
            return Settings()
        try:
            text = read_bytes(self.file, max_bytes=_MAX_BYTES)
        except ConverterError as error:
            problem = error.problem.rstrip(".")
            self.problem = f"The settings in {self.file} cannot be read ({problem}); defaults are used."
            return Settings()
        try:
            content = parse_json(text.decode("utf-8"), path=self.file)
        except (ConverterError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            self._put_aside()
            return Settings()
        self._unknown = {name: value for name, value in content.items() if name not in _CHECKS}
        values = {name: check(content[name]) for name, check in _CHECKS.items() if name in content}
        return Settings(**{name: value for name, value in values.items() if value is not None})

    def _put_aside(self) -> None:
        try:
            kept = set_aside(self.file, "damaged")
        except OSError as error:
            _log.warning("the damaged settings %s stay where they are: %s", self.file, error)
            kept = self.file
        self.problem = f"The settings were damaged and are kept as {kept}; defaults are used."


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


# A check returns the value in its proper type, or None where the default is better.


def _one_of(*choices: str) -> Callable[[Any], str | None]:
    return lambda value: value if isinstance(value, str) and value in choices else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= 100_000 else None


def _switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(limits: Limits) -> Callable[[Any], float | None]:
    def check(value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value) if value in limits else None

    return check


def _colors(value: Any) -> tuple[str, ...] | None:
    texts = _texts(value)
    return None if texts is None else tuple(text for text in map(checked_color, texts) if text is not None)


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(item for item in value if isinstance(item, str))


def _map_of(check: Callable[[Any], Any]) -> Callable[[Any], FrozenMap[Any] | None]:
    def check_map(value: Any) -> FrozenMap[Any] | None:
        if not isinstance(value, Mapping):
            return None
        checked = {str(key): check(item) for key, item in value.items()}
        return FrozenMap({key: item for key, item in checked.items() if item is not None})

    return check_map


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "theme": _one_of(*THEMES),
    "language": _one_of("system", *LANGUAGES),
    "recent": lambda value: (_texts(value) or ())[:MAX_RECENT],
    "include_subfolders": _switch,
    "ask_about_masks": _switch,
    "autosave": _switch,
    "model": _text,
    "look_closer": _switch,
    "brush_radius": _number(BRUSH_RADIUS),
    "superpixel_size": _number(SUPERPIXEL_SIZE),
    "overlay_opacity": _number(OVERLAY_OPACITY),
    "label": _text,
    "labels": _texts,
    "label_colors": _map_of(checked_color),
    "color": checked_color,
    "recent_colors": _colors,
    "window_geometry": _text,
    "window_state": _text,
    "shortcuts": _map_of(_texts),
}
