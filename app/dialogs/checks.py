"""Findings of the quality checks on the open picture or its folder; a click shows the objects concerned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.appearance.theme import icon
from app.panels.controls import make_label
from app.project.checks import CheckLimits, Finding, check_annotation
from app.project.picture_states import state_of
from app.workers.task import OnEvent, TaskRunner
from converters.errors import ConverterError
from converters.formats.labelme.document import read_labelme

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QWidget

    from app.process.stopping import ShouldStop
    from app.services.pictures import Pictures
    from app.session import Session
    from converters.annotation import ImageAnnotation

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class CheckRequest:
    """Look at these pictures.

    Attributes:
        open: annotations that are open here, as they are now.
        files: annotation files of the other pictures; those that do not exist say nothing.
    """

    open: dict[Path, ImageAnnotation]
    files: dict[Path, Path]
    limits: CheckLimits

    @property
    def pictures(self) -> tuple[Path, ...]:
        return (*self.open, *self.files)


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What was found, picture by picture, how many are annotated, and whose files cannot be read."""

    findings: dict[Path, list[Finding]]
    annotated: int
    unreadable: tuple[Path, ...]


def check_job(request: CheckRequest, should_stop: ShouldStop, _on_event: OnEvent) -> Checked:
    """The findings; files are read, never touched."""
    findings: dict[Path, list[Finding]] = {}
    unreadable = []
    annotated = 0
    for picture in request.pictures:
        if should_stop():
            break
        try:
            annotation = request.open.get(picture)
            if annotation is None and request.files[picture].exists():
                annotation = read_labelme(request.files[picture])
        except ConverterError:
            unreadable.append(picture)
            continue
        if annotation is not None:
            annotated += state_of(annotation).is_annotated
            findings[picture] = check_annotation(annotation, request.limits, should_stop=should_stop)
    return Checked(findings, annotated, tuple(unreadable))


class ChecksDialog(FittingDialog):
    """Stays beside the window while the user mends what it lists.

    Signals:
        shown: the pixel box of the finding to look at.
    """

    shown = Signal(object)

    def __init__(self, session: Session, pictures: Pictures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Check the annotations"))
        self.resize(480, 360)
        self._session = session
        self._pictures = pictures
        self._findings: list[tuple[Path, Finding]] = []
        self._waiting: tuple[Path, Finding] | None = None
        self._is_done = False
        self.verdict = make_label("", "value")
        self.verdict.setWordWrap(True)
        self.folder_box = QCheckBox(tr("All {count} pictures of the folder", count=len(pictures.paths)))
        if len(pictures.paths) < 2:  # only ever hidden: shown without a parent it would be a window
            self.folder_box.hide()
        self.folder_box.toggled.connect(self.check)
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.itemSelectionChanged.connect(self._show)
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
        body.addWidget(self.folder_box)
        body.addWidget(self.verdict)
        body.addWidget(self.list, 1)
        body.addLayout(row)
        self.runner = TaskRunner(check_job, name="checks", parent=self)
        self.runner.finished.connect(self._take)
        session.document_opened.connect(self._follow_picture)
        self.check()

    @Slot()
    def check(self) -> None:
        """Looks at the open picture, or at all, anew."""
        self.list.clear()
        self._findings = []
        document = self._session.document
        if document is None or document.path is None:
            return
        here = {document.path: document.annotation}
        files: dict[Path, Path] = {}
        if self.folder_box.isChecked():
            opened = self._pictures.annotations() | here
            here = {path: opened[path] for path in self._pictures.paths if path in opened}
            files = {path: f for path, f in self._pictures.files().items() if path not in here}
        self.verdict.setText(tr("Checking…"))
        self.runner.submit(CheckRequest(here, files, CheckLimits(labels=self._session.labels.declared)))

    @Slot(object, object)
    def _take(self, request: CheckRequest, checked: Checked) -> None:
        several = self.folder_box.isChecked()
        places = {path: place for place, path in enumerate(self._pictures.paths)}
        found = [(path, finding) for path, findings in checked.findings.items() for finding in findings]
        self._findings = sorted(found, key=lambda pair: places.get(pair[0], -1))
        for path, finding in self._findings:
            name, token = ("mdi6.alert-circle-outline", "error")
            if not finding.is_error:
                name, token = ("mdi6.alert-outline", "warning")
            message = finding.message.translated()
            self.list.addItem(
                QListWidgetItem(icon(name, token), f"{path.name}: {message}" if several else message)
            )
        self.verdict.setText("\n".join(self._verdict(request, checked, several=several)))

    def _verdict(self, request: CheckRequest, checked: Checked, *, several: bool) -> list[str]:
        """What was looked at, what was found, and what could not be looked at."""
        if several:
            lines = [
                tr(
                    "Annotated pictures looked at: {done}; without annotations: {rest}.",
                    done=checked.annotated,
                    rest=len(request.pictures) - checked.annotated - len(checked.unreadable),
                )
            ]
        else:
            lines = [tr("Looked at {name} alone.", name=", ".join(p.name for p in request.pictures))]
        count = len(self._findings)
        lines.append(tr("Things to look at: {count}", count=count) if count else tr("Nothing is wrong here."))
        if checked.unreadable:
            names = ", ".join(path.name for path in checked.unreadable[:NAMES_SHOWN])
            more = len(checked.unreadable) - NAMES_SHOWN
            lines.append(tr("Could not be read: {names}", names=names + (f" + {more}" if more > 0 else "")))
        return lines

    @Slot()
    def _show(self) -> None:
        chosen = self.list.selectedIndexes()
        if not chosen:
            return
        path, finding = self._findings[chosen[0].row()]
        if path == self._pictures.current:
            self._point_at(finding)
        else:
            self._waiting = path, finding
            self._pictures.open_picture(path)

    @Slot()
    def _follow_picture(self) -> None:
        """Another picture is open: the one asked for, or one that is looked at next."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[0] == self._pictures.current:
            self._point_at(waiting[1])
        elif not self.folder_box.isChecked():
            self.check()

    def _point_at(self, finding: Finding) -> None:
        self._session.select(finding.ids)
        if finding.box is not None:
            self.shown.emit(finding.box)

    def done(self, result: int) -> None:
        if not self._is_done:  # a closed dialog follows nothing any more
            self._is_done = True
            self._session.document_opened.disconnect(self._follow_picture)
            self.list.clear()
        self.runner.shutdown()
        super().done(result)
