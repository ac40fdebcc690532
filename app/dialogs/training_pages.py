"""Parts of the training's dialog: the words of a result, and the page of a training that was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.panels.controls import make_label

if TYPE_CHECKING:
    from app.workers.training_records import TrainingOutcome, TrainingRecord

SHOWN_FILES: Final = 5


class InterruptedPage(QWidget):
    """A training that was cut off, to be gone on with or removed."""

    def __init__(self) -> None:
        super().__init__()
        self.record: TrainingRecord | None = None
        self.text = PlainLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        self.resume_button = QPushButton(tr("Go on training"))
        self.resume_button.setProperty("role", "primary")
        self.remove_button = QPushButton(tr("Remove it"))
        self.another_button = QPushButton(tr("Train again…"))
        column = column_of(self)
        column.addWidget(make_label(tr("A training was interrupted."), "heading"))
        column.addWidget(self.text)
        column.addStretch(1)
        column.addLayout(row_of(self.resume_button, self.remove_button, self.another_button))

    def show_record(self, record: TrainingRecord) -> None:
        """What it learnt from."""
        self.record = record
        self.text.setText(
            tr(
                "It learnt from {folder}, for about {minutes} minutes. "
                "It goes on from its last state on the disk.",
                folder=str(record.folder),
                minutes=f"{record.minutes:g}",
            )
        )


def lines_of(outcome: TrainingOutcome) -> list[str]:
    """What the result's page says below its verdict."""
    before, after = f"{outcome.before:.3f}", f"{outcome.after:.3f}"
    lines = [
        tr("Mean overlap after one click on {count} objects it has not seen:", count=outcome.held_out),
        tr("{before} before, {after} after", before=before, after=after),
    ]
    if outcome.verdict != "too few":
        lines.append(
            tr(
                "Object by object, the difference lies between {low} and {high} (95 % confidence).",
                low=f"{outcome.low:+.3f}",
                high=f"{outcome.high:+.3f}",
            )
        )
    lines.append(
        tr(
            "It took {seconds} s. Saved as {version}.",
            seconds=round(outcome.seconds),
            version=outcome.version,
        )
    )
    if outcome.set_aside:
        more = len(outcome.set_aside) - SHOWN_FILES
        shown = [*outcome.set_aside[:SHOWN_FILES], *(["…"] if more > 0 else [])]
        title = tr("Files that could not be read: {count}", count=len(outcome.set_aside))
        lines.append("\n".join([title, *shown]))
    return lines


def column_of(page: QWidget) -> QVBoxLayout:
    """The layout of a page."""
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(12)
    return column


def row_of(*buttons: QPushButton) -> QHBoxLayout:
    """Buttons at the right, the first one last."""
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addStretch(1)
    for button in reversed(buttons):
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignRight)
    return row
