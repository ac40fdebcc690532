"""Asks for a label's new name, and says what the rename reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialogButtonBox, QLineEdit, QRadioButton, QVBoxLayout, QWidget

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.panels.controls import make_label
from app.project.labels import TYPED_LENGTH

if TYPE_CHECKING:
    from app.services.folder_labels import FolderLabels


class RenameLabelDialog(FittingDialog):
    """A name, and where it shall hold: in the folder, or in the open picture alone."""

    def __init__(
        self, label: str, here: int, folder_labels: FolderLabels, parent: QWidget | None = None
    ) -> None:
        """`here` objects of the open picture have the label."""
        super().__init__(parent)
        self.setWindowTitle(tr("Rename label"))
        self.resize(400, 0)
        self._label = label
        self._folder_labels = folder_labels
        question = make_label(tr("New name for “{label}”:", label=label))
        question.setWordWrap(True)
        self.line = QLineEdit(label)
        self.line.setMaxLength(max(TYPED_LENGTH, len(label)))
        self.line.selectAll()
        self.everywhere = QRadioButton()
        self.everywhere.setChecked(True)
        self.only_here = QRadioButton(tr("Only in this picture (objects: {count})", count=here))
        self.only_here.setEnabled(here > 0)
        hint = make_label(
            tr("Work that is not saved yet is renamed, too. Undo takes it back, in each picture by itself."),
            "muted",
        )
        hint.setWordWrap(True)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self.buttons.button(standard.Ok).setText(tr("Rename"))
        self.buttons.button(standard.Cancel).setText(tr("Cancel"))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (question, self.line, self.everywhere, self.only_here, hint, self.buttons):
            column.addWidget(widget)
        folder_labels.changed.connect(self._show_reach)
        self._show_reach()

    def name(self) -> str:
        """The name that stands there, "" for none."""
        return self.line.text().strip()

    @Slot()
    def _show_reach(self) -> None:
        count = len(self._folder_labels.pictures_with(self._label))
        if self._folder_labels.is_complete:
            text = tr("In the whole folder (pictures that have it: {count})", count=count)
        else:
            text = tr("In the whole folder (it is still being read; pictures so far: {count})", count=count)
        self.everywhere.setText(text)
