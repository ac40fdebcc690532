"""What the window has not saved yet is in no file that a command reads: it is told."""

from __future__ import annotations

from pathlib import Path

from app.commands.output import warn
from app.project.folders import journal_dir


def warn_about_unsaved(source: Path | str) -> None:
    """Says which pictures of a folder have work that only the window's recovery journals hold."""
    folder, journals = Path(source), journal_dir()
    if not folder.is_dir() or not any(journals.glob("*.journal")):
        return
    from app.document.old_journals import unsaved_pictures
    from app.project.label_files import is_picture

    unsaved = list(unsaved_pictures(filter(is_picture, sorted(folder.rglob("*"))), journals))
    if unsaved:
        names = ", ".join(str(picture) for picture in unsaved[:5])
        more = f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else ""
        warn(
            f"{names}{more}: there is work that is not saved yet and is left out. "
            "Open the folder in the window once, then do this again."
        )
