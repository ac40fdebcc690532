"""The sample photos: opened as copies, so that labels never land in the program's own folder."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Final

from app.project.folders import data_dir

FIRST_SAMPLE: Final = "coffee.jpg"


def sample_folder() -> Path:
    """Where the sample photos lie that come with SeedHue."""
    return Path(str(resources.files("resources"))) / "samples"


def outside_samples(path: Path) -> Path:
    """The path itself, or the user's copy of a sample photo, made together with the others.

    Raises:
        OSError: the copies cannot be written.
    """
    absolute = path.absolute()
    if absolute.parent != sample_folder().absolute() or absolute.suffix != ".jpg":
        return path
    copies = data_dir() / "samples"
    copies.mkdir(parents=True, exist_ok=True)
    for source in absolute.parent.glob("*.jpg"):
        if not (copies / source.name).exists():
            shutil.copyfile(source, copies / source.name)
    return copies / absolute.name
