"""The recovery journal: every step of a picture, on disk before the edit returns.

One append-only file per picture (app/document/journal_records.py tells its lines). What is written
survives the death of the program at any moment; once a second it is also flushed against the
death of the machine. The journal does not replace the annotation file: it holds what that file
does not, the unsaved work and the history.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.document.file_lock import lock_exclusively
from app.document.journal_records import header_record, step_record, to_line
from converters.errors import ConverterError
from converters.files.files import set_aside, writing_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.document.history import Step
    from converters.annotation import ImageAnnotation

SUFFIX: Final = ".journal"
FLUSH_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)

ProblemCallback = Callable[[ConverterError], None]


def journal_file(picture: Path, folder: Path) -> Path:
    """The journal of a picture, told apart by its absolute path."""
    absolute = str(absolute_path(picture))
    key = hashlib.blake2s(absolute.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in picture.stem)[:40]
    return folder / f"{name}-{key}{SUFFIX}"


def absolute_path(picture: Path) -> Path:
    """The picture's path as journals know it: absolute, links resolved."""
    return Path(os.path.realpath(picture))


class Journal:
    """Writes down everything that happens to one document (a `Recorder`).

    Nothing is written before the first edit. A write that fails (disk full) never disturbs the
    edit: the lines are kept and tried again with the next ones.

    Attributes:
        file: where the journal lies.
        problem: why the last write failed; empty while all is well.
    """

    def __init__(
        self,
        file: Path,
        *,
        beginning: Sequence[bytes] = (),
        descriptor: int | None = None,
        on_problem: ProblemCallback | None = None,
    ) -> None:
        """`beginning` is written before the first edit; an open, locked file is gone on with at its end."""
        self.file = file
        self.problem = ""
        self._on_problem = on_problem
        self._pending = list(beginning)
        self._descriptor = descriptor
        self._size = 0 if descriptor is None else os.fstat(descriptor).st_size
        self._closed = False
        self._flush_lock = threading.Lock()
        self._flush_timer: threading.Timer | None = None

    @classmethod
    def begun(
        cls,
        file: Path,
        *,
        picture: Path,
        annotation: ImageAnnotation,
        state: int = 0,
        on_problem: ProblemCallback | None = None,
    ) -> Journal:
        """A journal that begins with that state of the picture."""
        # Made now, on the thread that opens pictures: with a thousand objects it takes a while.
        header = to_line(header_record(str(absolute_path(picture)), annotation, state))
        return cls(file, beginning=(header,), on_problem=on_problem)

    @classmethod
    def continued(cls, file: Path, descriptor: int, *, on_problem: ProblemCallback | None = None) -> Journal:
        """A journal that goes on behind the last sound line of an open, locked file."""
        return cls(file, descriptor=descriptor, on_problem=on_problem)

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
        if self._descriptor is None and len(self._pending) == 1 and not self.problem:
            return  # nothing was edited yet: no file for a picture that was only looked at
        self._append({"saved": state})

    def close(self) -> None:
        """Flushes to the disk and lets go of the file; later records are ignored."""
        if self._descriptor is not None and self._pending:
            self._write()
        self._closed = True
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        with self._flush_lock:
            if self._descriptor is not None:
                _flush(self._descriptor)
                os.close(self._descriptor)
                self._descriptor = None

    def _append(self, record: dict[str, Any]) -> None:
        if self._closed:
            return
        self._pending.append(to_line(record))
        self._write()

    def _write(self) -> None:
        """Writes the pending lines, all or none."""
        try:
            if self._descriptor is None:
                self._descriptor = self._create()
            content = memoryview(b"".join(self._pending))
            written = 0
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
        except OSError as error:
            self._fail(error)
            return
        self._size += len(content)
        self._pending.clear()
        self.problem = ""
        self._flush_soon()

    def _create(self) -> int:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_for_appending(self.file)
        if not lock_exclusively(descriptor):
            os.close(descriptor)
            raise BlockingIOError("the picture is open in another window")
        if os.fstat(descriptor).st_size:
            # Another window made it after this one had looked, and is gone: its work is kept.
            kept = set_aside(self.file)
            _log.warning("a journal of another window was kept as %s", kept)
            os.close(descriptor)
            return self._create()
        return descriptor

    def _fail(self, error: OSError) -> None:
        if self._descriptor is not None:
            # Half a line must not stand between the sound ones and those of a later try.
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                _log.warning("the journal %s may end in a torn line", self.file)
        if isinstance(error, BlockingIOError):
            told = ConverterError(
                "this picture is open in another window, which keeps its journal.",
                path=self.file,
                remedy="Close the other window, or save often: this one cannot recover after a crash.",
            )
        else:
            told = writing_error(error, self.file)
        first = not self.problem
        self.problem = str(told)
        if first:
            _log.warning("no journal: %s", told)
            if self._on_problem is not None:
                self._on_problem(told)

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
            if self._descriptor is not None:
                _flush(self._descriptor)


def open_for_appending(file: Path) -> int:
    """A descriptor whose writes go to the end; the file is private to the user."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.open(file, flags, 0o600)


def _flush(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        _log.warning("flushing a journal failed: %s", error)
