"""One line about what is going on, from several services at once."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot


class Busy(QObject):
    """Merges the services' `busy_changed` signals: the last one that still works is shown.

    Signals:
        changed: text, or None when nothing goes on.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._texts: dict[QObject, str] = {}

    @property
    def text(self) -> str | None:
        """What is shown."""
        return next(reversed(self._texts.values()), None)

    def follow(self, service: QObject) -> None:
        """Listens to a service's `busy_changed` (str or None)."""
        service.busy_changed.connect(self._take)  # type: ignore[attr-defined]

    @Slot(object)
    def _take(self, text: str | None) -> None:
        service = self.sender()
        self._texts.pop(service, None)
        if text is not None:
            self._texts[service] = text
        self.changed.emit(self.text)
