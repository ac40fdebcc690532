"""The recovery journal: every step of a picture, on disk before the edit returns.

One append-only file per picture (app/document/journal_records.py tells its lines). What is written
survives the death of the program at any moment; once a second it is also flushed against the
death of the machine. The journal does not replace the annotation file: it holds what that file
does not, the unsaved work and the history.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.appearance.i18n import phrase
from app.appearance.title import Title
from app.document.journal_lock import JournalLock
from app.document.journal_records import header_record, step_record, to_line
from converters.files.files import set_aside

if TYPE_CHECKING:
    from app.document.history import Step
    from converters.annotation import ImageAnnotation

SUFFIX: Final = ".journal"
FLUSH_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)

ProblemCallback = Callable[[str], None]


def journal_file(picture: Path, folder: Path) -> Path:
    """The journal of a picture, told apart by its absolute path."""
    absolute = str(absolute_path(picture))
    key = hashlib.blake2s(absolute.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return folder / f"{journal_name(picture)}-{key}{SUFFIX}"


def journal_name(picture: Path) -> str:
    """What the journals of pictures of that name begin with."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in picture.stem)[:40]


def absolute_path(picture: Path) -> Path:
    """The picture's path as journals know it: absolute, the folder's links resolved.

    The picture itself may be a link: it has the annotation file beside the link, and so a journal of its own.
    """
    return Path(os.path.realpath(picture.parent)) / picture.name


def write_problem(error: OSError, file: Path) -> Title:
    """Why a file cannot be written, as a part of a sentence."""
    if isinstance(error, BlockingIOError):
        return Title(phrase("this picture is open in another window"))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Title(phrase("the disk is full"))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Title(phrase("{folder} cannot be written to"), folder=str(file.parent))
    reason = error.strerror or str(error)
    return Title(phrase("{file} cannot be used: {reason}"), file=str(file), reason=reason)


class Journal:
    """Writes down everything that happens to one document (a `Recorder`).

    Nothing is written before the first edit. A write that fails (disk full) never disturbs the
    edit: the lines are kept and tried again with the next ones, or by `try_again`.

    Attributes:
        file: where the journal lies.
    """

    def __init__(
        self,
        file: Path,
        *,
        lock: JournalLock | None = None,
        header: bytes | None = None,
        descriptor: int | None = None,
        on_problem: ProblemCallback | None = None,
    ) -> None:
        """A journal that begins with `header` at the first edit, or goes on at the end of an open file.

        Args:
            lock: None if it could not be had; it is tried again with every write.
            on_problem: told of every new problem, from any thread.
        """
        self.file = file
        self._lock = lock
        self._on_problem = on_problem
        self._pending = [] if header is None else [header]
        self._edited = header is None
        self._descriptor = descriptor
        self._size = 0 if descriptor is None else os.fstat(descriptor).st_size
        self._torn = False
        self._closed = False
        self._problem = self._flush_problem = ""
        self._flush_lock = threading.Lock()
        self._flush_timer: threading.Timer | None = None

    @classmethod
    def begun(
        cls,
        file: Path,
        *,
        picture: Path,
        annotation: ImageAnnotation,
        lock: JournalLock | None = None,
        refused: OSError | None = None,
        on_problem: ProblemCallback | None = None,
    ) -> Journal:
        """A journal that begins with that state of the picture; `refused` tells why it has no lock."""
        # Made now, on the thread that opens pictures: with a thousand objects it takes a while.
        header = to_line(header_record(absolute_path(picture), annotation, 0))
        journal = cls(file, lock=lock, header=header, on_problem=on_problem)
        if refused is not None:
            journal._problem = write_problem(refused, file)
        return journal

    @property
    def problem(self) -> str:
        """Why the last write failed, a `Title`; empty while all is well."""
        return self._problem or self._flush_problem

    @property
    def is_complete(self) -> bool:
        """Whether the file that is found under the journal's name holds everything that happened."""
        if not self._edited:
            return True
        if self._descriptor is None or self._pending or self._torn:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.file))
        except OSError:
            return False

    def applied(self, step: Step, *, replaces_last: bool) -> None:
        """Writes a step down."""
        self._append(step_record(step, merge=replaces_last))

    def dropped(self) -> None:
        """Writes down that the last step was taken out."""
        self._append({"drop": True})

    def undone(self) -> None:
        """Writes down one step back."""
        self._append({"undo": True})

    def redone(self) -> None:
        """Writes down one step forward."""
        self._append({"redo": True})

    def saved(self, state: int) -> None:
        """Writes down which state the annotation file holds."""
        if self._edited:  # else no file for a picture that was only looked at
            self._append({"saved": state})

    def try_again(self) -> None:
        """Writes what could not be written, or takes the lock that could not be had, if that works now."""
        if self._closed:
            return
        if self._problem or (self._edited and self._pending):
            self._write()
        elif self._flush_problem:
            self._flush_soon()

    def close(self) -> None:
        """Flushes to the disk and lets go of the file; later records are ignored."""
        if self._edited and self._pending:
            self._write()
        self._closed = True
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        with self._flush_lock:
            if self._descriptor is not None:
                _flush(self._descriptor)
                os.close(self._descriptor)
                self._descriptor = None
        if self._lock is not None:
            self._lock.release()

    def _append(self, record: dict[str, Any]) -> None:
        if self._closed:
            return
        self._edited = True
        self._pending.append(to_line(record))
        self._write()

    def _write(self) -> None:
        """Writes the pending lines, all or none; before the first edit only takes the lock."""
        try:
            if self._lock is None:
                self._lock = JournalLock.of(self.file)
            if self._edited:
                self._write_lines()
        except OSError as error:
            self._fail(error)
            return
        self._problem = ""

    def _write_lines(self) -> None:
        if self._descriptor is None:
            self._descriptor = self._create()
        if self._torn:
            # Half a line must not stand between the sound ones and those of this try.
            os.ftruncate(self._descriptor, self._size)
            self._torn = False
        if not os.fstat(self._descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        content = memoryview(b"".join(self._pending))
        written = 0
        try:
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
        except OSError:
            self._torn = True
            raise
        self._size += len(content)
        self._pending.clear()
        self._flush_soon()

    def _create(self) -> int:
        descriptor = open_for_appending(self.file)
        if os.fstat(descriptor).st_size:
            # Another window made it after this one had looked, and is gone: its work is kept.
            os.close(descriptor)
            kept = set_aside(self.file)
            _log.warning("a journal of another window was kept as %s", kept)
            return self._create()
        return descriptor

    def _fail(self, error: OSError) -> None:
        first, self._problem = not self.problem, write_problem(error, self.file)
        if self._torn and self._descriptor is not None:
            try:
                os.ftruncate(self._descriptor, self._size)
                self._torn = False
            except OSError:
                _log.warning("the journal %s may end in a torn line", self.file)
        if first:
            self._tell()

    def _tell(self) -> None:
        _log.warning("no journal %s: %s", self.file, self.problem)
        if self._on_problem is not None:
            self._on_problem(self.problem)

    def _flush_soon(self) -> None:
        """Flushes within a second, off this thread: fsync may take long."""
        timer = self._flush_timer
        if timer is not None and timer.is_alive():
            return
        self._flush_timer = threading.Timer(FLUSH_SECONDS, self._flush_now)
        self._flush_timer.daemon = True
        self._flush_timer.start()

    def _flush_now(self) -> None:
        with self._flush_lock:
            if self._descriptor is None:
                return
            error = _flush(self._descriptor)
            first = error is not None and not self.problem
            self._flush_problem = "" if error is None else write_problem(error, self.file)
        if first:
            self._tell()


def open_for_appending(file: Path) -> int:
    """A descriptor whose writes go to the end; the file is private to the user."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.open(file, flags, 0o600)


def _flush(descriptor: int) -> OSError | None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        _log.warning("flushing a journal failed: %s", error)
        return error
    return None
