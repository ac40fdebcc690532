"""Sliders, numbers and lists of values that leave the wheel to what scrolls, until somebody chose them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QSlider, QWidget

if TYPE_CHECKING:
    from PySide6.QtGui import QWheelEvent


class _WheelNeedsFocus:
    """Takes the wheel only with the focus, which a click or Tab gives, the wheel itself does not."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        assert isinstance(self, QWidget)
        if self.hasFocus():
            super().wheelEvent(event)  # type: ignore[misc]
        else:
            event.ignore()


class Slider(_WheelNeedsFocus, QSlider):
    """A horizontal slider."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class ValueList(_WheelNeedsFocus, QComboBox):
    """A list of values to choose one from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
