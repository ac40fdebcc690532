"""Rows of small colour buttons: named presets, and the colours used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from app.appearance.i18n import tr
from app.panels.controls import swatch_icon

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 8


class SwatchButton(QToolButton):
    """One colour.

    Attributes:
        shade: "#rrggbb".
    """

    def __init__(self, shade: str, name: str = "") -> None:
        super().__init__()
        self.setObjectName("swatch")
        self.shade = QColor(shade).name()
        self.setIcon(swatch_icon(QColor(shade), 20))
        self.setIconSize(QSize(20, 20))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(f"{tr(name)}  {self.shade}" if name else self.shade)
        self.setAccessibleName(tr(name) if name else self.shade)


class Swatches(QWidget):
    """Colours to click, `COLUMNS` in a row.

    Signals:
        picked: "#rrggbb".
    """

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[SwatchButton] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(column, 1)

    def show_colors(self, colors: Sequence[tuple[str, str]]) -> None:
        """Shows other colours, each with its English name or ""."""
        for button in self.buttons:
            self._grid.removeWidget(button)
            button.deleteLater()
        self.buttons = [SwatchButton(shade, name) for shade, name in colors]
        for number, button in enumerate(self.buttons):
            button.clicked.connect(self._pick)
            self._grid.addWidget(button, number // COLUMNS, number % COLUMNS)

    @Slot()
    def _pick(self) -> None:
        button = self.sender()
        if isinstance(button, SwatchButton):
            self.picked.emit(button.shade)
