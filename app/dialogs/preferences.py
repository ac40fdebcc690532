"""What the user wants to be different: a few switches, in force at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialogButtonBox, QVBoxLayout, QWidget

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.panels.controls import make_label

if TYPE_CHECKING:
    from app.project.settings import Settings


class PreferencesDialog(FittingDialog):
    """Signals:
    changed: the name of a setting and its new value.
    """

    changed = Signal(str, bool)

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Preferences"))
        self.switches: dict[str, QCheckBox] = {}
        body = QVBoxLayout(self)
        body.setContentsMargins(16, 16, 16, 16)
        body.setSpacing(12)
        self._add(
            body,
            "ask_about_masks",
            tr("Ask before an unfinished mask is kept"),
            tr(
                "A mask that was clicked and not yet kept is kept by itself when something else begins: "
                "another tool, another picture, the end. With this you decide each time."
            ),
            on=settings.ask_about_masks,
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.reject)
        body.addWidget(buttons)

    def _add(self, body: QVBoxLayout, name: str, title: str, explanation: str, *, on: bool) -> None:
        switch = QCheckBox(title)
        switch.setObjectName(name)
        switch.setChecked(on)
        switch.toggled.connect(self._tell)
        hint = make_label(explanation, "muted")
        hint.setWordWrap(True)
        hint.setMinimumWidth(420)
        self.switches[name] = switch
        body.addWidget(switch)
        body.addWidget(hint)

    def _tell(self, on: bool) -> None:
        self.changed.emit(self.sender().objectName(), on)
