"""Objects waiting for acceptance, drawn over the picture: tinted where chosen, outlined by dashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPainter

from app.canvas.soft_mask import draw_fill, draw_outline, sample_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QColor

    from app.canvas.surface import Surface
    from app.pixels.viewport import Viewport
    from converters.annotation import Mask

CHOSEN_OPACITY: Final = 0.35
MARKED_OPACITY: Final = 0.6
DASH: Final = 6
"""Length of a dash and of the gap behind it, in logical pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownCandidate:
    """One mask to draw.

    Attributes:
        is_chosen: filled; the others show their outline alone.
        is_marked: the current one of the list, drawn more strongly.
    """

    mask: Mask
    color: QColor
    is_chosen: bool = True
    is_marked: bool = False


class CandidateLayer:
    """Composed once per view, not per repaint."""

    def __init__(self, view: Surface) -> None:
        self._view = view
        self._shown: tuple[ShownCandidate, ...] = ()
        self._cache: tuple[Viewport, QImage] | None = None
        view.layers.append(self)

    @property
    def shown(self) -> tuple[ShownCandidate, ...]:
        """What is drawn, from the bottom up."""
        return self._shown

    def show(self, candidates: Sequence[ShownCandidate]) -> None:
        """Draws these in place of those before."""
        self._shown = tuple(candidates)
        self._cache = None
        self._view.update()

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        if not self._shown:
            return
        if self._cache is None or self._cache[0] != viewport:
            self._cache = viewport, self._compose(viewport)
        painter.drawImage(0, 0, self._cache[1])

    def _compose(self, viewport: Viewport) -> QImage:
        size = QSize(max(1, viewport.width), max(1, viewport.height))
        image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        ratio = self._view.devicePixelRatioF()
        width = max(1, round(ratio))
        for candidate in self._shown:
            sampled = sample_mask(candidate.mask.array, candidate.mask.box, viewport, 4)
            if sampled is None:
                continue
            marked = candidate.is_marked
            if candidate.is_chosen:
                draw_fill(painter, sampled, candidate.color, MARKED_OPACITY if marked else CHOSEN_OPACITY)
            draw_outline(painter, sampled, width=2 * width if marked else width, dash=round(DASH * ratio))
        painter.end()
        return image
