"""Writing annotation files off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from app.document.document import Document
    from app.process.stopping import ShouldStop
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


def save_job(request: SaveAnnotation | SaveSettings, _should_stop: ShouldStop, _on_event: OnEvent) -> Path:
    """The file written.

    A save that has begun is finished: an atomic write has no useful half.

    Raises:
        ConverterError: the disk is full, no permission, or another program changed the file.
    """
    if isinstance(request, SaveSettings):
        request.store.save()
        return request.store.file
    return request.workspace.write(request.path, request.annotation, replace_foreign=request.replace_foreign)
