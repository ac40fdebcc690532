"""A list of objects waiting for acceptance: thumbnails with a tick, a smallest score, picking by a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from app.appearance.i18n import tr
from app.canvas.candidate_layer import ShownCandidate
from app.panels.object_thumbnails import object_thumbnail
from converters.annotation import Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.session import Session
    from converters.annotation import Instance

THUMBNAIL: Final = QSize(40, 40)


@dataclass(slots=True, eq=False)
class Candidate:
    """An object waiting for acceptance.

    Attributes:
        score: in [0, 1]; the slider hides those below it.
        is_known: an object of the document looks like it.
        is_chosen: ticked.
    """

    instance: Instance
    score: float
    is_known: bool = False
    is_chosen: bool = True


class CandidateList(QListWidget):
    """Shows candidates and keeps their ticks.

    Signals:
        changed: what is chosen, shown or current.
    """

    changed = Signal()

    def __init__(self, session: Session, title: str) -> None:
        super().__init__()
        self._session = session
        self._candidates: tuple[Candidate, ...] = ()
        self._smallest = 0.0
        self.setIconSize(THUMBNAIL)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMouseTracking(True)
        self.setAccessibleName(title)
        self.itemChanged.connect(self._take_tick)
        self.currentRowChanged.connect(self.changed)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All of them, also those the smallest score hides."""
        return self._candidates

    def show_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Lists others."""
        self._candidates = tuple(candidates)
        blocked = self.blockSignals(True)
        self.clear()
        for candidate in self._candidates:
            self.addItem(self._item(candidate))
        self.blockSignals(blocked)
        self.set_smallest(self._smallest)

    def _item(self, candidate: Candidate) -> QListWidgetItem:
        instance, image = candidate.instance, self._session.image
        item = QListWidgetItem(f"{instance.label}   {candidate.score:.2f}")
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(_tick(candidate.is_chosen))
        item.setSizeHint(QSize(120, 48))
        if candidate.is_known:
            item.setToolTip(tr("This object is annotated already."))
        if image is not None:
            shade = self._session.color_of(instance.label)
            ratio = self.devicePixelRatioF()
            pixmap = object_thumbnail(image, instance.geometry, shade, size=THUMBNAIL, ratio=ratio)
            item.setIcon(QIcon(pixmap))
        return item

    def set_smallest(self, score: float) -> None:
        """Hides the candidates below a score."""
        self._smallest = score
        for row, candidate in enumerate(self._candidates):
            self.item(row).setHidden(not self._reaches(candidate))
        self.changed.emit()

    def _reaches(self, candidate: Candidate) -> bool:
        return candidate.score >= self._smallest - 1e-9

    def shown(self) -> list[Candidate]:
        """Those that are not hidden."""
        return [candidate for candidate in self._candidates if self._reaches(candidate)]

    def chosen(self) -> list[Instance]:
        """What accepting would take: ticked, and at least the smallest score."""
        return [candidate.instance for candidate in self.shown() if candidate.is_chosen]

    def toggle_at(self, x: float, y: float) -> bool:
        """Ticks or unticks the smallest shown candidate at a picture point; whether there was one."""
        under = [c for c in self.shown() if _covers(c, x, y)]
        if not under:
            return False
        picked = min(under, key=_area)
        item = self.item(self._candidates.index(picked))
        item.setCheckState(_tick(not picked.is_chosen))
        return True

    def masks(self, colors: Sequence[QColor] | None = None) -> list[ShownCandidate]:
        """What to draw over the picture: every shown candidate, the current one last.

        Args:
            colors: one per candidate; None takes each one's label colour.
        """
        current = self.currentRow()
        drawn = []
        for row, candidate in enumerate(self._candidates):
            geometry = candidate.instance.geometry
            if isinstance(geometry, Mask) and self._reaches(candidate):
                shade = colors[row] if colors else self._session.color_of(candidate.instance.label)
                drawn.append(ShownCandidate(geometry, shade, candidate.is_chosen, row == current))
        return sorted(drawn, key=lambda shown: shown.is_marked)

    @Slot(QListWidgetItem)
    def _take_tick(self, item: QListWidgetItem) -> None:
        self._candidates[self.row(item)].is_chosen = item.checkState() == Qt.CheckState.Checked
        self.changed.emit()


def _tick(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked


def _covers(candidate: Candidate, x: float, y: float) -> bool:
    geometry = candidate.instance.geometry
    return isinstance(geometry, Mask) and geometry.contains(x, y)


def _area(candidate: Candidate) -> int:
    geometry = candidate.instance.geometry
    return geometry.area if isinstance(geometry, Mask) else 0
