"""Journals whose pictures are not open: which of them hold unsaved work, and which may go."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from app.document.journal import SUFFIX, journal_file, journal_name
from app.document.journal_lock import SUFFIX as LOCK_SUFFIX
from app.document.journal_lock import JournalLock
from app.document.journal_records import from_line
from app.document.journal_replay import JournalError, replay, states_of
from app.document.moved_journals import moved_journals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from converters.annotation import ImageAnnotation

KEEP_DAYS: Final = 90
_END_BYTES: Final = 65_536


def unsaved_pictures(
    pictures: Iterable[Path], journal_dir: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Path]:
    """Those of the pictures whose journals hold work that never reached their annotation files.

    For a worker thread: it may read a journal for every picture.
    """
    for picture, _ in unsaved_journals(pictures, journal_dir, should_stop=should_stop):
        yield picture


def unsaved_journals(
    pictures: Iterable[Path], journal_dir: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Path, Path]]:
    """The same, each with the journal."""
    try:
        existing = {entry: journal_dir / entry for entry in os.listdir(journal_dir)}
    except OSError:
        return
    by_name: dict[str, list[Path]] = {}
    for name, file in existing.items():
        by_name.setdefault(name.rpartition("-")[0], []).append(file)
    for picture in pictures if existing else ():
        if should_stop():
            return
        own = existing.get(journal_file(picture, journal_dir).name)
        files = [own] if own is not None else moved_journals(picture, by_name.get(journal_name(picture), ()))
        for file in files:
            if not _ends_saved(file) and _is_saved(file) is False:
                yield picture, file
                break


def end_of(journal: Path) -> ImageAnnotation | None:
    """What is on the picture where a journal ends; None if it cannot be read."""
    try:
        return replay(journal.read_bytes()).annotation
    except (OSError, JournalError):
        return None


def prune_journals(
    journal_dir: Path, *, keep_days: float = KEEP_DAYS, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Deletes the journals that nobody has touched for so long; how many.

    One that holds unsaved work, cannot be read to its end, or is open in a window stays, however old.
    """
    _sweep_locks(journal_dir)
    oldest = time.time() - keep_days * 86400
    deleted = 0
    for file in sorted(journal_dir.glob(f"*{SUFFIX}")) if journal_dir.is_dir() else ():
        if should_stop():
            break
        with suppress(OSError):
            if file.stat().st_mtime < oldest and _is_saved(file):
                deleted += _deleted_unless_open(file, oldest)
    return deleted


def _sweep_locks(journal_dir: Path) -> None:
    """Takes away the locks that nobody holds: those of windows that were killed."""
    for file in journal_dir.glob(f"*{LOCK_SUFFIX}") if journal_dir.is_dir() else ():
        with suppress(OSError):
            JournalLock.of(file.with_suffix(SUFFIX)).release()


def _deleted_unless_open(file: Path, oldest: float) -> bool:
    try:
        lock = JournalLock.of(file)  # nobody may open it from here on
    except BlockingIOError:
        return False
    try:
        if file.stat().st_mtime >= oldest:  # whoever did since it was read has written to it
            return False
        file.unlink()
    finally:
        lock.release()
    return True


def _is_saved(file: Path) -> bool | None:
    """Whether the state a journal ends with is the one in the annotation file; None if it is damaged."""
    records = []
    sound = True
    try:
        with file.open("rb") as lines:
            for line in lines:
                record = from_line(line)
                if record is None:
                    sound = False
                    break
                records.append({**record, "base": None, "diff": None})
        current, saved = states_of(records)
    except (OSError, LookupError, TypeError):
        return None
    if current != saved:
        return False
    return True if sound else None


def _ends_saved(file: Path) -> bool:
    """Whether the last lines are a step and the note that it is saved: then the rest need not be read."""
    try:
        with file.open("rb") as stream:
            stream.seek(-min(_END_BYTES, os.fstat(stream.fileno()).st_size), os.SEEK_END)
            step, note = (from_line(line) or {} for line in stream.read().splitlines(keepends=True)[-2:])
    except (OSError, ValueError):  # ValueError: there are no two lines
        return False
    return "do" in step and "saved" in note and step.get("state") == note["saved"]
