"""What this program is, its version and what it stands on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

import PySide6
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QHBoxLayout, QPushButton, QVBoxLayout

from app.appearance.fitting import FittingDialog
from app.appearance.i18n import tr
from app.appearance.plain_text import PlainLabel
from app.appearance.theme import icon
from app.panels.controls import make_label

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_LIBRARIES = ("torch", "opencv-python", "numpy", "pycocotools", "Pillow")


def versions() -> str:
    """One line per library, for the dialog and for bug reports."""
    lines = [f"SeedHue {program_version()}", f"Python {platform.python_version()} · {platform.platform()}"]
    lines.append(f"PySide6 {PySide6.__version__}")
    for name in _LIBRARIES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines)


def program_version() -> str:
    """The installed version, "dev" when it runs from a checkout."""
    try:
        return metadata.version("seedhue")
    except metadata.PackageNotFoundError:
        return "dev"


class AboutDialog(FittingDialog):
    """Name, purpose, licence and versions."""

    def __init__(self, model: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About SeedHue"))
        self.setFixedWidth(480)
        symbol = PlainLabel()
        symbol.setPixmap(icon("mdi6.sprout", "accent").pixmap(64, 64))
        purpose = PlainLabel(
            tr("Cut objects out of pictures: click a seed, turn the threshold, recolour, export, train.")
        )
        purpose.setWordWrap(True)
        head = QVBoxLayout()
        head.setSpacing(8)
        head.addWidget(make_label("SeedHue", "title"))
        head.addWidget(purpose)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(symbol, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(head, 1)
        facts = PlainLabel(versions() + (f"\n{tr('Model')}: {model}" if model else ""))
        facts.setProperty("role", "muted")
        facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        facts.setWordWrap(True)
        self.facts = facts
        licence = PlainLabel(tr("Apache License 2.0. The sample photos are CC0 or in the public domain."))
        licence.setWordWrap(True)
        buttons = QDialogButtonBox()
        close = buttons.addButton(tr("Close"), QDialogButtonBox.ButtonRole.RejectRole)
        close.setDefault(True)
        copy = QPushButton(tr("Copy the versions"))
        copy.clicked.connect(self._copy)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        body = QVBoxLayout(self)
        body.setContentsMargins(24, 24, 24, 16)
        body.setSpacing(16)
        body.addLayout(top)
        body.addWidget(facts)
        body.addWidget(licence)
        body.addWidget(buttons)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.facts.text())
