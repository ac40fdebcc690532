"""Writing annotation files, the folder's own file and the settings off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from app.process.stopping import ShouldStop
    from app.project.project_file import ProjectFile
    from app.project.settings import SettingsStore
    from app.project.workspace import Workspace
    from app.workers.task import OnEvent
    from converters.annotation import ImageAnnotation


@dataclass(frozen=True, slots=True, eq=False)
class SaveAnnotation:
    """Write one state of a picture's annotation.

    Attributes:
        document: told afterwards, in the GUI thread, that `state` is saved; not touched here.
        replace_foreign: also if another program changed the file meanwhile; its version is kept.
    """

    workspace: Workspace
    path: Path
    annotation: ImageAnnotation
    state: int
    document: Document
    replace_foreign: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SaveSettings:
    """Write the settings if they changed."""

    store: SettingsStore


@dataclass(frozen=True, slots=True, eq=False)
class SaveProject:
    """Join what changed in a folder's own file, here and elsewhere; `project.take_news` tells of it."""

    project: ProjectFile


SaveRequest: TypeAlias = SaveAnnotation | SaveSettings | SaveProject


def save_job(request: SaveRequest, _should_stop: ShouldStop, _on_event: OnEvent) -> Path | None:
    """The file written; None for a project, which may have nothing to write.

    A save that has begun is finished: an atomic write has no useful half.

    Raises:
        ConverterError: the disk is full, no permission, or another program changed the file.
    """
    if isinstance(request, SaveSettings):
        request.store.save()
        return request.store.file
    if isinstance(request, SaveProject):
        request.project.save()
        return None
    return request.workspace.write(request.path, request.annotation, replace_foreign=request.replace_foreign)
