"""Automatic segmentation for acceptance: a score slider, a list of candidates, accept or dismiss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.appearance.i18n import phrase, tr
from app.appearance.title import Title
from app.editing.limits import FOUND_SCORE
from app.panels.candidate_list import Candidate, CandidateList
from app.panels.controls import ValueSlider, make_label
from app.services.similar import is_annotated
from converters.annotation import Instance, Provenance, new_instance_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.canvas.candidate_layer import CandidateLayer
    from app.session import Session


class CandidatesPanel(QWidget):
    """Objects the model found by itself.

    Signals:
        closed: accepted or dismissed; the panel has nothing to show any more.
        closer_wanted: whether to look at parts of the picture, too.
    """

    closed = Signal()
    closer_wanted = Signal(bool)

    def __init__(self, session: Session, layer: CandidateLayer, *, closer: bool = False) -> None:
        super().__init__()
        self._session = session
        self._layer = layer
        self.slider = ValueSlider(tr("Smallest score"), FOUND_SCORE)
        self.slider.set_value(FOUND_SCORE.default)
        self.summary = make_label("", "muted")
        self.summary.setWordWrap(True)
        self.list = CandidateList(session, tr("Found objects"))
        self.list.set_smallest(FOUND_SCORE.default)
        self.list.changed.connect(self._show_masks)
        self.slider.changed.connect(self.list.set_smallest)
        self.closer_box = QCheckBox(tr("Look closer: small objects, too"))
        self.closer_box.setToolTip(
            tr("Looks at parts of the picture by themselves. Takes several times as long.")
        )
        self.closer_box.setChecked(closer)
        self.closer_box.toggled.connect(self.closer_wanted)
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
        column.addWidget(self.closer_box)
        column.addLayout(row)
        session.document_opened.connect(self._drop)

    def hand_over(self) -> tuple[float, tuple[Candidate, ...], int]:
        return self.slider.value(), self.list.candidates, self.list.currentRow()

    def take_over(self, state: tuple[float, tuple[Candidate, ...], int]) -> None:
        smallest, candidates, row = state
        self.slider.set_value(smallest)
        self.list.set_smallest(smallest)
        self.list.show_candidates(candidates)
        self.list.setCurrentRow(row)

    def show_candidates(self, predictions: Sequence[Any], model: str) -> None:
        """Lists predictions (mask, label, score, seed, tau), best first."""
        self._list(predictions, model, left_out=())

    def show_closer(self, predictions: Sequence[Any], model: str) -> None:
        """Lists more or better ones of the same picture; what looks like an unticked one stays unticked."""
        left_out = [c.instance for c in self.list.candidates if not c.is_chosen]
        self._list(predictions, model, left_out=left_out)

    def _list(self, predictions: Sequence[Any], model: str, *, left_out: Sequence[Instance]) -> None:
        document = self._session.document
        if document is None:
            return
        label = self._session.options.label
        found = []
        for prediction in sorted(predictions, key=lambda p: -float(p.score)):
            known = is_annotated(prediction.mask, document.annotation.instances)
            instance = make_instance(prediction, prediction.label or label, model)
            chosen = not known and not is_annotated(prediction.mask, left_out)
            found.append(Candidate(instance, float(prediction.score), known, chosen))
        self.list.show_candidates(found)

    def chosen(self) -> list[Instance]:
        """What accepting would take: ticked, and at least the smallest score."""
        return self.list.chosen()

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
        had_some = bool(self.list.candidates)
        self.list.show_candidates(())
        if had_some:
            self.closed.emit()

    @Slot()
    def _show_masks(self) -> None:
        found, chosen = self.list.candidates, self.chosen()
        masks = self.list.masks([_wheel(row) for row in range(len(found))])
        self._layer.show([mask for mask in masks if mask.is_chosen or mask.is_marked])
        self.accept_button.setText(tr("Accept {count}", count=len(chosen)))
        self.accept_button.setEnabled(bool(chosen))
        self.summary.setText(
            tr(
                "Found {found}, shown {shown}. Untick what is wrong.",
                found=len(found),
                shown=len(self.list.shown()),
            )
            if found
            else tr("Nothing was found. Try the seed tool.")
        )


def make_instance(prediction: Any, label: str, model: str) -> Instance:
    """A new object from a prediction (mask, score, seed, tau, level)."""
    origin = Provenance(
        "automatic",
        seeds=(prediction.seed,),
        tau=float(prediction.tau),
        level=prediction.level,
        model=model,
    )
    score = float(prediction.score)
    return Instance(new_instance_id(), label, prediction.mask, score=score, provenance=origin)


def _wheel(row: int) -> QColor:
    """Colours far apart for neighbours in the list (golden angle)."""
    return QColor.fromHsv(int(row * 137.508) % 360, 190, 245)
