"""The one place where every error arrives: what happened, what to do, details to copy."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.workers.failure import Failure, describe_failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

Level: TypeAlias = Literal["info", "warning", "error"]
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """One entry of the notification centre.

    Attributes:
        retry_title, retry: an offered way out ("Retry"); the callable runs in the GUI thread.
    """

    level: Level
    title: str
    remedy: str = ""
    details: str = ""
    time: str = ""
    retry_title: str = ""
    retry: Callable[[], None] | None = None

    def as_text(self) -> str:
        """The whole notice, for the clipboard."""
        parts = [f"[{self.time}] {self.level}: {self.title}", self.remedy, self.details]
        return "\n".join(part for part in parts if part)


class NotificationCentre(QObject):
    """Keeps the latest notices and tells the window about each new one.

    Signals:
        posted: a Notice; always emitted in the GUI thread.
        seen: the user has looked at them; nothing is unread any more.
    """

    posted = Signal(object)
    seen = Signal()
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notices: list[Notice] = []
        self._unread = 0
        self._previous_hook = sys.excepthook
        self._previous_thread_hook = threading.excepthook
        self._arrived.connect(self._keep, Qt.ConnectionType.AutoConnection)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Oldest first."""
        return tuple(self._notices)

    @property
    def unread(self) -> int:
        """Warnings and errors since the centre was last opened."""
        return self._unread

    def post(
        self,
        level: Level,
        title: str,
        *,
        remedy: str = "",
        details: str = "",
        retry_title: str = "",
        retry: Callable[[], None] | None = None,
    ) -> None:
        """Adds a notice; may be called from any thread."""
        now = datetime.now().strftime("%H:%M:%S")
        self._arrived.emit(Notice(level, title, remedy, details, now, retry_title, retry))

    def report(
        self, failure: Failure, *, retry_title: str = "", retry: Callable[[], None] | None = None
    ) -> None:
        """Adds a worker's failure as an error."""
        details = f"{failure.path}\n{failure.details}" if failure.path else failure.details
        self.post(
            "error",
            failure.title,
            remedy=failure.remedy,
            details=details,
            retry_title=retry_title,
            retry=retry,
        )

    def mark_seen(self) -> None:
        """Nothing is unread any more."""
        self._unread = 0
        self.seen.emit()

    def clear(self) -> None:
        """Forgets all notices."""
        self._notices.clear()
        self.mark_seen()

    def catch_exceptions(self) -> None:
        """Sends every uncaught exception, of any thread, here instead of to the terminal alone."""
        self._previous_hook = sys.excepthook
        self._previous_thread_hook = threading.excepthook
        sys.excepthook = self._report_uncaught
        threading.excepthook = self._report_uncaught_in_thread

    def release_exceptions(self) -> None:
        """Gives the hooks back."""
        if sys.excepthook == self._report_uncaught:
            sys.excepthook = self._previous_hook
        if threading.excepthook == self._report_uncaught_in_thread:
            threading.excepthook = self._previous_thread_hook

    def _report_uncaught(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self._previous_hook(kind, error, trace)
        if not issubclass(kind, KeyboardInterrupt):
            self.report(describe_failure(error))

    def _report_uncaught_in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        self._previous_thread_hook(arguments)
        if arguments.exc_value is not None:
            self.report(describe_failure(arguments.exc_value))

    @Slot(object)
    def _keep(self, notice: Notice) -> None:
        self._notices.append(notice)
        del self._notices[:-_KEPT]
        if notice.level != "info":
            self._unread += 1
        self.posted.emit(notice)
