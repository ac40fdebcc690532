"""Light and dark: the Fusion style under one palette and one style sheet made from design tokens.

The chrome follows the theme; annotation colours do not (a label keeps its colour everywhere).
Tokens live in `resources/themes/{light,dark}.json`; `icon` tints every icon with one of them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Final

import qtawesome
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QPalette

from app.appearance.i18n import current_language, phrase

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

CHOICES: Final[dict[str, str]] = {
    "system": phrase("Same as the system"),
    "light": phrase("Light"),
    "dark": phrase("Dark"),
}
_CHINESE_FONTS: Final = ["PingFang SC", "Microsoft YaHei UI", "Noto Sans CJK SC", "Source Han Sans SC"]

_scheme = "light"


@cache
def tokens(scheme: str) -> dict[str, str]:
    """Token name to "#rrggbb" of the "light" or the "dark" scheme."""
    source = resources.files("resources") / "themes" / f"{scheme}.json"
    values: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
    return values


def scheme() -> str:
    """The scheme shown now: "light" or "dark"."""
    return _scheme


def color(token: str) -> QColor:
    """A design token of the scheme shown now."""
    return QColor(tokens(_scheme)[token])


def icon(name: str, token: str = "text") -> QIcon:
    """A qtawesome icon (for example "mdi6.brush") in the colour of a token."""
    shade = color(token)
    made: QIcon = qtawesome.icon(
        name,
        color=shade,
        color_active=shade,
        color_selected=shade,
        color_disabled=color("disabled"),
        color_on=color("accent"),
    )
    return made


class ThemeManager(QObject):
    """Applies a choice to the application and follows the system where asked to.

    Signals:
        changed: another scheme is shown now; icons must be made again.
    """

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._choice = "system"
        self._base_font = application.font()
        application.setStyle("Fusion")
        application.styleHints().colorSchemeChanged.connect(self._follow_system)

    @property
    def choice(self) -> str:
        """What the user asked for: "system", "light" or "dark"."""
        return self._choice

    def apply(self, choice: str) -> None:
        """Shows that theme; an unknown choice counts as "system"."""
        global _scheme
        self._choice = choice if choice in CHOICES else "system"
        wanted = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        hints = self._application.styleHints()
        hints.setColorScheme(wanted.get(self._choice, Qt.ColorScheme.Unknown))
        if self._choice == "system":
            _scheme = "dark" if hints.colorScheme() == Qt.ColorScheme.Dark else "light"
        else:
            _scheme = self._choice
        self._application.setPalette(make_palette(_scheme))
        self._application.setFont(self._font())
        self._application.setStyleSheet(style_sheet(_scheme))
        self.changed.emit()

    def _follow_system(self) -> None:
        if self._choice == "system":
            self.apply("system")

    def _font(self) -> QFont:
        font = QFont(self._base_font)
        if current_language() == "zh_CN":
            # Without this, fontconfig may pick the Japanese shapes of Han characters.
            font.setFamilies([*self._base_font.families(), *_CHINESE_FONTS])
        font.setPixelSize(13)
        return font


def make_palette(name: str) -> QPalette:
    """Fusion's palette from the tokens of a scheme."""
    values = {key: QColor(text) for key, text in tokens(name).items()}
    role = QPalette.ColorRole
    palette = QPalette()
    for target, token in {
        role.Window: "window",
        role.WindowText: "text",
        role.Base: "surface",
        role.AlternateBase: "sunken",
        role.ToolTipBase: "raised",
        role.ToolTipText: "text",
        role.Text: "text",
        role.Button: "surface",
        role.ButtonText: "text",
        role.BrightText: "error",
        role.Link: "accent",
        role.LinkVisited: "accent",
        role.Highlight: "accent",
        role.HighlightedText: "on_accent",
        role.PlaceholderText: "muted",
        role.Mid: "border",
        role.Midlight: "hover",
        role.Dark: "border_strong",
        role.Light: "raised",
        role.Shadow: "sunken",
        role.Accent: "accent",
    }.items():
        palette.setColor(target, values[token])
    for target in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, target, values["disabled"])
    return palette


def style_sheet(name: str) -> str:
    """`resources/themes/window.qss` with the tokens of a scheme filled in."""
    source = (resources.files("resources") / "themes" / "window.qss").read_text(encoding="utf-8")
    folder = resources.files("resources") / "icons" / name
    return Template(source).substitute(tokens(name), icons=str(folder).replace("\\", "/"))
