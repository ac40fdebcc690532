"""Findings of the quality checks on the open picture; a click shows the objects concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.appearance.theme import icon
from app.panels.controls import make_label
from app.project.checks import CheckLimits, Finding, check_annotation
from app.workers.task import OnEvent, TaskRunner

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.process.stopping import ShouldStop
    from app.session import Session


def check_job(request: tuple[Any, CheckLimits], should_stop: ShouldStop, _on_event: OnEvent) -> list[Finding]:
    """The findings of an (annotation, limits) pair."""
    annotation, limits = request
    return check_annotation(annotation, limits, should_stop=should_stop)


class ChecksDialog(FittingDialog):
    """Stays beside the window while the user mends what it lists.

    Signals:
        shown: the pixel box of the finding to look at.
    """

    shown = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Check the annotations"))
        self.resize(480, 360)
        self._session = session
        self._findings: list[Finding] = []
        self.verdict = make_label("", "value")
        self.verdict.setWordWrap(True)
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.currentRowChanged.connect(self._show)
        again = QPushButton(tr("Check again"))
        again.setProperty("role", "primary")
        again.setDefault(True)
        again.clicked.connect(self.check)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(close)
        row.addWidget(again)
        body = QVBoxLayout(self)
        body.setContentsMargins(16, 16, 16, 16)
        body.setSpacing(12)
        body.addWidget(self.verdict)
        body.addWidget(self.list, 1)
        body.addLayout(row)
        self.runner = TaskRunner(check_job, name="checks", parent=self)
        self.runner.finished.connect(self._take)
        session.document_opened.connect(self.check)
        self.check()

    @Slot()
    def check(self) -> None:
        """Looks at the open picture anew."""
        self.list.clear()
        self._findings = []
        document = self._session.document
        if document is not None:
            self.verdict.setText(tr("Checking…"))
            limits = CheckLimits(labels=self._session.labels.declared)
            self.runner.submit((document.annotation, limits))

    @Slot(object, object)
    def _take(self, _request: object, findings: list[Finding]) -> None:
        self._findings = findings
        for finding in findings:
            name, token = ("mdi6.alert-circle-outline", "error")
            if not finding.is_error:
                name, token = ("mdi6.alert-outline", "warning")
            self.list.addItem(QListWidgetItem(icon(name, token), finding.message.translated()))
        self.verdict.setText(
            tr("Things to look at: {count}", count=len(findings))
            if findings
            else tr("Nothing is wrong here.")
        )

    @Slot(int)
    def _show(self, row: int) -> None:
        if 0 <= row < len(self._findings):
            finding = self._findings[row]
            self._session.select(finding.ids)
            if finding.box is not None:
                self.shown.emit(finding.box)

    def done(self, result: int) -> None:
        self.runner.shutdown()
        super().done(result)
