"""What is said of a picture that was read: what its journal brought back, what of its file is not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.appearance.i18n import tr

if TYPE_CHECKING:
    from pathlib import Path

    from app.services.notifications import NotificationCentre
    from app.workers.pictures import LoadedPicture


class LoadingNews:
    """Posts it; that there are more pages is said once a picture."""

    def __init__(self, notices: NotificationCentre) -> None:
        self._notices = notices
        self._told_pages: set[Path] = set()
        self._told_others: set[Path] = set()  # folders

    def tell(self, loaded: LoadedPicture) -> None:
        """Says what there is to say of a picture that is shown now."""
        if loaded.is_new:
            self._tell_recovery(loaded)
        self._tell_pages(loaded)
        self._tell_other_picture(loaded)

    def _tell_other_picture(self, loaded: LoadedPicture) -> None:
        """Objects that were made for a picture which is gone: once a folder, as all of it may be renamed."""
        if loaded.made_for and loaded.path.parent not in self._told_others:
            self._told_others.add(loaded.path.parent)
            name, other = loaded.path.name, loaded.made_for
            told = tr("The objects of {name} were made for {other}.", name=name, other=other)
            self._notices.post("info", told, remedy=tr("Other pictures of the folder may be like that, too."))

    def _tell_pages(self, loaded: LoadedPicture) -> None:
        if loaded.has_more_pages and loaded.path not in self._told_pages:
            self._told_pages.add(loaded.path)
            told = tr("{name} has several pages; only the first one is shown.", name=loaded.path.name)
            self._notices.post("info", told, remedy=tr("Other pages need files of their own."))

    def _tell_recovery(self, loaded: LoadedPicture) -> None:
        recovery = loaded.document.recovery
        if recovery.lost_lines or recovery.set_aside:
            self._notices.post(
                "warning",
                tr("The recovery journal of {name} was damaged; it is kept.", name=loaded.path.name),
                remedy=tr("Please look whether everything is there."),
                details=recovery.set_aside,
            )
        if recovery.changed_outside:
            self._notices.post(
                "info",
                tr("The annotation file was changed by another program; its content is shown."),
                remedy=tr("Undo brings back what was here before."),
            )
        elif recovery.restored:
            self._notices.post("info", tr("Unsaved work from last time was brought back."))
