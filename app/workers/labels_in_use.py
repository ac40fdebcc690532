"""Reading which labels a folder's annotation files use, off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.project.labels_in_use import labels_in_use

if TYPE_CHECKING:
    from pathlib import Path

    from app.process.stopping import ShouldStop
    from app.workers.task import OnEvent

BATCH = 50


@dataclass(frozen=True, slots=True, eq=False)
class ReadLabels:
    """Look into these annotation files, by picture; events are dicts from picture to labels."""

    files: dict[Path, Path]


def read_labels_job(request: ReadLabels, should_stop: ShouldStop, on_event: OnEvent) -> None:
    """Tells some files at a time, so that a large folder's labels come soon."""
    read: dict[Path, tuple[str, ...]] = {}
    for picture, file in request.files.items():
        if should_stop():
            return
        read[picture] = labels_in_use(file)
        if len(read) == BATCH:
            on_event(read)
            read = {}
    on_event(read)
