"""Files that another library writes by itself, put in their place in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside the target, for the block to write; then it takes the target's place, whole.

    It is flushed to the disk before it is renamed, and removed if anything goes wrong: the target is what it
    was before. Its folder is made if there is none.

    Raises:
        OSError: the folder cannot be written, or the disk is full; also whatever the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named as `write_atomic` names its own, so that what a kill leaves behind is recognised alike.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
