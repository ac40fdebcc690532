"""Training inside the application: choose a time budget, watch it learn, keep or discard the result, go on
with what was cut off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import phrase, tr
from app.appearance.plain_text import PlainLabel
from app.dialogs.training_pages import InterruptedPage, column_of, lines_of, row_of
from app.panels.controls import make_label
from app.services.training import VERDICTS

if TYPE_CHECKING:
    from PySide6.QtGui import QCloseEvent

    from app.services.training import Training
    from app.workers.training import TrainingProgress, TrainingSummary
    from app.workers.training_records import TrainingOutcome

BUDGETS: Final = (2, 5, 15)
FEW_OBJECTS: Final = 10
FEW_PICTURES: Final = 2
QUIET_SECONDS: Final = 30
SETUP, RUNNING, RESULT, INTERRUPTED = range(4)
"""The pages."""

PHASES: Final[dict[str, str]] = {
    "preparing": phrase("Getting ready…"),
    "collecting": phrase("Collecting your objects…"),
    "baseline": phrase("Measuring the model as it is…"),
    "training": phrase("Learning…"),
    "validating": phrase("Measuring on held-out objects…"),
    "saving": phrase("Saving the new model…"),
}


class TrainDialog(FittingDialog):
    """Four pages: what to train on and how long; the running training; the result; one that was cut off.

    The dialog is not modal: the window stays usable while it learns. Closing the dialog decides nothing: a
    training goes on, a result waits, and the status bar keeps telling about it.
    """

    activate_wanted = Signal(object)

    def __init__(self, training: Training, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Train on your objects"))
        self.setMinimumSize(560, 400)
        self.resize(600, 460)
        self._training = training
        self._curve: object | None = None
        self._outcome: TrainingOutcome | None = None
        self.pages = QStackedWidget()
        self.pages.addWidget(self._make_setup())
        self.pages.addWidget(self._make_running())
        self.pages.addWidget(self._make_result())
        self.interrupted = InterruptedPage()
        self.interrupted.resume_button.clicked.connect(self._resume)
        self.interrupted.remove_button.clicked.connect(self._remove)
        self.interrupted.another_button.clicked.connect(self._back_to_setup)
        self.pages.addWidget(self.interrupted)
        body = QVBoxLayout(self)
        body.setContentsMargins(24, 24, 24, 16)
        body.addWidget(self.pages)
        self._quiet = QTimer(self)
        self._quiet.setInterval(1000 * QUIET_SECONDS)
        self._quiet.timeout.connect(self._say_quiet)
        training.summary_ready.connect(self.show_summary)
        training.progressed.connect(self.show_progress)
        training.finished.connect(self.show_outcome)
        training.stopped_without_result.connect(self._show_next)
        training.left_changed.connect(self._follow_left)
        self._show_next()

    def reopen(self) -> None:
        """Shows the page that fits, when the dialog is called up again."""
        if not self._training.is_running or self.pages.currentIndex() != RUNNING:
            self._show_next()

    @Slot()
    def _show_next(self) -> None:
        """What runs, or else what waits for a decision, or else a new training."""
        if self._training.is_running:
            self._show_running()
        elif self._training.undecided:
            self.show_outcome(self._training.undecided[-1])
        elif self._training.interrupted:
            self.interrupted.show_record(self._training.interrupted[-1])
            self.pages.setCurrentIndex(INTERRUPTED)
        else:
            self._back_to_setup()

    @Slot()
    def _follow_left(self) -> None:
        """What is shown was settled elsewhere, or an earlier session's trainings have been found."""
        page = self.pages.currentIndex()
        if page == RUNNING and not self._training.is_running:
            return  # it has just ended, and how is told next
        if self._training.is_running and page != RUNNING:
            self._show_running()
        elif page == INTERRUPTED and self.interrupted.record not in self._training.interrupted:
            self._show_next()

    # The first page

    def _make_setup(self) -> QWidget:
        page = QWidget()
        self.summary = PlainLabel(tr("Counting your objects…"))
        self.summary.setWordWrap(True)
        self.warning = make_label("", "error")
        self.warning.setWordWrap(True)
        self.warning.hide()
        self.reviewed_only = QCheckBox(tr("Only pictures marked as reviewed"))
        self.reviewed_only.toggled.connect(self._count)
        self.budget = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(16)
        for minutes in BUDGETS:
            button = QRadioButton(tr("about {minutes} minutes", minutes=minutes))
            self.budget.addButton(button, minutes)
            row.addWidget(button)
        row.addStretch(1)
        self.budget.button(BUDGETS[1]).setChecked(True)
        hint = make_label(
            tr(
                "The shipped model stays untouched. The new one is compared with it on objects it has "
                "not seen, and you decide which to keep."
            ),
            "muted",
        )
        hint.setWordWrap(True)
        self.start_button = QPushButton(tr("Start training"))
        self.start_button.setProperty("role", "primary")
        self.start_button.setDefault(True)
        self.start_button.setEnabled(False)
        self.start_button.clicked.connect(self._start)
        cancel = QPushButton(tr("Close"))
        cancel.clicked.connect(self.close)
        column = column_of(page)
        column.addWidget(make_label(tr("Train on your objects"), "heading"))
        column.addWidget(self.summary)
        column.addWidget(self.warning)
        column.addWidget(self.reviewed_only)
        column.addWidget(make_label(tr("Time budget")))
        column.addLayout(row)
        column.addWidget(hint)
        column.addStretch(1)
        column.addLayout(row_of(self.start_button, cancel))
        return page

    @Slot()
    def _count(self) -> None:
        self.start_button.setEnabled(False)
        self._training.count_objects(reviewed_only=self.reviewed_only.isChecked())

    @Slot(object)
    def show_summary(self, summary: TrainingSummary) -> None:
        """What there is to learn from."""
        self.summary.setText(
            tr(
                "To learn from in this folder: objects {objects}, in pictures {pictures}.",
                objects=summary.objects,
                pictures=summary.pictures,
            )
        )
        self.start_button.setEnabled(summary.objects > 0)
        if summary.objects == 0 and self.reviewed_only.isChecked():
            text = tr("No reviewed picture has objects yet: mark pictures as reviewed in the File menu.")
        elif summary.objects == 0:
            text = tr("There is nothing to learn from yet: annotate some objects and save them.")
        elif summary.objects < FEW_OBJECTS or summary.pictures < FEW_PICTURES:
            text = tr("This is little: from 10 objects in 2 pictures on, training starts to help.")
        else:
            text = ""
        self.warning.setText(text)
        self.warning.setVisible(bool(text))

    @Slot()
    def _start(self) -> None:
        self._training.start(minutes=self.budget.checkedId(), reviewed_only=self.reviewed_only.isChecked())

    # The second page

    def _make_running(self) -> QWidget:
        page = QWidget()
        self.phase = make_label("", "heading")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.facts = make_label("", "muted")
        self.facts.setWordWrap(True)
        self._curve_place = QVBoxLayout()
        self.stop_button = QPushButton(tr("Stop and keep the best"))
        self.stop_button.setProperty("role", "primary")
        self.stop_button.clicked.connect(self._stop)
        self.discard_button = QPushButton(tr("Discard"))
        self.discard_button.clicked.connect(self._discard)
        column = column_of(page)
        column.addWidget(self.phase)
        column.addWidget(self.progress)
        column.addWidget(self.facts)
        column.addLayout(self._curve_place, 1)
        column.addLayout(row_of(self.stop_button, self.discard_button))
        return page

    def _show_running(self) -> None:
        self.pages.setCurrentIndex(RUNNING)
        self.phase.setText(tr(PHASES["preparing"]))
        self.progress.setRange(0, 0)
        self.facts.setText("")
        self.stop_button.setEnabled(True)
        self.discard_button.setEnabled(True)
        self._quiet.start()
        from app.dialogs.training_curve import TrainingCurve  # brings pyqtgraph

        if isinstance(self._curve, QWidget):
            self._curve.deleteLater()
        self._curve = TrainingCurve()
        self._curve_place.addWidget(self._curve)

    @Slot(object)
    def show_progress(self, progress: TrainingProgress) -> None:
        """Phase, share of the budget, curves."""
        self._quiet.start()
        self.phase.setText(tr(PHASES.get(progress.phase, PHASES["training"])))
        curve = self._curve
        if progress.phase == "training" and progress.share is not None:
            self.progress.setRange(0, 1000)
            self.progress.setValue(round(1000 * progress.share))
            self.facts.setText(
                tr(
                    "Step {step} · {seconds} s left · loss {loss}",
                    step=progress.step,
                    seconds=round(progress.seconds_left or 0),
                    loss=f"{progress.loss:.3f}" if _is_number(progress.loss) else "–",
                )
            )
        elif progress.phase != "training":
            self.progress.setRange(0, 0)
        if curve is not None:
            if _is_number(progress.loss):
                curve.add_loss(progress.step, progress.loss)  # type: ignore[attr-defined]
            if progress.score is not None:
                curve.add_score(progress.step, progress.score)  # type: ignore[attr-defined]

    @Slot()
    def _say_quiet(self) -> None:
        self.facts.setText(tr("Still working; the last news is more than 30 seconds old."))

    @Slot()
    def _stop(self) -> None:
        self.stop_button.setEnabled(False)
        self.facts.setText(tr("Stopping after this step…"))
        self._training.stop_and_keep()

    @Slot()
    def _discard(self) -> None:
        self.discard_button.setEnabled(False)
        self._training.discard()

    @Slot()
    def _back_to_setup(self) -> None:
        self._quiet.stop()
        self.pages.setCurrentIndex(SETUP)
        self._count()

    # The last page

    def _make_result(self) -> QWidget:
        page = QWidget()
        self.verdict = make_label("", "heading")
        self.verdict.setWordWrap(True)
        self.scores = PlainLabel()
        self.scores.setWordWrap(True)
        self.keep_new = QPushButton(tr("Use the new model"))
        self.keep_new.clicked.connect(self._use_new)
        self.keep_old = QPushButton(tr("Keep the old model"))
        self.keep_old.setToolTip(tr("The new one stays in the list of models."))
        self.keep_old.clicked.connect(self._keep_old)
        self.throw_away = QPushButton(tr("Discard the new model"))
        self.throw_away.clicked.connect(self._throw_away)
        again = QPushButton(tr("Train again…"))
        again.clicked.connect(self._back_to_setup)
        column = column_of(page)
        column.addWidget(self.verdict)
        column.addWidget(self.scores)
        column.addStretch(1)
        column.addLayout(row_of(self.keep_new, self.keep_old, self.throw_away, again))
        return page

    @Slot(object)
    def show_outcome(self, outcome: TrainingOutcome) -> None:
        """Before and after, how sure the difference is, and which of the two to use."""
        self._quiet.stop()
        self._outcome = outcome
        self.pages.setCurrentIndex(RESULT)
        self.verdict.setText(tr(VERDICTS.get(outcome.verdict, VERDICTS["unclear"])))
        self.scores.setText("\n\n".join(lines_of(outcome)))
        worse = outcome.verdict == "worse"
        for button, is_primary in ((self.keep_new, outcome.is_better), (self.keep_old, worse)):
            button.setProperty("role", "primary" if is_primary else "")
            button.style().unpolish(button)
            button.style().polish(button)

    @Slot()
    def _use_new(self) -> None:
        if self._outcome is not None:
            self.activate_wanted.emit(self._outcome)
        self._decide(keep=True)

    @Slot()
    def _keep_old(self) -> None:
        self._decide(keep=True)

    @Slot()
    def _throw_away(self) -> None:
        self._decide(keep=False)

    def _decide(self, *, keep: bool) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            self._training.settle(outcome.version, keep=keep)
        self.close()

    # One that was cut off

    @Slot()
    def _resume(self) -> None:
        if self.interrupted.record is not None:
            self._training.resume(self.interrupted.record)

    @Slot()
    def _remove(self) -> None:
        if self.interrupted.record is not None:
            self._training.settle(self.interrupted.record.version, keep=False)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._quiet.stop()
        super().closeEvent(event)


def _is_number(loss: float | None) -> bool:
    return loss is not None and math.isfinite(loss)
