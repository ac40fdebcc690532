"""One window at a time reads, joins and writes what several may write; across processes of one user.

The lock is a file in the user's own folder, named after what it guards: a folder shared over a network need
not know locks. Two machines are not kept apart.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from app.project.folders import state_dir
from converters.files.file_lock import lock_exclusively

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.01


@contextmanager
def one_writer(file: Path) -> Iterator[None]:
    """Wait until nobody else is inside for that file; after `PATIENCE_SECONDS` go on all the same.

    For worker threads. Where the lock cannot be made the work goes on unguarded: better than not at all.
    """
    descriptor = _open_lock(file)
    try:
        if descriptor is not None:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not lock_exclusively(descriptor) and time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)  # which ends the lock


def _open_lock(file: Path) -> int | None:
    name = os.path.realpath(file).encode("utf-8", "surrogatepass")
    lock = state_dir() / "locks" / f"{hashlib.blake2s(name, digest_size=8).hexdigest()}.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
