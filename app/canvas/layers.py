"""The ordered paint layers of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PySide6.QtGui import QPainter

    from app.pixels.viewport import Viewport


class Layer(Protocol):
    """Something drawn over the layers before it."""

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        """Draw the visible part. The painter works in device pixels and is clipped to what changed."""
