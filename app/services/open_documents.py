"""The documents that are open, also those that are not shown: which stay, and which are closed."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.document.document import Document
    from app.project.workspace import Workspace
    from converters.annotation import ImageAnnotation

DOCUMENTS_KEPT: Final = 12
"""Saved documents kept open besides the current one, so that going back is instant."""


class OpenDocuments:
    """Documents by the path of their picture, the one used last at the end.

    One with unsaved work stays open, also when another folder is opened: it is saved as soon as that is
    possible, and nobody quits without having been asked.
    """

    def __init__(self) -> None:
        self._documents: OrderedDict[Path, Document] = OrderedDict()
        self._homes: dict[Path, Workspace] = {}
        self._left: dict[Path, ImageAnnotation] = {}

    @property
    def all(self) -> tuple[Document, ...]:
        """Every open document."""
        return tuple(self._documents.values())

    @property
    def annotations(self) -> dict[Path, ImageAnnotation]:
        """What is on the pictures whose documents are open, and what was left unsaved on others."""
        opened = {path: document.annotation for path, document in self._documents.items()}
        return self._left | opened

    def note_left(self, path: Path, annotation: ImageAnnotation) -> None:
        """An earlier session left unsaved work on a picture: it counts until its document is opened."""
        self._left[path] = annotation

    def get(self, path: Path) -> Document | None:
        """The open document of that picture."""
        return self._documents.get(path)

    def home_of(self, path: Path) -> Workspace | None:
        """The workspace in which an open document was read, and knows its annotation file."""
        return self._homes.get(path)

    def add(self, path: Path, document: Document, workspace: Workspace, *, shown: bool) -> None:
        """Keeps a document open; one that is not shown is the first to go when there are too many."""
        self._left.pop(path, None)
        if self._documents.get(path) is not document:
            self._documents[path] = document
            self._homes[path] = workspace
        self._documents.move_to_end(path, last=shown)

    def drop_old(
        self, shown: Document | None, listed: frozenset[Path], is_needed: Callable[[Document], bool]
    ) -> None:
        """Closes the saved documents of other folders, and those not used for longest.

        Args:
            is_needed: whether a document must stay open, saved or not.
        """
        for path, document in list(self._documents.items()):
            if document is shown or document.is_modified or is_needed(document):
                continue
            if path not in listed or len(self._documents) > DOCUMENTS_KEPT:
                self._close(path)

    def leave(self, following: tuple[Path, ...]) -> None:
        """Another list takes over: closes what is saved.

        The same picture may be in both lists, and a journal has one writer. Of a folder that was renamed
        the work comes back under the new name, if the journal has it.
        """
        self._left.clear()
        names = {path.name for path in following}
        for path, document in list(self._documents.items()):
            moved = path.name in names and document.is_kept and not os.path.lexists(path)
            if moved or not document.is_modified:
                self._close(path)

    def close_all(self) -> None:
        """Closes every document."""
        for path in tuple(self._documents):
            self._close(path)

    def _close(self, path: Path) -> None:
        self._documents.pop(path).close()
        del self._homes[path]
