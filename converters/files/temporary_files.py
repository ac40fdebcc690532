"""Files that are on their way to another name, and what killed programs leave of them.

They are called `.seedhue-<computer>-<random>.tmp`, whatever they will be: short enough for every
folder, known by their name, and held by their writer's lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from converters.files.file_lock import try_lock

SUFFIX: Final = ".tmp"
_COMPUTER: Final = hashlib.blake2s(platform.node().encode("utf-8", "replace"), digest_size=4).hexdigest()
_PREFIX: Final = f".seedhue-{_COMPUTER}-"
_NAME: Final = re.compile(rf"\.seedhue-([0-9a-f]{{8}})-\w+{re.escape(SUFFIX)}")
_YOUNG_SECONDS: Final = 1.0
"""Between being made and being locked, and between being written and being renamed, no more time passes."""
_FOREIGN_SECONDS: Final = 86_400.0
"""Another computer's locks cannot be seen."""


def open_temporary(folder: Path) -> tuple[int, str]:
    """The descriptor and the path of a new file that the calling process holds until it closes it.

    Raises:
        OSError: the folder cannot be written.
    """
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=SUFFIX)
    try_lock(descriptor)
    return descriptor, path


def sweep_temporary(folder: Path) -> int:
    """Deletes the temporary files in a folder whose writers are gone; how many."""
    try:
        with os.scandir(folder) as entries:
            found = [(match, entry.path) for entry in entries if (match := _NAME.fullmatch(entry.name))]
    except OSError:
        return 0
    return sum(_swept(Path(path), match[1] == _COMPUTER) for match, path in found)


def _swept(file: Path, ours: bool) -> bool:
    with contextlib.suppress(OSError):
        descriptor = os.open(file, os.O_RDWR)
        try:
            held = try_lock(descriptor)
            age = time.time() - os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
        patience = _YOUNG_SECONDS if ours and held is not None else _FOREIGN_SECONDS
        if held is not False and age > patience:
            file.unlink()
            return True
    return False
