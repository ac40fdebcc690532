"""Journals whose pictures are not open: which of them hold unsaved work, and which may go."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from app.document.file_lock import lock_exclusively
from app.document.journal import SUFFIX, journal_file, open_for_appending
from app.document.journal_records import from_line
from app.document.journal_replay import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

KEEP_DAYS: Final = 90
_END_BYTES: Final = 65_536


def unsaved_pictures(
    pictures: Iterable[Path], journal_dir: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Path]:
    """Those of the pictures whose journals hold work that never reached their annotation files.

    For a worker thread: it may read a journal for every picture.
    """
    try:
        existing = set(os.listdir(journal_dir))
    except OSError:
        return
    for picture in pictures if existing else ():
        if should_stop():
            return
        file = journal_file(picture, journal_dir)
        if file.name in existing and not _ends_saved(file) and _is_saved(file) is False:
            yield picture


def prune_journals(
    journal_dir: Path, *, keep_days: float = KEEP_DAYS, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Deletes the journals that nobody has touched for so long; how many.

    One that holds unsaved work, cannot be read to its end, or is open in a window stays, however old.
    """
    oldest = time.time() - keep_days * 86400
    deleted = 0
    for file in sorted(journal_dir.glob(f"*{SUFFIX}")) if journal_dir.is_dir() else ():
        if should_stop():
            break
        with suppress(OSError):
            if file.stat().st_mtime < oldest and _is_saved(file):
                deleted += _deleted_unless_open(file, oldest)
    return deleted


def _deleted_unless_open(file: Path, oldest: float) -> bool:
    descriptor = open_for_appending(file)
    try:
        # Nobody may open it from here on, and whoever did since it was read has written to it.
        if not lock_exclusively(descriptor) or os.fstat(descriptor).st_mtime >= oldest:
            return False
        if os.name != "nt":
            file.unlink()
    finally:
        os.close(descriptor)
    if os.name == "nt":  # where no open file can be deleted, and so none that another window writes
        file.unlink()
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
