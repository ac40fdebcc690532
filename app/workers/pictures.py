"""Reading folders, pictures and their annotations off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from PIL import Image

from app.document.old_journals import end_of, prune_journals, unsaved_journals
from app.document.recovery import open_document
from app.pixels.base_image import OpenImage, prepare_image
from app.pixels.label_image import LabelImage, draw_labels
from app.process.stopping import ShouldStop, Stopped
from app.project.folders import config_dir
from app.project.workspace import Workspace
from app.workers.failure import Failure, describe_failure
from app.workers.samples import outside_samples
from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.files.images import read_image
from converters.files.temporary_files import sweep_temporary

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from app.document.journal import ProblemCallback
    from app.project.picture_states import PictureState
    from app.workers.task import OnEvent


PAGED_SUFFIXES: Final = frozenset({".gif", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class OpenPaths:
    """Take in folders, pictures and labelme files; one picture brings its whole folder along.

    Attributes:
        subfolders: whether folders bring those below them.
        shown: the picture to go on with, if it is among them.
    """

    paths: tuple[Path, ...]
    subfolders: bool = False
    shown: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenedList:
    """Answer to OpenPaths: the pictures there are, and which to show first."""

    workspace: Workspace
    first: Path
    source: Path


@dataclass(frozen=True, slots=True, eq=False)
class LoadPicture:
    """Read a picture with what belongs to it.

    Attributes:
        document: the document if the picture is open already; then only pixels are read.
        on_problem: told when the journal cannot be written any more.
    """

    workspace: Workspace
    path: Path
    journal_dir: Path
    document: Document | None = None
    on_problem: ProblemCallback | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPicture:
    """Answer to LoadPicture.

    Attributes:
        labels: the label image of the document's state when it was read, drawn here.
        revision: which state that was.
        damage: why the annotation file could not be used; nothing may overwrite it unasked.
        is_new: whether the document was opened for it.
        has_more_pages: whether the file holds further pictures, which are not shown.
        made_for: the name of another picture, if the objects were made for that; empty otherwise.
    """

    path: Path
    image: OpenImage
    document: Document
    labels: LabelImage
    revision: int
    damage: Failure | None = None
    is_new: bool = True
    has_more_pages: bool = False
    made_for: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class OpenDocument:
    """Read a picture's annotation with its history, not its pixels."""

    workspace: Workspace
    path: Path
    journal_dir: Path
    on_problem: ProblemCallback | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenedDocument:
    """Answer to OpenDocument; an annotation file that cannot be used is a failure instead."""

    path: Path
    document: Document


@dataclass(frozen=True, slots=True, eq=False)
class ReadStates:
    """Look into annotation files and journals for the list's marks; events: `StateRead`, `UnsavedFound`."""

    workspace: Workspace
    journal_dir: Path


@dataclass(frozen=True, slots=True)
class StateRead:
    """One picture's state."""

    path: Path
    state: PictureState


@dataclass(frozen=True, slots=True)
class UnsavedFound:
    """A picture has work in its journal that its annotation file does not hold.

    Attributes:
        annotation: what is on it then; None if the journal does not tell.
    """

    path: Path
    annotation: ImageAnnotation | None


@dataclass(frozen=True, slots=True)
class PruneJournals:
    """Delete the journals that nobody needs any more."""

    journal_dir: Path


@dataclass(frozen=True, slots=True, eq=False)
class CheckOutside:
    """Look whether another program changed an annotation file; an `OutsideChange` or None answers."""

    workspace: Workspace
    path: Path


PictureRequest: TypeAlias = OpenPaths | LoadPicture | OpenDocument | ReadStates | PruneJournals | CheckOutside


def picture_job(request: PictureRequest, should_stop: ShouldStop, on_event: OnEvent) -> Any:
    """Answers an OpenPaths with an OpenedList, a LoadPicture with a LoadedPicture and so on."""
    if isinstance(request, OpenPaths):
        return open_paths(request)
    if isinstance(request, LoadPicture):
        return load_picture(request, should_stop)
    if isinstance(request, OpenDocument):
        annotation = request.workspace.load(request.path)
        document = open_document(request.path, annotation, request.journal_dir, on_problem=request.on_problem)
        return OpenedDocument(request.path, document)
    if isinstance(request, PruneJournals):
        for folder in (request.journal_dir, config_dir()):
            sweep_temporary(folder)
        return prune_journals(request.journal_dir, should_stop=should_stop)
    if isinstance(request, CheckOutside):
        return request.workspace.outside_change(request.path)
    return read_states(request, should_stop, on_event)


def read_states(request: ReadStates, should_stop: ShouldStop, on_event: OnEvent) -> None:
    """Tells every picture's state; sweeps what killed programs left in the pictures' folders."""
    workspace = request.workspace
    for folder in dict.fromkeys(workspace.label_file(picture).parent for picture in workspace.pictures):
        sweep_temporary(folder)
    workspace.read_states(lambda path, state: on_event(StateRead(path, state)), should_stop=should_stop)
    for picture, file in unsaved_journals(workspace.pictures, request.journal_dir, should_stop=should_stop):
        on_event(UnsavedFound(picture, end_of(file)))


def open_paths(request: OpenPaths) -> OpenedList:
    """The workspace of the paths.

    Raises:
        ConverterError: nothing there, no permission, or no picture among it.
    """
    paths = [outside_samples(path) for path in request.paths]
    source = paths[0]
    workspace = Workspace(paths, subfolders=request.subfolders)
    first = request.shown if request.shown in workspace.pictures else workspace.pictures[0]
    assert first is not None
    if len(paths) == 1 and not source.is_dir():
        try:
            folder = Workspace(first.parent)
        except ConverterError:  # the folder may be unreadable although the file is not
            return OpenedList(workspace, first, source)
        if first in folder.pictures:
            workspace = folder
    return OpenedList(workspace, first, source)


def load_picture(request: LoadPicture, should_stop: ShouldStop) -> LoadedPicture:
    """The picture's pixels, its document with history, and its label image.

    Raises:
        ConverterError: the picture itself cannot be read.
    """
    image = prepare_image(read_image(request.path), request.path)
    if should_stop():
        raise Stopped
    damage: Failure | None = None
    document = request.document
    if document is None:
        try:
            annotation = request.workspace.load(request.path)
        except ConverterError as error:
            damage = describe_failure(error)
            annotation = ImageAnnotation(request.path.name, image.height, image.width)
        if should_stop():
            raise Stopped
        document = open_document(
            request.path,
            annotation,
            request.journal_dir,
            in_file=damage is None,
            on_problem=request.on_problem,
        )
    revision = document.revision
    labels = draw_labels(document.annotation)
    if should_stop() and request.document is None:
        document.close()
        raise Stopped
    is_new, more = request.document is None, has_more_pages(request.path)
    other = request.workspace.made_for(request.path) if is_new and damage is None else ""
    return LoadedPicture(request.path, image, document, labels, revision, damage, is_new, more, other)


def has_more_pages(path: Path) -> bool:
    """Whether a picture file holds more than the one picture that is read of it."""
    if path.suffix.lower() not in PAGED_SUFFIXES:
        return False
    try:
        with Image.open(path) as picture:
            picture.seek(1)
    except (EOFError, OSError, ValueError, SyntaxError):
        return False
    return True
