"""Export and import of annotations in every format of the converter, with the report shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.appearance.theme import icon
from app.panels.controls import make_label
from app.panels.wheel_controls import ValueList
from app.workers.exporting import ConvertFolder, TransferProgress
from converters.formats.registry import readable_formats, writable_formats

if TYPE_CHECKING:
    from PySide6.QtGui import QCloseEvent

    from app.services.exporting import Exporting, TransferDone
    from app.services.pictures import Pictures
    from app.workers.failure import Failure


class PathField(QWidget):
    """A line for a path, with buttons that open file dialogs.

    Signals:
        changed: another path stands there.
    """

    changed = Signal()

    def __init__(self, title: str, path: Path | None = None, *, files: bool = False) -> None:
        super().__init__()
        self._title = title
        self.line = QLineEdit(str(path) if path is not None else "")
        self.line.setMinimumWidth(320)
        self.line.textChanged.connect(self.changed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self._button("mdi6.folder-open-outline", tr("Choose a folder"), self._ask_folder))
        if files:
            row.addWidget(self._button("mdi6.file-outline", tr("Choose a file"), self._ask_file))

    def _button(self, name: str, tip: str, slot: object) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setIconSize(QSize(20, 20))
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    def path(self) -> Path | None:
        """What stands there, None if nothing does."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    @Slot()
    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self._title, self.line.text())
        if name:
            self.line.setText(name)

    @Slot()
    def _ask_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, self._title, self.line.text())
        if name:
            self.line.setText(name)


class TransferDialog(FittingDialog):
    """What export and import share: fields, progress, the report, one conversion at a time."""

    def __init__(self, title: str, exporting: Exporting, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(560)
        self._exporting = exporting
        self._running: ConvertFolder | None = None
        self._answered: ConvertFolder | None = None
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(16)
        self.form.setVerticalSpacing(12)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.verdict = make_label("", "value")
        self.verdict.setWordWrap(True)
        self.verdict.hide()
        self.report = QPlainTextEdit()
        self.report.setReadOnly(True)
        self.report.setMinimumHeight(140)
        self.report.hide()
        self.go = QPushButton()
        self.go.setProperty("role", "primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self._go)
        self.leave = QPushButton(tr("Close"))
        self.leave.clicked.connect(self.reject)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        self.buttons.addStretch(1)
        self.buttons.addWidget(self.leave)
        self.buttons.addWidget(self.go)
        body = QVBoxLayout(self)
        body.setContentsMargins(24, 24, 24, 16)
        body.setSpacing(16)
        body.addLayout(self.form)
        body.addWidget(self.progress)
        body.addWidget(self.verdict)
        body.addWidget(self.report, 1)
        body.addLayout(self.buttons)
        exporting.progressed.connect(self._follow)
        exporting.transferred.connect(self._show_done)
        exporting.failed.connect(self._show_failed)
        exporting.ended.connect(self._end)

    def make_request(self) -> ConvertFolder | None:
        """What to convert, None while something is missing."""
        raise TypeError("the dialogs that derive from this one make the request")

    @Slot()
    def check(self) -> None:
        """Enables the button when everything is filled in."""
        request = self.make_request()
        if request != self._answered:
            self._answered = None
            self.verdict.hide()
            self.report.hide()
        self.go.setEnabled(self._running is None and request is not None)

    @Slot()
    def _go(self) -> None:
        request = self.make_request()
        if request is None:
            return
        self._running = self._answered = request
        self.progress.setRange(0, 0)
        self.progress.show()
        self.verdict.hide()
        self.report.hide()
        self._lock_fields(True)
        self.check()
        self._exporting.convert(request)

    def _lock_fields(self, locked: bool) -> None:
        """What is being converted keeps standing there until it is done."""
        for row in range(self.form.rowCount()):
            item = self.form.itemAt(row, QFormLayout.ItemRole.FieldRole)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setEnabled(not locked)

    @Slot(object)
    def _follow(self, event: TransferProgress) -> None:
        self.progress.setRange(0, max(1, event.total))
        self.progress.setValue(event.done)

    @Slot(object)
    def _show_done(self, done: TransferDone) -> None:
        conversion = done.conversion
        lossless = not conversion.report.entries and not conversion.failures
        self.verdict.setText(
            tr(
                "Done: {pictures} pictures, {objects} objects.",
                pictures=conversion.report.pictures,
                objects=conversion.report.instances,
            )
            + " "
            + (tr("Nothing was changed or dropped.") if lossless else tr("The report says what was changed:"))
        )
        lines = [str(entry) for entry in conversion.report.entries]
        lines += [str(failure) for failure in conversion.failures]
        self.report.setPlainText("\n".join(lines))
        self.report.setVisible(bool(lines))
        self.verdict.show()

    @Slot(object)
    def _show_failed(self, failure: Failure) -> None:
        self.verdict.setText(f"{failure.title} {failure.remedy}".strip())
        self.verdict.show()

    @Slot(object)
    def _end(self, request: ConvertFolder) -> None:
        if request is self._running:
            self._running = None
            self.progress.hide()
            self._lock_fields(False)
            self.check()

    def reject(self) -> None:
        if self._running is not None:
            self._exporting.cancel_conversion()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._running is not None:
            self._exporting.cancel_conversion()
        super().closeEvent(event)


class ExportDialog(TransferDialog):
    """The open folder's annotations in another format."""

    def __init__(self, exporting: Exporting, pictures: Pictures, parent: QWidget | None = None) -> None:
        super().__init__(tr("Export annotations"), exporting, parent)
        self._source = pictures.folder
        self._workspace, self._journal_dir = pictures.workspace, pictures.journal_dir
        self.format = ValueList()
        for each in writable_formats():
            if each.name != "labelme":
                self.format.addItem(each.title, each.name)
        self.format.setCurrentIndex(max(0, self.format.findData("coco")))
        self.format.currentIndexChanged.connect(self._propose)
        self.target = PathField(tr("Choose where to export to"))
        self.target.changed.connect(self.check)
        self.form.addRow(tr("From"), make_label(str(self._source or ""), "muted"))
        self.form.addRow(tr("Format"), self.format)
        self.form.addRow(tr("To"), self.target)
        self.go.setText(tr("Export"))
        self._propose()

    @Slot()
    def _propose(self) -> None:
        """A folder beside the pictures', so that the export is never read as a source later."""
        if self._source is not None:
            name = f"{self._source.name}_{self.format.currentData()}"
            self.target.line.setText(str(self._source.parent / name))
        self.check()

    def make_request(self) -> ConvertFolder | None:
        target = self.target.path()
        if self._source is None or target is None or self.format.currentData() is None:
            return None
        return ConvertFolder(
            self._source,
            "labelme",
            target,
            str(self.format.currentData()),
            self._workspace,
            self._journal_dir,
        )


class ImportDialog(TransferDialog):
    """Annotations in another format, made into labelme files beside copies of their pictures.

    Signals:
        opened: the folder made, which the window opens.
    """

    opened = Signal(object)

    def __init__(self, exporting: Exporting, start: Path, parent: QWidget | None = None) -> None:
        super().__init__(tr("Import annotations"), exporting, parent)
        self.source = PathField(tr("Choose what to import"), start, files=True)
        self.source.changed.connect(self._propose)
        self.format = ValueList()
        self.format.addItem(tr("Detect automatically"), "")
        for each in readable_formats():
            if each.name != "labelme":
                self.format.addItem(each.title, each.name)
        self.target = PathField(tr("Choose where to put the pictures and labels"))
        self.target.changed.connect(self.check)
        self.form.addRow(tr("From"), self.source)
        self.form.addRow(tr("Format"), self.format)
        self.form.addRow(tr("To"), self.target)
        self.go.setText(tr("Import"))
        self._propose()

    @Slot()
    def _propose(self) -> None:
        source = self.source.path()
        if source is not None:
            self.target.line.setText(str(source.parent / f"{source.stem}_labelme"))
        self.check()

    def make_request(self) -> ConvertFolder | None:
        source, target = self.source.path(), self.target.path()
        if source is None or target is None:
            return None
        return ConvertFolder(source, str(self.format.currentData()), target, "labelme")

    @Slot(object)
    def _show_done(self, done: TransferDone) -> None:
        super()._show_done(done)
        self.opened.emit(done.target)
