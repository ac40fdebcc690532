"""Writing pictures and converting folders off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from app.appearance.i18n import tr
from app.project.project_file import ProjectFile, project_place
from app.workers.unsaved import bring_in_unsaved
from converters.errors import ConverterError
from converters.files.files import make_folder
from converters.files.images import read_metadata, write_image
from converters.files.project_mark import is_project_file
from converters.shapes.geometry import rasterize

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from app.process.stopping import ShouldStop
    from app.project.workspace import Workspace
    from app.workers.task import OnEvent
    from converters.annotation import ImageAnnotation
    from converters.conversion.convert import Conversion


@dataclass(frozen=True, slots=True, eq=False)
class ExportPicture:
    """Write the picture with its recoloured objects.

    Attributes:
        image: (H, W, 3) uint8 RGB, the upright original.
        source: its file, for EXIF and ICC; None if it has none.
        target: the file to write; never the source.
        folder: the open one: what is exported into it is no picture to annotate.
    """

    image: NDArray[np.uint8]
    source: Path | None
    annotation: ImageAnnotation
    target: Path
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ConvertFolder:
    """Convert a file or folder.

    Attributes:
        source_format: name as in converters/formats/registry.py; "" finds it out.
        target: a folder, or a file where the format allows one.
        workspace: the open folder if it is the source: work that only its journals hold is saved first.
        journal_dir: where these lie.
    """

    source: Path
    source_format: str
    target: Path
    target_format: str
    workspace: Workspace | None = None
    journal_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far a conversion is."""

    done: int
    total: int


ExportRequest: TypeAlias = ExportPicture | ConvertFolder


def export_job(request: ExportRequest, should_stop: ShouldStop, on_event: OnEvent) -> Any:
    """Answers an ExportPicture with its path, a ConvertFolder with a `Conversion`."""
    if isinstance(request, ExportPicture):
        return export_picture(request, should_stop)
    return convert_folder(request, should_stop, on_event)


def convert_folder(request: ConvertFolder, should_stop: ShouldStop, on_event: OnEvent) -> Conversion:
    """Converts; pictures whose unsaved work could not be saved first are told in the report.

    Raises:
        ConverterError: nothing to convert, or the target cannot be written.
    """
    from converters.conversion.convert import convert  # brings every format; the window starts without them

    left: tuple[Path, ...] = ()
    if request.workspace is not None and request.journal_dir is not None:
        left = bring_in_unsaved(request.workspace, request.journal_dir, should_stop)

    def tell(done: int, total: int, _name: str) -> None:
        on_event(TransferProgress(done, total))

    conversion = convert(
        request.source,
        request.target,
        source_format=request.source_format or None,
        target_format=request.target_format,
        on_progress=tell,
        should_stop=should_stop,
    )
    for picture in left:
        conversion.report.add("dropped", tr("what is not saved yet is not exported"), path=picture.name)
    return conversion


def export_picture(request: ExportPicture, should_stop: ShouldStop) -> Path:
    """Renders every recolouring at full quality and writes the copy.

    Raises:
        ConverterError: the target is the source, or cannot be written.
    """
    from app.recolor.engine import apply_operations

    if request.source is not None and request.target.resolve() == request.source.resolve():
        raise ConverterError(
            tr("The original picture is never overwritten."),
            path=request.target,
            remedy=tr("Choose another name."),
        )
    height, width = request.annotation.height, request.annotation.width
    operations = [
        (rasterize(instance.geometry, height, width, rule="centers"), instance.recolor)
        for instance in request.annotation.instances
        if instance.recolor is not None
    ]
    result = apply_operations(request.image, operations, should_stop=should_stop)
    exif, profile = read_metadata(request.source) if request.source is not None else (None, None)
    make_folder(request.target.parent)
    write_image(request.target, result, exif=exif, icc=profile)
    _note_exported(request)
    return request.target


def _note_exported(request: ExportPicture) -> None:
    """Has the folder's own file say that this is an export; elsewhere no such file is made for it.

    Raises:
        ConverterError: it cannot be written.
    """
    target = request.target.parent
    inside = request.folder is not None and target.resolve().is_relative_to(request.folder.resolve())
    if not inside and not is_project_file(project_place(target)):
        return
    project = ProjectFile(target)
    project.note_exported(request.target.name, request.target.stat().st_size)
    project.save()
    if project.problem:
        raise ConverterError(
            tr(
                "it is written, but will be listed as a picture to annotate: {problem}",
                problem=project.problem,
            ),
            path=request.target,
        )
