"""The open folder: its pictures, their annotation files and how far each one is.

A folder of pictures and JSON files is the whole project. The folder's own file says what is true of all
pictures (app/project/project_file.py); how far the review of one is stands in its annotation file alone.
Reading and writing are meant for worker threads; asking for paths and states is cheap anywhere.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.project.label_files import is_picture, label_files, pictures_of_labels
from app.project.project_file import ProjectFile
from app.project.review import ReviewStatus, review_of, review_of_facts
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.files.files import natural_sort_key, parse_json, read_bytes, set_aside
from converters.files.images import IMAGE_SUFFIXES, read_size
from converters.files.project_mark import is_project_file
from converters.formats.labelme.document import find_image, read_labelme, write_labelme
from converters.formats.own_facts import KEY
from converters.formats.reading import require_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MAX_DEPTH: Final = 32
_Signature = tuple[int, int] | None


class PictureState(Enum):
    """How far a picture is."""

    NONE = "none"
    ANNOTATED = "annotated"
    REVIEWED = "reviewed"
    REJECTED = "rejected"
    MODIFIED = "modified"
    BROKEN = "broken"


class ForeignChangeError(ConverterError):
    """The annotation file was changed by another program since it was read here."""


class Workspace:
    """Pictures to work on, in natural order.

    Attributes:
        root: the folder that was opened, or the one that holds all the files.
        pictures: absolute paths.
        skipped: what could not be taken in, each with the reason.
        project: what the folder says about itself.
    """

    def __init__(self, source: Path | str | Iterable[Path | str], *, subfolders: bool = False) -> None:
        """Takes in a folder, a file, or several of either.

        Args:
            source: folders, picture files or labelme files (these stand for their pictures); a project file
                stands for its folder.
            subfolders: whether folders below are taken in, too.

        Raises:
            ConverterError: nothing there, no permission, or no picture among it.
        """
        given = [source] if isinstance(source, Path | str) else source
        self._sources = tuple(_opened_for(Path(os.path.abspath(each))) for each in given)
        self._subfolders = subfolders
        self.skipped: tuple[ConverterError, ...] = ()
        self.pictures: tuple[Path, ...] = ()
        self._labels: dict[Path, Path] = {}
        self._lock = threading.Lock()
        # What a label file looked like when it was last read or written here.
        self._signatures: dict[Path, _Signature] = {}
        self._states: dict[Path, tuple[_Signature, PictureState]] = {}
        self._modified: set[Path] = set()
        self._damaged: set[Path] = set()
        self.refresh()
        self.root = self._common_folder()
        self.project = ProjectFile(self._project_folder())

    def refresh(self) -> None:
        """Looks again which pictures there are; errors as when opening."""
        skipped: list[ConverterError] = []
        found: dict[Path, None] = {}
        self._given_labels: dict[Path, Path] = {}
        for source in self._sources:
            try:
                found.update(dict.fromkeys(self._taken_in(source, skipped)))
            except ConverterError as error:
                if len(self._sources) == 1:
                    raise
                skipped.append(error)
        if not found:
            if skipped:
                raise skipped[0]
            raise ConverterError(
                "there are no pictures here.",
                path=self._sources[0] if self._sources else None,
                remedy=f"Choose a folder with pictures ({', '.join(sorted(IMAGE_SUFFIXES))}).",
            )
        self.pictures = tuple(found)
        self.skipped = tuple(skipped)
        self._labels = label_files(self.pictures) | self._given_labels

    def label_file(self, picture: Path) -> Path:
        """The picture's annotation file, existing or to be written."""
        return self._labels.get(picture) or label_files([picture])[picture]

    def following(self, picture: Path, step: int = 1) -> Path | None:
        """The picture so many places further in the order; None beyond either end."""
        if picture not in self.pictures:
            return self.pictures[0]
        place = self.pictures.index(picture) + step
        return self.pictures[place] if 0 <= place < len(self.pictures) else None

    # Reading and writing

    def load(self, picture: Path) -> ImageAnnotation:
        """What is annotated on a picture; without instances if nothing is yet.

        Raises:
            ConverterError: the picture or its annotation file cannot be read, or they do not fit
                each other. Such a file is renamed, not overwritten, by a later `save`.
        """
        file = self.label_file(picture)
        signature = _signature(file)
        try:
            height, width = read_size(picture)
        except ConverterError:
            self._remember(picture, signature, PictureState.BROKEN)
            raise
        if signature is None:
            self._signatures[file] = None
            return self._belonging(ImageAnnotation("", height, width), picture, file)
        try:
            annotation = require_size(read_labelme(file), height, width, path=file)
        except ConverterError:
            self._damaged.add(file)
            self._remember(picture, signature, PictureState.BROKEN)
            raise
        self._damaged.discard(file)
        self._signatures[file] = signature
        self._remember(picture, signature, _state_of(annotation))
        return self._belonging(annotation, picture, file)

    def write(self, picture: Path, annotation: ImageAnnotation, *, replace_foreign: bool = False) -> Path:
        """Writes a picture's annotation file, atomically; may be called from any thread.

        Args:
            replace_foreign: also if another program changed the file since it was read here; its
                version is then kept beside it under another name.

        Raises:
            ForeignChangeError: another program changed the file.
            ConverterError: the disk is full, or the folder cannot be written.
        """
        file = self.label_file(picture)
        with self._lock:
            now = _signature(file)
            if file in self._damaged:
                foreign, reason = now is not None, "damaged"
            else:
                foreign, reason = now is not None and now != self._signatures.get(file), "kept"
                if foreign and not replace_foreign:
                    raise ForeignChangeError(
                        "another program changed this file since it was opened here.",
                        path=file,
                        remedy="Open the picture again to see its version, or replace it (it is kept).",
                    )
            if foreign:
                _keep(file, reason)
            write_labelme(file, annotation)
            self._damaged.discard(file)
            written = self._signatures[file] = _signature(file)
            self._remember(picture, written, _state_of(annotation))
        return file

    # States

    def state(self, picture: Path) -> PictureState:
        """How far the picture is, as far as is known without reading: see `read_state`."""
        if picture in self._modified:
            return PictureState.MODIFIED
        signature = _signature(self.label_file(picture))
        known = self._states.get(picture)
        if known is not None and known[0] == signature:
            return known[1]
        return PictureState.NONE if signature is None else PictureState.ANNOTATED

    def read_state(self, picture: Path) -> PictureState:
        """How far the picture is; looks into its annotation file unless it is known already."""
        file = self.label_file(picture)
        signature = _signature(file)
        known = self._states.get(picture)
        if known is None or known[0] != signature:
            self._remember(picture, signature, PictureState.NONE if signature is None else _glance(file))
        return self.state(picture)

    def read_states(
        self,
        on_state: Callable[[Path, PictureState], None],
        *,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Tells every picture's state, for a worker thread."""
        for picture in self.pictures:
            if should_stop():
                return
            on_state(picture, self.read_state(picture))

    def set_modified(self, picture: Path, modified: bool) -> None:
        """Notes that a picture has work its annotation file does not hold (or no longer)."""
        (self._modified.add if modified else self._modified.discard)(picture)

    # Inside

    def _remember(self, picture: Path, signature: _Signature, state: PictureState) -> None:
        self._states[picture] = (signature, state)

    def _taken_in(self, source: Path, skipped: list[ConverterError]) -> Sequence[Path]:
        if source.is_dir():
            pictures = _pictures_below(source, skipped, depth=_MAX_DEPTH if self._subfolders else 0)
            if not pictures:  # labels may lie in a folder of their own
                self._given_labels |= pictures_of_labels(source)
            return pictures or tuple(self._given_labels)
        if not source.exists():
            raise ConverterError(
                "there is no such file or folder.", path=source, remedy="It may have been moved or renamed."
            )
        if source.suffix.lower() == ".json":
            picture = Path(os.path.abspath(find_image(source, read_labelme(source))))
            self._given_labels[picture] = source
            return [picture]
        if not is_picture(source):
            raise ConverterError(
                "this kind of file is not opened.",
                path=source,
                remedy=f"Pictures are {', '.join(sorted(IMAGE_SUFFIXES))}; labels are labelme's .json.",
            )
        return [source]

    def _common_folder(self) -> Path:
        if len(self._sources) == 1 and self._sources[0].is_dir():
            return self._sources[0]
        try:
            return Path(os.path.commonpath([picture.parent for picture in self.pictures]))
        except ValueError:  # on different drives
            return self.pictures[0].parent

    def _project_folder(self) -> Path | None:
        """The folder that was opened, or the one in which all the pictures lie."""
        if len(self._sources) == 1 and self._sources[0].is_dir():
            return self._sources[0]
        folders = {picture.parent for picture in self.pictures}
        return folders.pop() if len(folders) == 1 else None

    @staticmethod
    def _belonging(annotation: ImageAnnotation, picture: Path, file: Path) -> ImageAnnotation:
        """The annotation naming this picture: one that was moved or renamed is named anew."""
        try:
            if os.path.samefile(file.parent / annotation.image_path, picture):
                return annotation
        except (OSError, ValueError):
            pass
        try:
            name = Path(os.path.relpath(picture, file.parent)).as_posix()
        except ValueError:  # on another drive
            name = picture.as_posix()
        return replace(annotation, image_path=name)


def _opened_for(source: Path) -> Path:
    """What opening a path means: a project file stands for its folder."""
    return source.parent if is_project_file(source) else source


def _pictures_below(folder: Path, skipped: list[ConverterError], *, depth: int) -> list[Path]:
    """The folder's pictures in natural order, then those of its sub-folders.

    Raises:
        ConverterError: the folder may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: (natural_sort_key(entry.name), entry.name))
    except OSError as error:
        raise ConverterError(
            "this folder cannot be read.",
            path=folder,
            remedy="Give yourself permission to read it, or choose another one.",
        ) from error
    pictures = [folder / e.name for e in listed if is_picture(Path(e.name)) and not _is_folder(e)]
    if depth:
        for entry in listed:
            # Links are not followed: they may lead round in circles.
            if not entry.name.startswith(".") and _is_folder(entry) and not entry.is_symlink():
                try:
                    pictures += _pictures_below(folder / entry.name, skipped, depth=depth - 1)
                except ConverterError as error:
                    skipped.append(error)
    return pictures


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _signature(file: Path) -> _Signature:
    """What changes when a file is written; None if there is none."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def _keep(file: Path, reason: str) -> None:
    try:
        set_aside(file, reason)
    except OSError as error:
        raise ConverterError(
            "the file that is there now cannot be renamed, so nothing was written.", path=file
        ) from error


def _state_of(annotation: ImageAnnotation) -> PictureState:
    return _REVIEWED.get(review_of(annotation).status, PictureState.ANNOTATED)


def _glance(file: Path) -> PictureState:
    """A label file's state without building its objects.

    The whole text is parsed only if it mentions a review: folders hold thousands of these files.
    """
    try:
        content = read_bytes(file)
        if b'"review"' in content:
            document: Any = parse_json(content.decode("utf-8-sig"), path=file)
            facts = document.get(KEY) if isinstance(document, dict) else None
            return _REVIEWED.get(review_of_facts(facts).status, PictureState.ANNOTATED)
    except (ConverterError, UnicodeDecodeError):
        return PictureState.BROKEN
    whole = content.rstrip().endswith(b"}") and b'"shapes"' in content
    return PictureState.ANNOTATED if whole else PictureState.BROKEN


_REVIEWED: Final = {
    ReviewStatus.APPROVED: PictureState.REVIEWED,
    ReviewStatus.REJECTED: PictureState.REJECTED,
}
