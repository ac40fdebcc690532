"""Edits that are still being computed, each on its way into the document it was made in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.appearance.i18n import tr

if TYPE_CHECKING:
    from collections.abc import Hashable

    from app.document.document import Document

TOLD_AFTER_MS: Final = 200
"""What takes longer is told; most arrives before anybody looks."""


class Arrivals(QObject):
    """Who computes an edit says so at once, and again when it is in; others wait for it, or let it travel.

    Signals:
        arrived: a Document that is not left as it was: one of its edits is in.
        changed: an edit was announced, or has ended.
        busy_changed: what is being worked on, or None; only where it takes a while.
    """

    arrived = Signal(object)
    changed = Signal()
    busy_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._expected: dict[Hashable, Document] = {}
        self._told = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(TOLD_AFTER_MS)
        self._patience.timeout.connect(self._tell)

    @property
    def is_busy(self) -> bool:
        """Whether any edit is on its way."""
        return bool(self._expected)

    def is_expected(self, document: Document | None) -> bool:
        """Whether an edit is on its way into the document."""
        return any(waiting is document for waiting in self._expected.values())

    def expects(self, key: Hashable) -> bool:
        """Whether the edit with that key is on its way."""
        return key in self._expected

    def expect(self, key: Hashable, document: Document) -> None:
        """An edit is being computed; a newer one with the same key takes its place."""
        self._expected[key] = document
        if not self._patience.isActive() and not self._told:
            self._patience.start()
        self.changed.emit()

    def end(self, key: Hashable, *, arrived: bool) -> None:
        """An edit is in the document, or will not come; ignored if nobody expected it."""
        document = self._expected.pop(key, None)
        if document is None:
            return
        if not self._expected:
            self._patience.stop()
            if self._told:
                self._told = False
                self.busy_changed.emit(None)
        if arrived:
            self.arrived.emit(document)
        self.changed.emit()

    @Slot()
    def _tell(self) -> None:
        self._told = True
        self.busy_changed.emit(tr("Keeping the object…"))
