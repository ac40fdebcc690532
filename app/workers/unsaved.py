"""Bringing the work that only journals hold into the annotation files, before whoever reads only those."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from app.document.old_journals import unsaved_pictures
from app.document.recovery import open_document
from converters.errors import ConverterError

if TYPE_CHECKING:
    from pathlib import Path

    from app.process.stopping import ShouldStop
    from app.project.workspace import Workspace


def bring_in_unsaved(workspace: Workspace, journal_dir: Path, should_stop: ShouldStop) -> tuple[Path, ...]:
    """Saves what an earlier session left; the pictures whose unsaved work is still in no annotation file.

    Those that are open in a window are among these: it saves them itself.
    """
    found = unsaved_pictures(workspace.pictures, journal_dir, should_stop=should_stop)
    return tuple(picture for picture in found if not _brought_in(picture, workspace, journal_dir))


def _brought_in(picture: Path, workspace: Workspace, journal_dir: Path) -> bool:
    with suppress(ConverterError, OSError):
        document = open_document(picture, workspace.load(picture), journal_dir)
        try:
            if document.journal_problem:
                return False
            if document.is_modified:
                workspace.write(picture, document.annotation)
                document.mark_saved()
            return True
        finally:
            document.close()
    return False
