"""The open folder: its pictures, their annotation files and how far each one is.

A folder of pictures and JSON files is the whole project. The folder's own file says what is true of all
pictures (app/project/project_file.py); how far the review of one is stands in its annotation file alone.
Reading and writing are meant for worker threads; asking for paths and states is cheap anywhere.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Final

from app.project.label_files import is_picture, label_files, pictures_of_labels
from app.project.picture_files import pictures_below
from app.project.picture_states import PictureState, glance, state_of
from app.project.project_file import ProjectFile
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.files.files import read_bytes, set_aside
from converters.files.images import IMAGE_SUFFIXES, read_size
from converters.files.project_mark import is_project_file
from converters.formats.labelme.document import find_image, parse_labelme, read_labelme, write_labelme
from converters.formats.reading import require_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MAX_DEPTH: Final = 32
_Signature = tuple[int, int, int, int] | None


class ForeignChangeError(ConverterError):
    """The annotation file was changed by another program since it was read here."""


@dataclass(frozen=True, slots=True, eq=False)
class OutsideChange:
    """What another program made of a picture's annotation file.

    Attributes:
        digest: of the file's content.
    """

    picture: Path
    annotation: ImageAnnotation
    digest: bytes


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
        # What a label file held when it was last read or written here, by its digest; None for no file.
        self._known: dict[Path, bytes | None] = {}
        self._looked_at: dict[Path, _Signature] = {}
        self._states: dict[Path, tuple[_Signature, PictureState]] = {}
        self._modified: dict[Path, PictureState] = {}
        self._damaged: set[Path] = set()
        self._made_for: dict[Path, str] = {}
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
            self._known[file] = None
            return self._belonging(ImageAnnotation("", height, width), picture, file)
        try:
            content = read_bytes(file)
            annotation = require_size(parse_labelme(content, path=file), height, width, path=file)
        except ConverterError:
            self._damaged.add(file)
            self._remember(picture, signature, PictureState.BROKEN)
            raise
        self._damaged.discard(file)
        self._known[file] = digest_of(content)
        self._remember(picture, signature, state_of(annotation))
        belonging = self._belonging(annotation, picture, file)
        named = PureWindowsPath(annotation.image_path).name
        taken_over = annotation.instances and belonging is not annotation and named not in ("", picture.name)
        self._made_for[picture] = named if taken_over else ""
        return belonging

    def made_for(self, picture: Path) -> str:
        """The name of another picture, gone since, that the objects loaded last were made for; or empty."""
        return self._made_for.get(picture, "")

    def outside_change(self, picture: Path) -> OutsideChange | None:
        """What another program made of the annotation file since it was last known here; None if nothing.

        Nor if it took the file away or damaged it: a later `write` tells that. May be called from any thread.
        """
        file = self.label_file(picture)
        with self._lock:
            signature = _signature(file)
            if signature is None or file not in self._known or self._looked_at.get(file) == signature:
                return None
            try:
                content = read_bytes(file)
                if digest_of(content) == self._known[file]:
                    self._looked_at[file] = signature
                    return None
                height, width = read_size(picture)
                annotation = require_size(parse_labelme(content, path=file), height, width, path=file)
            except ConverterError:
                return None
        return OutsideChange(picture, self._belonging(annotation, picture, file), digest_of(content))

    def acknowledge(self, change: OutsideChange) -> None:
        """What another program wrote is known here from now on, and may be replaced."""
        file = self.label_file(change.picture)
        with self._lock:
            self._known[file] = change.digest
            self._damaged.discard(file)
        self._remember(change.picture, _signature(file), state_of(change.annotation))

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
            before = _signature(file)
            if file in self._damaged:
                foreign, reason = before is not None, "damaged"
            else:
                foreign, reason = before is not None and self._is_foreign(file), "kept"
                if foreign and not replace_foreign:
                    raise _foreign_change(file)
            if foreign:
                _keep(file, reason)
                before = None

            def refuse_changed() -> None:
                if _signature(file) != before:
                    raise _foreign_change(file)

            content = write_labelme(file, annotation, before_replacing=refuse_changed)
            self._damaged.discard(file)
            self._known[file] = digest_of(content)
            self._remember(picture, _signature(file), state_of(annotation))
        return file

    def _is_foreign(self, file: Path) -> bool:
        """Whether an annotation file is not as it was read or written here; size and time do not tell."""
        return digest_of(read_bytes(file)) != self._known.get(file)

    # States

    def state(self, picture: Path) -> PictureState:
        """How far the picture is, as far as is known without reading: see `read_state`."""
        if picture in self._modified:
            return self._modified[picture]
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
            self._remember(picture, signature, PictureState.NONE if signature is None else glance(file))
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

    def set_modified(self, picture: Path, modified: bool, annotation: ImageAnnotation | None = None) -> None:
        """Notes that a picture has work its annotation file does not hold (or no longer).

        Args:
            annotation: what is on it now, if that is known.
        """
        if not modified:
            self._modified.pop(picture, None)
            return
        emptied = annotation is not None and not state_of(annotation).is_annotated
        self._modified[picture] = PictureState.EMPTIED if emptied else PictureState.MODIFIED

    # Inside

    def _remember(self, picture: Path, signature: _Signature, state: PictureState) -> None:
        self._states[picture] = (signature, state)

    def _taken_in(self, source: Path, skipped: list[ConverterError]) -> Sequence[Path]:
        if source.is_dir():
            pictures = pictures_below(source, skipped, depth=_MAX_DEPTH if self._subfolders else 0)
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


def _signature(file: Path) -> _Signature:
    """What changes when a file is written, as a rule; None if there is none."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ctime_ns, facts.st_ino


def digest_of(content: bytes) -> bytes:
    """By which a file's content is known again."""
    return hashlib.blake2b(content, digest_size=16).digest()


def _foreign_change(file: Path) -> ForeignChangeError:
    return ForeignChangeError(
        "another program changed this file since it was opened here.",
        path=file,
        remedy="Open the picture again to see its version, or replace it (it is kept).",
    )


def _keep(file: Path, reason: str) -> None:
    try:
        set_aside(file, reason)
    except OSError as error:
        raise ConverterError(
            "the file that is there now cannot be renamed, so nothing was written.", path=file
        ) from error
