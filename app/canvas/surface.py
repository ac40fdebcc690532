"""What layers and tools need of the canvas they are drawn on: no more, so that neither knows the widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PySide6.QtCore import SignalInstance
    from PySide6.QtWidgets import QWidget

    from app.canvas.layers import Layer
    from app.pixels.viewport import Region, Viewport
    from app.session import Session

Box = tuple[float, float, float, float]


class Surface(Protocol):
    """A view of the session's picture.

    Attributes:
        session: what is shown.
        viewport: where the picture lies, in device pixels.
        layers: what is painted, from the bottom up.
        viewport_changed: signal with the visible picture box (x0, y0, x1, y1).
    """

    session: Session
    viewport: Viewport
    layers: list[Layer]

    @property
    def viewport_changed(self) -> SignalInstance: ...

    @property
    def widget(self) -> QWidget:
        """The widget itself, as the parent of what lives on it."""

    @property
    def zoom(self) -> float:
        """Device pixels per picture pixel."""

    @property
    def show_original(self) -> bool:
        """Whether recoloured objects show the picture's own colours."""

    def devicePixelRatioF(self) -> float:
        """Device pixels per logical pixel."""

    def visible_region(self) -> Region:
        """The half-open box of picture pixels that show."""

    def update(self) -> None:
        """Ask for a repaint of everything."""

    def update_image_box(self, region: Box, margin: int = 4) -> None:
        """Ask for a repaint of a picture box and `margin` device pixels around it."""

    def update_device_box(self, box: Box) -> None:
        """Ask for a repaint of a box of device pixels."""
