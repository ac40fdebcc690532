"""Every command with its keys, to read and to change; clashes are shown before they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import phrase, tr
from app.appearance.keys import effective_keys, find_conflicts, native_text, portable
from app.appearance.plain_text import PlainLabel
from app.panels.controls import make_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GESTURES = (
    (phrase("Space + drag, middle button"), phrase("Move the picture")),
    (phrase("Ctrl + wheel"), phrase("Zoom at the pointer")),
    (phrase("Wheel, while a seed grows"), phrase("Change the threshold τ")),
    (phrase("Alt + wheel, Ctrl + Shift + wheel"), phrase("Choose the level, or the size of the brush")),
    (phrase("Wheel, while similar objects wait"), phrase("Change the similarity")),
    (phrase("Enter"), phrase("Keep what is being drawn")),
    (phrase("Esc"), phrase("Drop what is being drawn")),
    (phrase("Right click, Alt + click"), phrase("Negative seed")),
    (phrase("Shift + click"), phrase("Select")),
)


@dataclass(frozen=True, slots=True)
class ShortcutRow:
    """A command as the dialog lists it.

    Attributes:
        menu, title: English texts.
        keys: its default key sequences.
    """

    id: str
    menu: str
    title: str
    keys: tuple[str, ...]


class ShortcutsDialog(FittingDialog):
    """A table of commands; the editor below changes the keys of the chosen row.

    Signals:
        keys_changed: command id to keys, of those that differ from the defaults.
    """

    keys_changed = Signal(object)

    def __init__(
        self, rows: Sequence[ShortcutRow], own: Mapping[str, Sequence[str]], parent: QWidget | None = None
    ) -> None:
        """`own` are the keys in place of the default ones."""
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        self.resize(640, 640)
        self._commands = tuple(rows)
        self._defaults = {row.id: row.keys for row in rows}
        self._keys = effective_keys(self._defaults, own)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Find a command or a key"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        self.table = self._make_table()
        self.editor = QKeySequenceEdit()
        self.editor.setMaximumSequenceLength(1)
        self.editor.setClearButtonEnabled(True)
        self.editor.setMinimumWidth(200)
        self.editor.editingFinished.connect(self._assign)
        self.reset_one = QPushButton(tr("Default"))
        self.reset_one.setToolTip(tr("Give the chosen command its default keys"))
        self.reset_one.clicked.connect(self._reset_one)
        self.conflict = make_label("", "error")
        self.conflict.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(PlainLabel(tr("New key:")))
        row.addWidget(self.editor, 1)
        row.addWidget(self.reset_one)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel | standard.RestoreDefaults)
        self.buttons.button(standard.Ok).setText(tr("Keep"))
        self.buttons.button(standard.Cancel).setText(tr("Cancel"))
        self.buttons.button(standard.RestoreDefaults).setText(tr("All defaults"))
        self.buttons.button(standard.RestoreDefaults).clicked.connect(self._reset_all)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        body = QVBoxLayout(self)
        body.setContentsMargins(16, 16, 16, 16)
        body.setSpacing(12)
        body.addWidget(self.filter)
        body.addWidget(self.table, 1)
        body.addLayout(row)
        body.addWidget(self.conflict)
        body.addWidget(self.buttons)
        self.refresh()
        self.table.selectRow(0)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(len(self._commands) + len(GESTURES), 3)
        table.setHorizontalHeaderLabels([tr("Menu"), tr("Command"), tr("Keys")])
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(32)
        table.setIconSize(QSize(18, 18))
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.itemSelectionChanged.connect(self._show_row)
        return table

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The keys as edited so far, of every command."""
        return dict(self._keys)

    @Slot()
    def refresh(self) -> None:
        """Fills the table and tells about clashes."""
        for row, command in enumerate(self._commands):
            title = tr(command.title).rstrip("…")
            menu = tr(command.menu).replace("&", "").split("(")[0]
            for column, text in enumerate((menu, title, native_text(self._keys[command.id]))):
                self.table.setItem(row, column, QTableWidgetItem(text))
        for number, (gesture, meaning) in enumerate(GESTURES):
            row = len(self._commands) + number
            for column, text in enumerate((tr("Canvas"), tr(meaning), tr(gesture))):
                self.table.setItem(row, column, QTableWidgetItem(text))
        clashes = find_conflicts(self._keys)
        titles = {command.id: tr(command.title).rstrip("…") for command in self._commands}
        self.conflict.setText(
            "\n".join(
                tr(
                    "{key} is used twice: {commands}.",
                    key=native_text([key]),
                    commands=", ".join(titles[name] for name in names),
                )
                for key, names in clashes.items()
            )
        )
        self.conflict.setVisible(bool(clashes))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not clashes)

    def _chosen(self) -> str | None:
        """The command whose keys are edited: never one that the filter hides."""
        row = self.table.currentRow()
        if not 0 <= row < len(self._commands) or self.table.isRowHidden(row):
            return None
        return self._commands[row].id

    def choose(self, command: str) -> None:
        """Marks the row of a command."""
        self.table.selectRow([one.id for one in self._commands].index(command))

    @Slot()
    def _show_row(self) -> None:
        name = self._chosen()
        self.editor.setEnabled(name is not None)
        self.reset_one.setEnabled(name is not None)
        if name is None:
            self.editor.clear()
        else:
            self.editor.setKeySequence(QKeySequence((*self._keys[name], "")[0]))

    @Slot()
    def _assign(self) -> None:
        name = self._chosen()
        if name is None:
            return
        wanted = self.editor.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        # Only the first key is edited; further ones (Ctrl+Y beside Ctrl+Shift+Z) stay.
        others = tuple(key for key in self._keys[name][1:] if portable(key) != wanted)
        self._keys[name] = (wanted, *others) if wanted else others
        self.refresh()

    @Slot()
    def _reset_one(self) -> None:
        name = self._chosen()
        if name is not None:
            self._keys[name] = self._defaults[name]
            self.refresh()
            self._show_row()

    @Slot()
    def _reset_all(self) -> None:
        self._keys = dict(self._defaults)
        self.refresh()
        self._show_row()

    @Slot(str)
    def _filter(self, text: str) -> None:
        wanted = text.casefold()
        for row in range(self.table.rowCount()):
            cells = (self.table.item(row, column) for column in range(3))
            shown = any(cell is not None and wanted in cell.text().casefold() for cell in cells)
            self.table.setRowHidden(row, not shown)
        if self.table.currentRow() < 0 or self.table.isRowHidden(self.table.currentRow()):
            seen = (row for row in range(self.table.rowCount()) if not self.table.isRowHidden(row))
            self.table.setCurrentCell(next(seen, -1), 1)
        self._show_row()

    def accept(self) -> None:
        changed = {name: own for name, own in self._keys.items() if own != self._defaults[name]}
        self.keys_changed.emit(changed)
        super().accept()
