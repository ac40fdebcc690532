"""Automatic segmentation for acceptance: a score slider, a list of candidates, accept or dismiss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QImage, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.canvas.soft_mask import draw_fill, draw_outline, sample_mask
from app.core.title import Title
from app.i18n import phrase, tr
from app.panels.controls import ValueSlider, make_label
from app.panels.object_thumbnails import object_thumbnail
from converters.annotation import Instance, Mask, Provenance, new_instance_id
from converters.geometry import mask_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.canvas.view import CanvasView
    from app.canvas.viewport import Viewport
    from app.session import Session

FIRST_SCORE: Final = 0.5
DUPLICATE_IOU: Final = 0.7
THUMBNAIL: Final = QSize(40, 40)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A prediction waiting for acceptance; `is_known`: an object of the document looks like it."""

    instance: Instance
    score: float
    is_known: bool


class CandidateLayer:
    """Draws the candidates that accepting would take; composed once per view, not per repaint."""

    def __init__(self, view: CanvasView) -> None:
        self._view = view
        self._shown: tuple[tuple[Mask, QColor, bool], ...] = ()
        self._cache: tuple[Viewport, QImage] | None = None
        view.layers.append(self)

    def show(self, masks: Sequence[tuple[Mask, QColor, bool]]) -> None:
        """Shows masks, each with its colour and whether it is the marked one."""
        self._shown = tuple(masks)
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
        width = max(1, round(self._view.devicePixelRatioF()))
        for mask, shade, marked in self._shown:
            sampled = sample_mask(mask.array, mask.box, viewport, 4)
            if sampled is not None:
                draw_fill(painter, sampled, shade, 0.6 if marked else 0.35)
                draw_outline(painter, sampled, width=2 * width if marked else width)
        painter.end()
        return image


class CandidatesPanel(QWidget):
    """Objects the model found by itself.

    Signals:
        closed: accepted or dismissed; the panel has nothing to show any more.
    """

    closed = Signal()

    def __init__(self, session: Session, layer: CandidateLayer) -> None:
        super().__init__()
        self._session = session
        self._candidates: list[Candidate] = []
        self._layer = layer
        self.slider = ValueSlider(tr("Smallest score"), low=0.0, high=1.0, step=0.01)
        self.slider.set_value(FIRST_SCORE)
        self.slider.changed.connect(self._refilter)
        self.summary = make_label("", "muted")
        self.summary.setWordWrap(True)
        self.list = QListWidget()
        self.list.setIconSize(THUMBNAIL)
        self.list.setUniformItemSizes(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setMouseTracking(True)
        self.list.setAccessibleName(tr("Found objects"))
        self.list.itemChanged.connect(self._show_masks)
        self.list.currentRowChanged.connect(self._show_masks)
        self.accept_button = QPushButton()
        self.accept_button.setProperty("role", "primary")
        self.accept_button.clicked.connect(self.accept)
        self.dismiss_button = QPushButton(tr("Dismiss"))
        self.dismiss_button.clicked.connect(self.dismiss)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.accept_button, 1)
        row.addWidget(self.dismiss_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.slider)
        column.addWidget(self.summary)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        session.document_opened.connect(self._drop)

    def show_candidates(self, predictions: Sequence[Any], model: str) -> None:
        """Lists predictions (mask, label, score, seed, tau), best first."""
        document = self._session.document
        if document is None:
            return
        existing = [i.geometry for i in document.annotation.instances if isinstance(i.geometry, Mask)]
        self._candidates = []
        for prediction in sorted(predictions, key=lambda p: -float(p.score)):
            known = any(
                _boxes_touch(mask, prediction.mask) and mask_iou(mask, prediction.mask) >= DUPLICATE_IOU
                for mask in existing
            )
            instance = Instance(
                id=new_instance_id(),
                label=prediction.label or self._session.options.label,
                geometry=prediction.mask,
                score=float(prediction.score),
                provenance=Provenance(
                    "automatic", seeds=(prediction.seed,), tau=float(prediction.tau), model=model
                ),
            )
            self._candidates.append(Candidate(instance, float(prediction.score), known))
        self._fill()

    def chosen(self) -> list[Instance]:
        """What accepting would take: ticked, and at least the smallest score."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [
            candidate.instance
            for item, candidate in zip(items, self._candidates, strict=True)
            if not item.isHidden() and item.checkState() == Qt.CheckState.Checked
        ]

    @Slot()
    def accept(self) -> None:
        """Puts the chosen candidates into the document, as one undoable step."""
        document, chosen = self._session.document, self.chosen()
        if document is not None and chosen:
            document.add(*chosen, title=Title(phrase("Accept {count} found objects"), count=len(chosen)))
        self.dismiss()

    @Slot()
    def dismiss(self) -> None:
        """Forgets all candidates."""
        self._drop()
        self.closed.emit()

    @Slot()
    def _drop(self) -> None:
        had_some = bool(self._candidates)
        self._candidates = []
        self.list.clear()
        self._layer.show(())
        if had_some:
            self.closed.emit()

    def _fill(self) -> None:
        image = self._session.image
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for candidate in self._candidates:
            instance = candidate.instance
            item = QListWidgetItem(f"{instance.label}   {candidate.score:.2f}")
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if candidate.is_known else Qt.CheckState.Checked)
            item.setSizeHint(QSize(120, 48))
            if candidate.is_known:
                item.setToolTip(tr("This object is annotated already."))
            if image is not None:
                shade = self._session.color_of(instance.label)
                ratio = self.devicePixelRatioF()
                pixmap = object_thumbnail(image, instance.geometry, shade, size=THUMBNAIL, ratio=ratio)
                item.setIcon(QIcon(pixmap))
            self.list.addItem(item)
        self.list.blockSignals(blocked)
        self._refilter()

    @Slot()
    def _refilter(self) -> None:
        smallest = self.slider.value()
        for row, candidate in enumerate(self._candidates):
            self.list.item(row).setHidden(candidate.score < smallest - 1e-9)
        self._show_masks()

    @Slot()
    def _show_masks(self) -> None:
        chosen = {instance.id for instance in self.chosen()} if self._candidates else set()
        current = self.list.currentRow()
        masks = []
        for row, candidate in enumerate(self._candidates):
            instance = candidate.instance
            marked = row == current
            if (instance.id in chosen or marked) and isinstance(instance.geometry, Mask):
                masks.append((instance.geometry, _wheel(row), marked))
        self._layer.show(masks)
        self.accept_button.setText(tr("Accept {count}", count=len(chosen)))
        self.accept_button.setEnabled(bool(chosen))
        self.summary.setText(
            tr(
                "Found {found}, shown {shown}. Untick what is wrong.",
                found=len(self._candidates),
                shown=sum(not self.list.item(row).isHidden() for row in range(self.list.count())),
            )
            if self._candidates
            else tr("Nothing was found. Try the seed tool.")
        )


def _wheel(row: int) -> QColor:
    """Colours far apart for neighbours in the list (golden angle)."""
    return QColor.fromHsv(int(row * 137.508) % 360, 190, 245)


def _boxes_touch(a: Mask, b: Mask) -> bool:
    return bool(np.all([a.x0 < b.x1, b.x0 < a.x1, a.y0 < b.y1, b.y0 < a.y1]))
