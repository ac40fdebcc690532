"""Finding the journal of a picture whose folder was moved or renamed since."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.document.journal import SUFFIX, absolute_path, journal_file, journal_name
from app.document.journal_lock import JournalLock
from app.document.journal_records import file_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER: Final = re.compile(
    rb'\["[0-9a-f]{8}",\{"journal":\d+,"picture":("(?:[^"\\]|\\.)*"),"file":\[(\d+),(\d+)\]'
)
_HEADER_BYTES: Final = 65_536


def bring_moved_journal(picture: Path, file: Path) -> None:
    """Gives a journal the name `file` that was kept for this picture at another place, if there is one.

    Raises:
        OSError: it cannot be renamed.
    """
    for old in moved_journals(picture, file.parent.glob(f"{journal_name(picture)}-*{SUFFIX}")):
        try:
            lock = JournalLock.of(old)
        except BlockingIOError:
            continue
        try:
            old.rename(file)
            return
        finally:
            lock.release()


def moved_journals(picture: Path, journals: Iterable[Path]) -> list[Path]:
    """Those of the journals that were kept for this picture before it came to where it is now.

    It has the name, the size and the time that the journal knows, and where it was there is none any more.
    """
    facts = file_facts(picture)
    here = absolute_path(picture)
    found: list[Path] = []
    for journal in journals:
        known = _known_picture(journal)
        if known is None or facts is None:
            continue
        place, then = known
        if place == here or place.name != picture.name or then != facts or os.path.lexists(place):
            continue
        if journal_file(place, journal.parent).name == journal.name:
            found.append(journal)
    return found


def _known_picture(journal: Path) -> tuple[Path, list[int]] | None:
    """Where the journal's picture was, with its size and time; only the beginning of the file is read."""
    with suppress(OSError, ValueError), journal.open("rb") as stream:
        match = _HEADER.match(stream.read(_HEADER_BYTES))
        if match is not None:
            return Path(json.loads(match[1])), [int(match[2]), int(match[3])]
    return None
