"""The right to write one picture's journal, held by at most one window across processes.

The lock is a file of its own beside the journal: the journal may be written anew, moved or deleted
while it is held. Its name goes when it is let go; what a killed process leaves behind is free at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from converters.files.file_lock import lock_exclusively

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".lock"
_TRIES: Final = 100


class JournalLock:
    """A lock that is held; `release` lets go of it."""

    def __init__(self, file: Path, descriptor: int) -> None:
        self._file = file
        self._descriptor: int | None = descriptor

    @classmethod
    def of(cls, journal: Path) -> JournalLock:
        """Takes the lock of a journal; makes the journals' folder if need be, never waits.

        Raises:
            BlockingIOError: another window holds it.
            OSError: the folder cannot be made or written.
        """
        journal.parent.mkdir(parents=True, exist_ok=True)
        file = journal.with_suffix(SUFFIX)
        for _ in range(_TRIES):
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            try:
                if not lock_exclusively(descriptor):
                    raise BlockingIOError
                if _is_named(descriptor, file):
                    return cls(file, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # whoever held it has just taken its name away
        raise BlockingIOError

    def release(self) -> None:
        """Lets go; again is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if os.name != "nt":
            # Before it is free: afterwards the name may be another window's.
            with suppress(OSError):
                self._file.unlink()
        os.close(descriptor)
        if os.name == "nt":  # where no open file can be deleted, and so none that another window holds
            with suppress(OSError):
                self._file.unlink()


def _is_named(descriptor: int, file: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except OSError:
        return False
